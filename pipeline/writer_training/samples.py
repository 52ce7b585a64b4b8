"""Samples several self-edits a document from a writer, with what an update on each alone would train on.

In place of missing directives random ones can be sampled: a writer that never chooses legal directives earns no reward
for any, and the best of the random ones give it a start.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from pipeline.digests import seed_from
from pipeline.engines import Engine, cut_off
from pipeline.leakage import TrainingGuard, leaked
from pipeline.recipe import DirectiveRules, Recipe, TrainingRules
from pipeline.self_edits import (
    WriterContext,
    common,
    edit_sets_of,
    sample_self_edits,
    select,
    self_edit_budget,
    training_data,
)
from pipeline.self_edits.styles import directives
from pipeline.types import Checkpoint, Directives, Document, Example, Role, SelfEdit
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


_RATES = tuple(float(f"{digit}e{power}") for power in range(-5, 0) for digit in (1, 2))
_EPOCHS = (1, 2, 4, 8, 16, 32, 64, 128)
_MOST_TOOLS = 3


def explored(edits: Sequence[SelfEdit], rules: DirectiveRules, seed: int) -> tuple[SelfEdit, ...]:
    """The self-edits, where those of style "directives" without legal directives hold random ones within the bounds."""
    if not rules.enabled:
        return tuple(edits)
    return tuple(_random(edit, rules, seed) if _lacks_directives(edit) else edit for edit in edits)


def _lacks_directives(edit: SelfEdit) -> bool:
    return edit.style == directives.NAME and bool(edit.prompt) and edit.directives is None


def _random(edit: SelfEdit, rules: DirectiveRules, seed: int) -> SelfEdit:
    chosen = draw(rules, Random(seed_from("explore", seed, edit.document, edit.sample)))
    return replace(edit, text=as_text(chosen), directives=chosen)


def draw(rules: DirectiveRules, rng: Random) -> Directives:
    """Directives of round numbers within the bounds, with up to three of the tools that are allowed."""
    rates = [rate for rate in _RATES if rules.min_learning_rate <= rate <= rules.max_learning_rate]
    epochs = [count for count in _EPOCHS if rules.min_epochs <= count <= rules.max_epochs]
    tools = [name for name in directives.TOOLS if name in rules.tools]
    return Directives(
        learning_rate=rng.choice(rates or [rules.max_learning_rate]),
        epochs=rng.choice(epochs or [rules.max_epochs]),
        loss_on=rng.choice(directives.LOSS_ON),
        tools=tuple(sorted(rng.sample(tools, rng.randint(0, min(_MOST_TOOLS, len(tools)))))),
    )


def as_text(chosen: Directives) -> str:
    """The directives as the JSON that the style asks for."""
    keys = ("learning_rate", "epochs", "loss_on", "tools")
    return json.dumps({key: getattr(chosen, key) for key in keys})
