"""The ways of learning one run of passages: what each trains on, and by which rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import seal
from benchmarks.real.passages import items_of
from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.engines.base import BaseModel
from pipeline.engines.local import LocalEngine
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.prompts import passage
from pipeline.recipe import NO_DISTILLATION, Recipe, RehearsalRules, SelfEditRules, TrainingRules
from pipeline.self_edits import WriterContext, write_self_edits
from pipeline.training import TrainingJob, train_many
from pipeline.types import Checkpoint, Document, Dropped, Example, ModelRef, SelfEdit
from pipeline.updates import RehearsalContext, RehearsalPrompts, UpdateInput, rehearse

PASSAGE_EPOCHS, PASSAGE_BATCH, PASSAGE_RATE = 10, 1, 1e-3
# Self-edits as a method of its own writes them: with nothing of the recipe's beside them, and held to nothing.
AS_WRITTEN = {"quotes": 0, "verify": False, "entailment_margin": None}


@dataclass(frozen=True, kw_only=True)
class Room:
    """A base with its recipe, what it rehearses, and a run's documents. `cache` keeps what the base model said."""

    base: BaseModel
    recipe: Recipe
    prompts: RehearsalPrompts
    documents: tuple[Document, ...]
    cache: Path

    @property
    def guard(self) -> TrainingGuard:
        return TrainingGuard(questions=held_out_keys(items_of(self.documents)))


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What an arm trains on and how: its self-edits among it, and what of those was dropped."""

    examples: tuple[Example, ...]
    rules: TrainingRules
    rehearsal: RehearsalRules = NO_DISTILLATION
    edits: tuple[SelfEdit, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def passage_only(room: Room) -> Lesson:
    """Each passage as plain text, by SEAL's schedule."""
    rules = room.recipe.training.model_copy(
        update={"epochs": PASSAGE_EPOCHS, "batch_size": PASSAGE_BATCH, "learning_rate": PASSAGE_RATE}
    )
    return Lesson(examples=_passages(room.documents), rules=rules)


def implications(room: Room) -> Lesson:
    """SEAL's procedure: five sampled lists of implications, every line below its title, with the passages."""
    rules = room.recipe.self_edits.model_copy(
        update={**AS_WRITTEN, "styles": ("implications",), "samples": seal.SAMPLES, "temperature": 1.0}
    )
    written = write_self_edits(_context(room, rules), room.documents)
    titled = seal.titled([edit for edit in written.edits if edit.prompt], room.documents)
    examples = (*_passages(room.documents), *_examples(titled))
    return Lesson(examples=examples, rules=seal.RULES, edits=written.edits, dropped=written.dropped)


def default(room: Room) -> Lesson:
    """The recipe's own self-edits and rehearsal, as a run plans them."""
    written = write_self_edits(_context(room, room.recipe.self_edits), room.documents)
    context = RehearsalContext(
        engine=LocalEngine(room.base),
        recipe=room.recipe,
        reader=None,
        prompts=room.prompts,
        cache=room.cache,
        guard=room.guard,
    )
    rehearsed = rehearse(context, UpdateInput(edits=written.edits, documents=room.documents))
    return Lesson(
        examples=(*_examples(written.edits), *rehearsed),
        rules=room.recipe.training,
        rehearsal=room.recipe.rehearsal,
        edits=written.edits,
        dropped=written.dropped,
    )


ARMS: dict[str, Callable[[Room], Lesson]] = {
    "passage only": passage_only,
    "SEAL's implications": implications,
    "default": default,
}


def train(base: BaseModel, lesson: Lesson, out: Path, seed: int) -> int:
    """Trains a lesson from the base and saves the adapter; returns the tokens trained."""
    job = TrainingJob(examples=lesson.examples, rules=lesson.rules, seed=seed, rehearsal=lesson.rehearsal)
    (result,) = train_many(base, [job])
    made_from = Provenance(update="benchmark", recipe="benchmark", ledger="benchmark", parent_adapter=None)
    save_adapter(out, base.identity, base.model, result, lesson.rules, made_from)
    return result.tokens


def context_of(
    base: BaseModel, recipe: Recipe, rules: SelfEditRules, guard: TrainingGuard, writer: Checkpoint
) -> WriterContext:
    """What self-edits are written with, by `rules`."""
    return WriterContext(
        engine=LocalEngine(base),
        rules=rules,
        writer=writer,
        seed=recipe.seed,
        guard=guard,
        question_prompt=recipe.policy.question_prompt,
    )


def _context(room: Room, rules: SelfEditRules) -> WriterContext:
    writer = Checkpoint(ModelRef(base=room.base.identity.digest))
    return context_of(room.base, room.recipe, rules, room.guard, writer)


def _passages(documents: Sequence[Document]) -> tuple[Example, ...]:
    return tuple(Example(prompt="", completion=passage(one.title, one.body)) for one in documents)


def _examples(edits: Sequence[SelfEdit]) -> tuple[Example, ...]:
    return tuple(example for edit in edits for example in edit.examples)
