"""Follows what the kept notes chose for their own training, where the recipe lets them."""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.run_context import RunContext
from pipeline.types import Document, SelfEdit

if TYPE_CHECKING:
    from pipeline.self_edits.directives import Directed

ONE_SCHEDULE = "learning rate and epochs are the recipe's: a run has one schedule"
log = logging.getLogger("sealed")


def follow_directives(
    context: RunContext, taught: tuple[Document, ...], edits: tuple[SelfEdit, ...], never: frozenset[str]
) -> "tuple[Directed, ...]":
    """What is trained on of each document as its notes and its kind have it; nothing where the recipe lets neither.

    The one adapter has one schedule: tools and loss are followed document by document, learning rate and
    epochs are the recipe's.
    """
    from pipeline.engines.limits import fits_context
    from pipeline.self_edits.directives import direct, directs
    from pipeline.self_edits.tool import tool

    rules = context.recipe.directives
    if not directs(rules, taught):
        return ()
    for name in (*rules.tools, *rules.workflow_tools, *rules.correction_tools):
        tool(name)
    fits = fits_context(context.workspace.engine, context.recipe.training)
    made = tuple(
        direct(
            document,
            [edit for edit in edits if edit.document == document.id],
            rules,
            seed=context.recipe.seed,
            never=never,
            fits=fits,
        )
        for document in taught
    )
    made = tuple(map(_on_one_schedule, made))
    for one in made:
        for reason in one.followed.reasons:
            log.info("%s: directives: %s", one.followed.document[:12], reason)
    return made


def _on_one_schedule(directed: "Directed") -> "Directed":
    """With a word on the settings that a run cannot follow (ADR 8)."""
    followed = directed.followed
    if followed.settings is None:
        return directed
    return replace(directed, followed=replace(followed, reasons=(*followed.reasons, ONE_SCHEDULE)))
