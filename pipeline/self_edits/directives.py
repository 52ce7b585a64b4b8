"""Follows the training settings that self-edits choose (SEAL, section 3.2), within the recipe's bounds. Pure.

A number out of bounds is clipped to the nearest bound; a tool that is not allowed is left out.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from pipeline.digests import seed_from
from pipeline.leakage import UNGUARDED, TrainingGuard, without_leaks
from pipeline.recipe import DirectiveRules, TrainingRules
from pipeline.self_edits.tool import apply_tools, tool
from pipeline.types import Directives, Document, DocumentKind, Example, Followed, SelfEdit

NONE_LEGAL = "no self-edit holds settings that can be read: the recipe's are used"
ONE_SCHEDULE = "learning rate and epochs are the recipe's: a run has one schedule"


@dataclass(frozen=True, kw_only=True)
class Directed:
    """What one document's self-edits chose, and what is trained on: their examples and those that tools made."""

    followed: Followed
    examples: tuple[Example, ...]

    @property
    def document(self) -> str:
        return self.followed.document


def follow_directives(
    documents: Sequence[Document],
    edits: Iterable[SelfEdit],
    rules: DirectiveRules,
    *,
    seed: int,
    guard: TrainingGuard,
    fits: Callable[[Example], bool],
) -> tuple[Directed, ...]:
    """What a run trains on of each document; empty where the recipe has neither directives nor tools for any.

    A run has one schedule (ADR 8): tools and loss are followed by document, learning rate and epochs are the recipe's.
    Raises BadRecipe for an unknown tool of the recipe, whether any document uses it or not.
    """
    if not directs(rules, documents):
        return ()
    for name in (*rules.tools, *rules.workflow_tools, *rules.correction_tools):
        tool(name)
    own: dict[str, list[SelfEdit]] = {}
    for edit in edits:
        own.setdefault(edit.document, []).append(edit)
    made = [direct(one, own.get(one.id, []), rules, seed=seed, guard=guard, fits=fits) for one in documents]
    return tuple(_on_one_schedule(one) for one in made)


def _on_one_schedule(directed: Directed) -> Directed:
    followed = directed.followed
    if followed.settings is None:
        return directed
    return replace(directed, followed=replace(followed, reasons=(*followed.reasons, ONE_SCHEDULE)))


def direct(
    document: Document,
    edits: Sequence[SelfEdit],
    rules: DirectiveRules,
    *,
    seed: int,
    guard: TrainingGuard = UNGUARDED,
    fits: Callable[[Example], bool] = lambda example: True,
) -> Directed:
    """Follows the first legal settings among `edits`, which are all about `document`, where the rules enable it.

    A workflow is also learned with `rules.workflow_tools`, a correction with `rules.correction_tools`. Of the examples
    that tools make, those are kept that ask nothing held out and `fits` accepts: at most `rules.max_examples`, drawn by
    the seed. Raises BadRecipe for an unknown tool.
    """
    written = tuple(example for edit in edits for example in edit.examples)
    settings, reasons = _settings(edits, rules)
    tools = tuple(dict.fromkeys((*_always(rules, document), *(settings.tools if settings else ()))))
    offered = apply_tools(tools, document, written, seed)
    made = [example for example in without_leaks(offered, guard.questions) if fits(example)]
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
    """Whether directives are enabled, or tools are always applied to any of the documents."""
    return rules.enabled or any(_always(rules, document) for document in documents)


def _always(rules: DirectiveRules, document: Document) -> tuple[str, ...]:
    """The tools that a document of this kind is learned with, whatever its self-edits chose."""
    if document.kind is DocumentKind.WORKFLOW:
        return rules.workflow_tools
    return rules.correction_tools if document.kind is DocumentKind.CORRECTION else ()


def _settings(edits: Sequence[SelfEdit], rules: DirectiveRules) -> tuple[Directives | None, tuple[str, ...]]:
    if not rules.enabled:
        return None, ()
    chosen = next((edit.directives for edit in edits if edit.directives is not None), None)
    return within_bounds(chosen, rules) if chosen is not None else (None, (NONE_LEGAL,))


def within_bounds(chosen: Directives, rules: DirectiveRules) -> tuple[Directives, tuple[str, ...]]:
    """The settings within the rules' bounds, and a sentence for each change."""
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
    """The training rules with the learning rate and epochs that were chosen; the choice of loss is on the examples."""
    if settings is None:
        return training
    return training.model_copy(update={"learning_rate": settings.learning_rate, "epochs": settings.epochs})
