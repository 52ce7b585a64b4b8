"""Samples several self-edits a document from a writer, with what an update on each alone would train on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pipeline.digests import seed_from
from pipeline.engines.engine import Engine
from pipeline.engines.limits import cut_off
from pipeline.leakage import TrainingGuard, leaked
from pipeline.recipe import Recipe, TrainingRules
from pipeline.self_edits import WriterContext, sample_self_edits, select, self_edit_budget
from pipeline.self_edits.edit_sets import common, edit_sets_of, training_data
from pipeline.types import Checkpoint, Document, Example, Role, SelfEdit
from pipeline.writer_training.exploration import explored
from pipeline.writer_training.rules import evaluation_recipe, sampling_rules


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sampled self-edit of a document: as written, and what an update on it alone trains on and by which rules.

    A document in several chunks has a text for each. `writing`: the examples by which a writer is trained to write so
    again. `usable`: whether anything passed the screening. `leaks`: whether it asks a held-out question. `tokens`: the
    length of its texts.
    """

    document: Document
    number: int
    self_edits: tuple[SelfEdit, ...]
    examples: tuple[Example, ...]
    rules: TrainingRules
    writing: tuple[Example, ...]
    usable: bool
    leaks: bool
    tokens: int


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """Who writes, how many self-edits a document, and the number that seeds it (of the round; 0: held-out documents).

    `explore`: where the writer chooses no legal directives, random ones take their place.
    """

    writer: Checkpoint
    samples: int
    number: int
    explore: bool = False


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Samples with an engine by a recipe; `guard`: what no example may ask; `fits`: which are short enough."""

    engine: Engine
    recipe: Recipe
    guard: TrainingGuard
    fits: Callable[[Example], bool] = lambda example: True

    def draw(self, documents: Sequence[Document], plan: SamplePlan) -> tuple[Sample, ...]:
        """`plan.samples` self-edits of each document; fewer where its title leaves no room for any.

        Raises BadRecipe as `write_self_edits` does.
        """
        seed = seed_from("practice", self.recipe.seed, plan.number)
        rules, writer = sampling_rules(self.recipe, plan.samples), plan.writer
        edits = sample_self_edits(WriterContext(engine=self.engine, rules=rules, writer=writer, seed=seed), documents)
        edits = explored(edits, self.recipe.directives, seed) if plan.explore else edits
        by_document: dict[str, list[SelfEdit]] = {}
        for edit in edits:
            by_document.setdefault(edit.document, []).append(edit)
        return tuple(
            self._sample(document, number, common(own), written)
            for document in documents
            for own in [by_document.get(document.id, [])]
            for number, written in edit_sets_of(own, 1).items()
        )

    def _sample(
        self, document: Document, number: int, own: Sequence[SelfEdit], written: tuple[SelfEdit, ...]
    ) -> Sample:
        text = select(document, own, self.guard).edits
        kept = select(document, written, self.guard, besides=text).edits
        recipe = evaluation_recipe(self.recipe)
        examples, rules = training_data(document, (*text, *kept), recipe, self.guard, self.fits)
        pairs = [Example(prompt=edit.prompt, completion=edit.text, role=Role.WRITING) for edit in written]
        return Sample(
            document=document,
            number=number,
            self_edits=written,
            examples=tuple(example for example in examples if self.fits(example)),
            rules=rules,
            # A text that was cut off at its token limit is learned without an end token.
            writing=tuple(
                replace(pair, ends=not self._cut_off(pair)) for pair in pairs if pair.completion and self.fits(pair)
            ),
            usable=bool(kept),
            leaks=any(leaked(pair, self.guard.questions) is not None for pair in pairs),
            tokens=sum(self.engine.token_count(edit.text) for edit in written),
        )

    def _cut_off(self, pair: Example) -> bool:
        limit = self_edit_budget(self.engine, pair.prompt, self.recipe.self_edits.max_new_tokens)
        return cut_off(self.engine, pair.completion, limit)
