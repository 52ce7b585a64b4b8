"""The shares that people ask for first: what was known before and after, by kind of knowledge. Decides nothing."""

from collections.abc import Iterable

from gates.corrections import superseded
from gates.evidence import NEW, WITHDRAWN, WRITING, Evidence, Pair
from gates.suite import Suite
from pipeline.errors import MeasurementFailed
from pipeline.types import Figure


def recall(evidence: Evidence) -> tuple[Figure, ...]:
    """`recall`, `writing`, `withdrawn`, `earlier_releases`, `base_knowledge`, `skills`, `safety`: shares in [0, 1].

    Each `_before`, by the production model, and `_after`, by the candidate. A kind of which nothing was measured on
    both is left out.
    """
    run = [NEW] if evidence.new_items else []
    gone = [WITHDRAWN] if evidence.withdrawn_items else []
    corrected = superseded(evidence)
    return (
        *_shares("recall", evidence, run),
        *_shares("writing", evidence, [WRITING]),
        *_shares("withdrawn", evidence, gone),
        *_shares("earlier_releases", evidence, [release_set.suite for release_set in evidence.earlier], corrected),
        *_shares("base_knowledge", evidence, _names(evidence.suites.retention), corrected),
        *_shares("skills", evidence, _names(evidence.suites.regression)),
        *_shares("safety", evidence, _names(evidence.suites.safety)),
    )


def _shares(
    name: str, evidence: Evidence, suites: Iterable[str], left_out: frozenset[str] = frozenset()
) -> tuple[Figure, ...]:
    try:
        found = [pair for suite in suites for pair in evidence.pairs(suite)]
    except MeasurementFailed:
        return ()
    pairs: list[Pair] = [pair for pair in found if pair.item not in left_out]
    if not pairs:
        return ()
    before = sum(pair.before for pair in pairs) / len(pairs)
    after = sum(pair.after for pair in pairs) / len(pairs)
    return Figure(name=f"{name}_before", value=before), Figure(name=f"{name}_after", value=after)


def _names(suites: Iterable[Suite]) -> list[str]:
    return [suite.name for suite in suites]
