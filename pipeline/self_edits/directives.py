"""Follows the settings that notes chose for themselves, within the recipe's bounds. Pure; knows no trainer.

A number out of bounds is clipped to the nearest one allowed, because nearer is more like what was chosen; a tool that
is not allowed is left out, because no other is like it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from pipeline.digests import seed_from
from pipeline.leakage import without_leaks
from pipeline.recipe import DirectiveRules, TrainingRules
from pipeline.self_edits.tool import apply_tools
from pipeline.types import Directives, Document, DocumentKind, Example, Followed, SelfEdit

NONE_LEGAL = "no note holds settings that can be read: all is as the recipe says"


@dataclass(frozen=True, kw_only=True)
class Directed:
    """What one set of a document's notes chose, and what is trained on: its examples and those that its tools made."""

    followed: Followed
    examples: tuple[Example, ...]

    @property
    def document(self) -> str:
        return self.followed.document


def direct(
    document: Document,
    edits: Sequence[SelfEdit],
    rules: DirectiveRules,
    *,
    seed: int,
    never: frozenset[str] = frozenset(),
    fits: Callable[[Example], bool] = lambda example: True,
) -> Directed:
    """Follows the first legal settings among `edits`, which are all of one document, where the rules enable it.

    A workflow is learned with `rules.workflow_tools` besides, a correction with `rules.correction_tools`. Of what the
    tools make, nothing asks what `never` (keys of `pipeline.leakage`) holds, all `fits` the model, and at most
    `rules.max_examples` are kept, drawn by the seed. Raises BadRecipe for a tool that nobody has.
    """
    written = tuple(example for edit in edits for example in edit.examples)
    settings, reasons = _settings(edits, rules)
    tools = tuple(dict.fromkeys((*_always(rules, document), *(settings.tools if settings else ()))))
    offered = apply_tools(tools, document, written, seed)
    made = [example for example in without_leaks(offered, never) if fits(example)]
    if len(made) > rules.max_examples:
        made = Random(seed_from("made", seed, document.id)).sample(made, rules.max_examples)
    if len(made) < len(offered):
        reasons = (*reasons, f"{len(made)} of {len(offered)} examples that the tools made are used")
    loss_on = settings.loss_on if settings else None
    return Directed(
        followed=Followed(document=document.id, settings=settings, tools=tools, reasons=reasons),
        examples=tuple(replace(example, loss_on=loss_on) for example in (*written, *made)),
    )


def directs(rules: DirectiveRules, documents: Iterable[Document]) -> bool:
    """Whether any of the documents is trained on otherwise than by its notes and the recipe alone."""
    return rules.enabled or any(_always(rules, document) for document in documents)


def _always(rules: DirectiveRules, document: Document) -> tuple[str, ...]:
    """The tools that a document of this kind is learned with, whatever its notes chose."""
    if document.kind is DocumentKind.WORKFLOW:
        return rules.workflow_tools
    return rules.correction_tools if document.kind is DocumentKind.CORRECTION else ()


def _settings(edits: Sequence[SelfEdit], rules: DirectiveRules) -> tuple[Directives | None, tuple[str, ...]]:
    if not rules.enabled:
        return None, ()
    chosen = next((edit.directives for edit in edits if edit.directives is not None), None)
    return within_bounds(chosen, rules) if chosen is not None else (None, (NONE_LEGAL,))


def within_bounds(chosen: Directives, rules: DirectiveRules) -> tuple[Directives, tuple[str, ...]]:
    """The settings as they may be followed, and a reason in words for each thing that was changed."""
    rate = min(max(chosen.learning_rate, rules.min_learning_rate), rules.max_learning_rate)
    epochs = min(max(chosen.epochs, rules.min_epochs), rules.max_epochs)
    reasons = []
    if rate != chosen.learning_rate:
        reasons.append(f"learning rate {chosen.learning_rate:g} is out of bounds: {rate:g}")
    if epochs != chosen.epochs:
        reasons.append(f"{chosen.epochs} epochs are out of bounds: {epochs}")
    reasons += [f"the recipe does not allow the tool {name}" for name in chosen.tools if name not in rules.tools]
    tools = tuple(name for name in chosen.tools if name in rules.tools)
    return replace(chosen, learning_rate=rate, epochs=epochs, tools=tools), tuple(reasons)


def directed_rules(training: TrainingRules, settings: Directives | None) -> TrainingRules:
    """The rules by which a candidate of these settings is trained; loss_on stands on its examples."""
    if settings is None:
        return training
    return training.model_copy(update={"learning_rate": settings.learning_rate, "epochs": settings.epochs})
