"""The test items of what releases learned, as far as they are kept."""

from collections.abc import Iterable

from flows.wiring import Workspace
from gates.evidence import ReleaseEvalSet, held_out_items
from pipeline.types import Document


def earlier_eval_sets(workspace: Workspace) -> tuple[ReleaseEvalSet, ...]:
    """The test items of what each release learned, as far as it is kept."""
    return eval_sets_of(workspace.ledger.documents.learned())


def eval_sets_of(learned: Iterable[tuple[int, tuple[Document, ...]]]) -> tuple[ReleaseEvalSet, ...]:
    """The test items of the documents `learned`, by release."""
    return tuple(ReleaseEvalSet(release=number, eval_items=held_out_items(documents)) for number, documents in learned)
