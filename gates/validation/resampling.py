"""The same scores on another draw of items: what the gates would have said of other suites of the same kind. Pure.

A bootstrap of whole groups (Cameron, Gelbach, Miller, 2008), the same draw for all models, so that scores stay paired,
and for sampled answers to the same questions. It varies more than fresh items would: a share of verdicts that flip is
at most overstated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from gates.corrections import superseded
from gates.evidence import Evidence
from gates.suite import SAMPLED
from pipeline.digests import seed_from
from pipeline.types import ItemScore, Scores


def resampled(evidence: Evidence, seed: int) -> Evidence:
    """The evidence with each suite's groups drawn with replacement; an item that is drawn twice counts twice.

    Items that corrections changed are left out before, as the gates leave them out.
    """
    corrected = superseded(evidence.case)
    sides = (evidence.candidate_scores, evidence.production_scores, evidence.base_scores)
    candidate, production, base = (tuple(_drawn(one, corrected, seed) for one in side) for side in sides)
    return replace(evidence, candidate_scores=candidate, production_scores=production, base_scores=base)


def _drawn(scores: Scores, corrected: frozenset[str], seed: int) -> Scores:
    groups: dict[str, list[ItemScore]] = {}
    for item in scores.items:
        if item.item not in corrected:
            groups.setdefault(item.group or f"\0{item.item}", []).append(item)
    names = sorted(groups)
    if not names:
        return replace(scores, items=())
    chosen = Random(seed_from("resampling", f"{seed}", scores.suite.removeprefix(SAMPLED))).choices(names, k=len(names))
    return replace(scores, items=_copies(groups, chosen))


def _copies(groups: Mapping[str, Sequence[ItemScore]], chosen: Sequence[str]) -> tuple[ItemScore, ...]:
    return tuple(
        replace(item, item=f"{item.item}#{copy}", group=f"{item.group}#{copy}" if item.group else "")
        for copy, name in enumerate(chosen)
        for item in groups[name]
    )
