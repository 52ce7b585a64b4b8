"""Which older questions a newer release eval set has answered anew: their old answers are no longer what is right.

Pure.
"""

from collections.abc import Iterable, Mapping

from gates.evidence import Evidence, held_out_items
from pipeline.grading import normalise
from pipeline.types import DocumentKind, EvalItem


def superseded(evidence: Evidence) -> frozenset[str]:
    """Ids of older eval items (of standing suites and earlier releases) whose question has newer, different answers.

    Newer are the release eval sets of later production releases, and current's documents of kind `correction`, never
    current's passages: those must not talk the model out of what it knows.
    """
    corrections = [document for document in evidence.run if document.kind is DocumentKind.CORRECTION]
    return _superseded(evidence, list(held_out_items(corrections)))


def set_aside_this_run(evidence: Evidence) -> frozenset[str]:
    """Those of `superseded` that only current's corrections excuse: nobody has approved them yet."""
    return superseded(evidence) - _superseded(evidence, [])


def former_answers(evidence: Evidence) -> dict[str, frozenset[str]]:
    """For each question of current's corrections (normalised) what older eval items accepted, and they do not."""
    corrections = [document for document in evidence.run if document.kind is DocumentKind.CORRECTION]
    new = _answers(held_out_items(corrections))
    found: dict[str, frozenset[str]] = {}
    for eval_item in evidence.known:
        question = normalise(eval_item.question)
        if old := frozenset(map(normalise, eval_item.answers)) - new.get(
            question, frozenset(map(normalise, eval_item.answers))
        ):
            found[question] = found.get(question, frozenset()) | old
    return found


def _superseded(evidence: Evidence, current: list[EvalItem]) -> frozenset[str]:
    release_sets = sorted(evidence.earlier, key=lambda release_set: release_set.release)
    standing = [eval_item for suite in evidence.suites.retention for eval_item in suite.eval_items]
    truths = [standing, *[list(release_set.eval_items) for release_set in release_sets], current]
    old: set[str] = set()
    newest: dict[str, frozenset[str]] = {}
    for generation in reversed(truths):
        old.update(eval_item.id for eval_item in generation if _outdated(eval_item, newest))
        newest = {**_answers(generation), **newest}
    return frozenset(old)


def _outdated(eval_item: EvalItem, newest: Mapping[str, frozenset[str]]) -> bool:
    later = newest.get(normalise(eval_item.question))
    return later is not None and later != frozenset(map(normalise, eval_item.answers))


def _answers(eval_items: Iterable[EvalItem]) -> dict[str, frozenset[str]]:
    return {normalise(eval_item.question): frozenset(map(normalise, eval_item.answers)) for eval_item in eval_items}
