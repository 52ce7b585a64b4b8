"""One run as every arm of a benchmark meets it: a base, its recipe and suites, documents, and their test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks.learning.writer import Writer
from gates.evidence import held_out_items
from gates.suite import Suites, held_out_questions, held_out_subjects, read_suites, refusals
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel
from pipeline.engines.local import LocalEngine
from pipeline.leakage import TrainingGuard
from pipeline.recipe import Recipe
from pipeline.self_edits import WriterContext, write_self_edits
from pipeline.training import TrainingJob
from pipeline.types import Checkpoint, Document, EvalItem, Example, ModelRef, SelfEdit, UpdatePlan
from pipeline.updates import (
    RehearsalContext,
    RehearsalPrompts,
    UpdateInput,
    plan_update,
    read_rehearsal_prompts,
    rehearse,
)

BROUGHT = "sealed"  # the folder of a model that holds its recipe, rehearsal prompts and suites


@dataclass(frozen=True, eq=False, kw_only=True)
class Classroom:
    """A base before the run's documents. `cache` keeps what the base model said.

    `trained`: a writer that practised, for the arms that write by it.
    """

    base: BaseModel
    recipe: Recipe
    suites: Suites
    rehearsal_prompts: RehearsalPrompts
    documents: tuple[Document, ...]
    cache: Path
    trained: Writer | None = None
    notes: dict[tuple[str, ...], tuple[SelfEdit, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, base: BaseModel, documents: Sequence[Document], *, seed: int, cache: Path, trained: Writer | None = None
    ) -> "Classroom":
        """With the recipe, rehearsal prompts and suites that the model brings; without, the default recipe and none."""
        brought = base.path / BROUGHT
        recipe = Recipe.read(brought / "recipe.toml") if (brought / "recipe.toml").is_file() else Recipe()
        return cls(
            base=base,
            recipe=recipe.model_copy(update={"seed": seed}),
            suites=read_suites(brought / "suites"),
            rehearsal_prompts=read_rehearsal_prompts(brought / "rehearsal_prompts"),
            documents=tuple(documents),
            cache=cache,
            trained=trained,
        )

    @property
    def engine(self) -> LocalEngine:
        return LocalEngine(self.base)

    @cached_property
    def test(self) -> tuple[EvalItem, ...]:
        return held_out_items(self.documents)

    @cached_property
    def base_knowledge(self) -> tuple[EvalItem, ...]:
        """The standing retention questions, of which nothing is rehearsed."""
        return tuple(eval_item for suite in self.suites.retention for eval_item in suite.eval_items)

    @cached_property
    def guard(self) -> TrainingGuard:
        return TrainingGuard(
            questions=held_out_questions(self.test, self.suites),
            subjects=held_out_subjects(self.suites),
            refusals=refusals(self.suites),
        )

    @cached_property
    def live(self) -> ModelRef:
        return ModelRef(base=self.base.identity.model)

    def written(
        self, styles: tuple[str, ...], samples: int, *, passage: bool = True, by: Writer | None = None
    ) -> tuple[SelfEdit, ...]:
        """Notes in these styles `by` a writer (None: the base model), each set written once."""
        writer = by or Writer(model=self.live, adapter=None)
        key = (*styles, str(samples), str(passage), str(writer.model.adapter))
        if key not in self.notes:
            rules = self.recipe.self_edits.model_copy(
                update={"styles": styles, "samples": samples, "passage": passage, "edit_sets": 1}
            )
            context = WriterContext(
                engine=self.engine,
                rules=rules,
                writer=Checkpoint(writer.model, writer.adapter),
                seed=self.recipe.seed,
                guard=self.guard,
            )
            self.notes[key] = write_self_edits(context, self.documents).edits
        return self.notes[key]

    def plan(self, edits: Sequence[SelfEdit]) -> UpdatePlan:
        """What the nightly flow trains on: the notes, what tools make of them, and what the recipe rehearses."""
        context = RehearsalContext(
            engine=self.engine,
            recipe=self.recipe,
            reader=None,
            prompts=self.rehearsal_prompts,
            cache=self.cache,
            guard=self.guard,
        )
        learned = UpdateInput(edits=edits, documents=self.documents)
        return plan_update(self.live, learned, rehearse(context, learned), self.recipe, guard=self.guard)

    def group(self, examples: Sequence[Example], **changes: object) -> TrainingJob:
        """An adapter to train on the examples by the recipe's rules, but for the `changes`; without rehearsal."""
        rules = self.recipe.training.model_copy(update=changes)
        once = tuple({example.id: example for example in examples}.values())
        return TrainingJob(examples=once, rules=rules, seed=seed_from("lora", self.recipe.seed))
