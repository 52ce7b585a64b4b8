"""Writer training on a real pretrained model: what its self-edits teach, and how varied they are.

Usage: python -m benchmarks.real.writer_training --data squad_passages.json [--rounds 2] [--seeds 3] [--rate 1e-3]

The writer is trained by ReST-EM on passages of the choosing half of the titles. Then the untrained writer, the trained
one and the seven fixed prompts of SPA (arXiv 2603.22213) write about the same passages of the reporting half; each
passage's texts are cut to equal tokens, and one run is trained on them, by SEAL's rules.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from benchmarks.figures import RESULTS, Measured, write_results
from benchmarks.learning.intervals import interval, mean
from benchmarks.peers import seal
from benchmarks.real.arms import AS_WRITTEN, Lesson, context_of, train
from benchmarks.real.exams import Exam, Grades, exam_figures, examined
from benchmarks.real.passages import CHOOSING, PER_RUN, items_of, run_of, runs_of
from benchmarks.real.setting import Setting, read_setting
from gates.writing import Writing, WrittenText
from pipeline.engines.local import LocalEngine
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.recipe import WriterTrainingRules
from pipeline.self_edits import sample_self_edits
from pipeline.types import Checkpoint, Document, ModelRef, SelfEdit, Split
from pipeline.writer_training import OuterLoop, train_writer

SEEDS = (74_001, 74_002, 74_003)
TRAINED_ON = 74_900  # the seed of the passages that the writer is trained on
SPA = ("key-concepts", "mind-map", "implications", "critical-thinking", "case-studies", "discussions", "teacher")
UNTRAINED, TRAINED, FIXED = "the untrained writer", "the trained writer", "the seven fixed prompts"
BASE = "the base as it is"


@dataclass
class Arm:
    """What came of a writer's self-edits over the seeds; `tokens`: trained on, by seed."""

    grades: Grades = field(default_factory=list)
    logprobs: Grades = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    texts: list[WrittenText] = field(default_factory=list)

    def take(self, grades: Grades, logprobs: Grades) -> None:
        """Adds what one seed's questions came to."""
        self.grades += grades
        self.logprobs += logprobs


@dataclass(frozen=True, kw_only=True)
class Author:
    """Who writes, in which styles, and how often in each."""

    writer: Checkpoint
    styles: tuple[str, ...]
    samples: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON file of passages with questions")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--documents", type=int, default=16, help="of a round")
    parser.add_argument("--samples", type=int, default=6, help="self-edits of a document in a round")
    parser.add_argument("--rate", type=float, default=seal.LEARNING_RATE, help="of the update on one self-edit")
    parser.add_argument("--seeds", type=int, default=len(SEEDS), choices=range(1, len(SEEDS) + 1))
    parser.add_argument("--out", type=Path, default=RESULTS / "real-writer-training.json")
    options = parser.parse_args()
    rules = WriterTrainingRules(
        rounds=options.rounds,
        documents=options.documents,
        samples=options.samples,
        inner_learning_rate=options.rate,
        inner_epochs=seal.EPOCHS,
        learning_rate=seal.LEARNING_RATE,
        epochs=5,
        batch_size=16,
        length_penalty=0.0,
    )
    setting = read_setting(options.model)
    drawn = runs_of(options.data, TRAINED_ON, -(-options.rounds * options.documents // PER_RUN), CHOOSING)
    documents = tuple(document for run in drawn for document in run)
    with tempfile.TemporaryDirectory(prefix="sealed-real-writer-") as folder:
        loop = _outer_loop(setting, rules, documents, Path(folder))
        figures = []
        for result in train_writer(loop, tuple(map(_asked, documents))):
            print(result.stats.sentence, flush=True)
            name = f"mean reward in ReST-EM round {result.stats.number}"
            figures.append(Measured(name=name, value=result.stats.reward, unit="reward", n=result.stats.self_edits))
        authors = {
            UNTRAINED: Author(writer=loop.production, styles=("implications",), samples=len(SPA)),
            TRAINED: Author(writer=result.writer, styles=("implications",), samples=len(SPA)),
            FIXED: Author(writer=loop.production, styles=SPA, samples=1),
        }
        arms: dict[str, Arm] = {}
        for seed in SEEDS[: options.seeds]:
            _one_seed(setting, run_of(options.data, seed), authors, arms, Path(folder) / str(seed))
            write_results("real.writer_training", [*figures, *_figures(arms)], options.out)


def _outer_loop(
    setting: Setting, rules: WriterTrainingRules, documents: Sequence[Document], scratch: Path
) -> OuterLoop:
    """From the base model, without a ledger; nothing is rehearsed beside the writer's self-edits."""
    edits = setting.recipe.self_edits.model_copy(update=AS_WRITTEN)
    recipe = setting.recipe.model_copy(update={"writer_training": rules, "self_edits": edits, "seed": TRAINED_ON})
    return OuterLoop(
        base=setting.base,
        recipe=recipe,
        production=Checkpoint(ModelRef(base=setting.base.identity.model)),
        scratch=scratch,
        guard=TrainingGuard(questions=held_out_keys(items_of(documents))),
    )


def _asked(document: Document) -> Document:
    """The document with its questions for validation: none is reported on."""
    items = tuple(replace(item, split=Split.VALIDATION) for item in document.eval_items)
    return replace(document, eval_items=items)


def _one_seed(
    setting: Setting, documents: tuple[Document, ...], authors: dict[str, Author], arms: dict[str, Arm], scratch: Path
) -> None:
    guard = TrainingGuard(questions=held_out_keys(items_of(documents)))
    written = {name: _written(setting, documents, author, guard) for name, author in authors.items()}
    exam = Exam(documents=documents, recipe=setting.recipe)
    arms.setdefault(BASE, Arm()).take(*examined(setting, exam, None))
    tokens_of = LocalEngine(setting.base).token_count
    room = {
        one.id: min(sum(tokens_of(edit.text) for edit in _about(one, edits)) for edits in written.values())
        for one in documents
    }
    for number, (name, edits) in enumerate(written.items()):
        kept = tuple(
            one for document in documents for one in within(tokens_of, _about(document, edits), room[document.id])
        )
        examples = tuple(example for edit in seal.titled(kept, documents) for example in edit.examples)
        adapter, arm = scratch / str(number), arms.setdefault(name, Arm())
        tokens = train(setting.base, Lesson(examples=examples, rules=seal.RULES), adapter, number)
        arm.tokens.append(tokens)
        arm.texts += [WrittenText(document=one.document, style=one.style, text=one.text) for one in kept]
        arm.take(*examined(setting, exam, adapter))
        print(f"{name}: {len(kept)} texts, {tokens} tokens trained, recall {mean(arm.grades):.3f}", flush=True)


def _written(
    setting: Setting, documents: Sequence[Document], author: Author, guard: TrainingGuard
) -> tuple[SelfEdit, ...]:
    """What an author writes about the documents, without what is no text and without what asks a question of theirs."""
    recipe = setting.recipe
    rules = recipe.self_edits.model_copy(
        update={**AS_WRITTEN, "styles": author.styles, "samples": author.samples, "temperature": 1.0}
    )
    edits = sample_self_edits(context_of(setting.base, recipe, rules, guard, author.writer), documents)
    return tuple(edit for edit in edits if edit.prompt and edit.examples)


def _about(document: Document, edits: Sequence[SelfEdit]) -> list[SelfEdit]:
    return [one for one in edits if one.document == document.id]


def within(count: Callable[[str], int], edits: Sequence[SelfEdit], room: int) -> Iterator[SelfEdit]:
    """The first texts, as many as have at most `room` tokens together, but at least one."""
    spent = 0
    for place, edit in enumerate(edits):
        spent += count(edit.text)
        if place and spent > room:
            return
        yield edit


def _figures(arms: dict[str, Arm]) -> Iterator[Measured]:
    for name, arm in arms.items():
        yield from exam_figures(name, arm.grades, arm.logprobs)
        if arm.texts:
            yield Measured(name=f"tokens trained: {name}", value=fmean(arm.tokens), unit="tokens")
            ratio = Writing.of(arm.texts).compression
            yield Measured(name=f"compression ratio: {name}", value=ratio, unit="x", n=len(arm.texts))
    for other in (UNTRAINED, FIXED):
        yield from _over(arms[TRAINED], arms[other], f"{TRAINED} over {other}")


def _over(arm: Arm, other: Arm, name: str) -> Iterator[Measured]:
    """Question by question, with 95 % intervals that know that questions share passages."""
    for what, own, theirs, unit, by in (
        ("recall", arm.grades, other.grades, "points", 100.0),
        ("log-probability of the answers", arm.logprobs, other.logprobs, "nats", 1.0),
    ):
        pairs = [[a - b for a, b in zip(x, y, strict=True)] for x, y in zip(own, theirs, strict=True)]
        low, high = interval(pairs)
        count = sum(map(len, pairs))
        yield Measured(
            name=f"{what}: {name}", value=by * mean(pairs), unit=unit, n=count, interval=(by * low, by * high)
        )


if __name__ == "__main__":
    main()
