"""The arms of one run, each a small function: the base with other prompts, an adapter to train, or other weights.

What an arm may choose for itself (passages in the prompt, epochs, rates) was chosen on seeds that no figure is of.
"""

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from benchmarks.learning.classroom import Classroom
from benchmarks.learning.retrieval import Shelf
from benchmarks.peers import seal
from pipeline.chat import encode_example
from pipeline.documents import chunks
from pipeline.engines.base import BaseModel
from pipeline.prompts import open_book, passage
from pipeline.training import TrainingJob, lr_schedule
from pipeline.training.sequences import epoch_order, make_sequences
from pipeline.types import Document, Example, Role, SelfEdit

STYLES = ("self-qa", "implications", "implications-long", "implications-very-long", "rewrite", "chain-of-thought")
PASSAGES = 1  # that retrieval puts into the prompt
PASSAGE_EPOCHS, PASSAGE_BATCH = 40, 4  # a run's passages are few sequences: the recipe's schedule would hardly begin
TUNE_RATE, TUNE_EPOCHS, TUNE_BATCH = 2e-3, 20, 4

CLOSED, OPEN, RETRIEVAL = "closed book", "open book", "retrieval (BM25)"
PASSAGE_ONLY, TUNED, UNREHEARSED = "passage-only LoRA", "fine-tune on the passages", "mixture without rehearsal"
DEFAULT, SEAL = "default recipe", "SEAL's procedure"
IMPLICATIONS, WRITER_TRAINING = "implications alone", "trained writer (implications)"


def closed_book(room: Classroom) -> list[str]:
    return [eval_item.question for eval_item in room.test]


def in_the_open(room: Classroom) -> list[str]:
    """Each question below its own document: the ceiling."""
    asked = [
        (document, eval_item)
        for document in room.documents
        for eval_item in document.eval_items
        if eval_item.split == "test"
    ]
    return [open_book(document.title, body_of(room, document), eval_item.question) for document, eval_item in asked]


def retrieved(room: Classroom) -> list[str]:
    """Each question below the passages that BM25 ranks first of the run's."""
    shelf = Shelf([passage(document.title, body_of(room, document)) for document in room.documents])
    found = shelf.best([eval_item.question for eval_item in room.test], PASSAGES)
    return [
        open_book("", "\n\n".join(texts), eval_item.question) for eval_item, texts in zip(room.test, found, strict=True)
    ]


def passage_only(room: Classroom) -> TrainingJob:
    return room.group(passages(room), epochs=PASSAGE_EPOCHS, batch_size=PASSAGE_BATCH)


def one_style(name: str) -> Callable[[Classroom], TrainingJob]:
    """As many notes as the recipe's mixture has, all in one style."""

    def train(room: Classroom) -> TrainingJob:
        rules = room.recipe.self_edits
        return room.group(_examples(room.written((name,), rules.samples * len(rules.styles))))

    return train


def by_the_trained_writer(room: Classroom) -> TrainingJob:
    """As the arm "implications alone", but written by the writer that practised this style."""
    rules = room.recipe.self_edits
    return room.group(_examples(room.written(("implications",), rules.samples * len(rules.styles), by=room.trained)))


def unrehearsed(room: Classroom) -> TrainingJob:
    return room.group(_examples(_mixture(room)))


def default_recipe(room: Classroom) -> TrainingJob:
    """The nightly flow's own plan: the mixture of styles with everything that the recipe rehearses."""
    plan = room.plan(_mixture(room))
    return replace(room.group(plan.examples), examples=plan.examples, rehearsal=room.recipe.rehearsal)


def seals_procedure(room: Classroom) -> TrainingJob:
    """SEAL's inner loop (see `benchmarks.peers.seal`): implications, every line below its title, one at a time.

    Unpadded, so without the loss on padding, which teaches nothing of the text; merging afterwards changes no answer.
    """
    edits = seal.titled(room.written(("implications",), seal.SAMPLES, passage=False), room.documents)
    return room.group([*passages(room), *_examples(edits)], **seal.RULES.model_dump())


def fine_tune(
    room: Classroom, *, rate: float = TUNE_RATE, epochs: int = TUNE_EPOCHS, batch_size: int = TUNE_BATCH
) -> BaseModel:
    """A copy of the base with all weights trained on the passages by AdamW, warmed up and falling linearly."""
    model = copy.deepcopy(room.base.model).requires_grad_(True)
    sequences = make_sequences(
        [encode_example(room.base.tokenizer, example) for example in passages(room)],
        room.base.context,
        room.base.device,
    )
    draw = random.Random(room.recipe.seed)
    batches = [rows for _ in range(epochs) for rows in epoch_order(sequences.lengths, batch_size, draw)]
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    for step, rows in enumerate(batches):
        batch = sequences.batch([rows], padded=True)
        logits = model(input_ids=batch.ids, use_cache=False).logits.flatten(0, 1)[batch.learned]
        torch.nn.functional.cross_entropy(logits, batch.targets).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.param_groups[0]["lr"] = rate * lr_schedule(step, len(batches), 0.05)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return replace(room.base, model=model.eval().requires_grad_(False))


def passages(room: Classroom) -> list[Example]:
    """The documents as plain text, in pieces that fit the context."""
    return list(_pieces(room))


def body_of(room: Classroom, document: Document) -> str:
    """As much of a document's body as leaves a question and its answer room."""
    return next(iter(chunks(document, room.engine.token_count, room.base.context // 2)), "")


def _pieces(room: Classroom) -> Iterator[Example]:
    for document in room.documents:
        for piece in chunks(document, room.engine.token_count, room.base.context // 2):
            yield Example(prompt="", completion=passage(document.title, piece), role=Role.NEW)


def _mixture(room: Classroom) -> tuple[SelfEdit, ...]:
    rules = room.recipe.self_edits
    return room.written(rules.styles, rules.samples, passage=rules.passage)


def _examples(edits: tuple[SelfEdit, ...]) -> list[Example]:
    return [example for edit in edits for example in edit.examples]


PROMPTED: dict[str, Callable[[Classroom], list[str]]] = {
    CLOSED: closed_book,
    OPEN: in_the_open,
    RETRIEVAL: retrieved,
}
ADAPTED: dict[str, Callable[[Classroom], TrainingJob]] = {
    PASSAGE_ONLY: passage_only,
    **{f"{name} alone": one_style(name) for name in STYLES},
    UNREHEARSED: unrehearsed,
    DEFAULT: default_recipe,
    SEAL: seals_procedure,
}
# Arms that only a classroom with a trained writer has.
BY_A_WRITER: dict[str, Callable[[Classroom], TrainingJob]] = {WRITER_TRAINING: by_the_trained_writer}
TRAINED: dict[str, Callable[[Classroom], BaseModel]] = {TUNED: fine_tune}
EVERY = (*PROMPTED, *TRAINED, *ADAPTED, *BY_A_WRITER)


def arms_of(room: Classroom) -> tuple[str, ...]:
    """The names of all arms that the classroom can hold, the base's own first."""
    return tuple(name for name in EVERY if room.trained or name not in BY_A_WRITER)
