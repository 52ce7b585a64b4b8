"""The shares that people ask for first: answered right before and after, by kind of knowledge. Decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from gates.corrections import superseded
from gates.evidence import RUN, WITHDRAWN, WRITER, Evidence
from gates.suite import Suite
from pipeline.errors import MeasurementFailed
from pipeline.types import Figure

BY_SAMPLES = "sampled"  # the key of what is answered by samples


@dataclass(frozen=True, kw_only=True)
class Share:
    """One kind of knowledge: the shares in [0, 1] that production (before) and candidate (after) answer right, of n.

    key: as in the report's figures. label: as people read it.
    """

    key: str
    label: str
    n: int
    before: float
    after: float

    @property
    def sampled(self) -> bool:
        """Whether each item's score is itself a share, of sampled answers."""
        return self.key == BY_SAMPLES


def shares(evidence: Evidence) -> tuple[Share, ...]:
    """Every kind of which anything was measured on both models. Corrected questions of earlier items are left out."""
    suites, corrected = evidence.case.suites, superseded(evidence.case)
    kinds = (
        _share(evidence, "recall", "this run's questions", [RUN]),
        _share(evidence, "writing", "writer improvement", [WRITER]),
        _share(evidence, "withdrawn", "withdrawn documents", [WITHDRAWN]),
        _share(
            evidence, "earlier_releases", "earlier releases", [s.suite for s in evidence.case.asked_earlier], corrected
        ),
        _share(evidence, "base_knowledge", "retention suites", _names(suites.retention), corrected),
        _share(evidence, BY_SAMPLES, "retention suites by samples", _names(evidence.case.sampled_suites), corrected),
        _share(evidence, "skills", "benchmarks", _names(suites.regression)),
        _share(evidence, "safety", "safety", _names(suites.safety)),
    )
    return tuple(share for share in kinds if share is not None)


def figures(found: Iterable[Share]) -> tuple[Figure, ...]:
    """`KEY_before` and `KEY_after` of each share, as a report records them."""
    return tuple(
        Figure(name=f"{share.key}_{when}", value=value)
        for share in found
        for when, value in (("before", share.before), ("after", share.after))
    )


def _share(
    evidence: Evidence, key: str, label: str, suites: Iterable[str], left_out: frozenset[str] = frozenset()
) -> Share | None:
    try:
        pairs = evidence.pooled(suites, without=left_out)
    except MeasurementFailed:
        return None
    if not pairs:
        return None
    before, after = (sum(scores) / len(pairs) for scores in ((p.before for p in pairs), (p.after for p in pairs)))
    return Share(key=key, label=label, n=len(pairs), before=before, after=after)


def _names(suites: Iterable[Suite]) -> list[str]:
    return [suite.name for suite in suites]
