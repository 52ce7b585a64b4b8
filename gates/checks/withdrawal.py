"""Withdrawn documents are forgotten: the candidate answers no more of their questions than the base model does.

Every question of the withdrawn documents is asked, so there is no population to infer about. One document has few of
them, and a model that never saw them guesses some right. A small excess that may be chance is no FAIL as long as
production, which was trained on the documents, fails the same test; where it does not, the test has no power, and the
gate does not pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gates.judging import (
    WITHDRAWN,
    Against,
    Evidence,
    GateResult,
    PolicyRules,
    RunKind,
    Verdict,
    counted,
    held_out_items,
    points,
    result,
    tango_lower,
)
from pipeline.grading import normalise
from pipeline.types import Document

JUDGES = (RunKind.REBUILD,)

# A single document is still known where the candidate gained more than half of its questions, and at least so many.
_FEWEST_GAINED = 3
# The greatest excess that may be chance, as a share of production's own excess over the base model.
_CHANCE = 0.25
_NEXT = "See which other documents state it, withdraw them as well, and rebuild again"


@dataclass(frozen=True, kw_only=True)
class _Known:
    """Of n questions: how many the base model and another model answer right, and how many only one of them."""

    n: int
    base: float
    right: float
    gained: int
    lost: int

    @property
    def excess(self) -> float:
        return (self.right - self.base) / self.n

    @property
    def mostly(self) -> bool:
        return self.gained >= _FEWEST_GAINED and 2 * self.gained > self.n

    def surely_above(self, margin: float, alpha: float) -> bool:
        return tango_lower(self.gained, self.lost, self.n, alpha) > margin


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """PASS within the margin of the base model, or where the excess may be chance while production's surely is not.

    FAIL where it is surely above the margin, or above it at all over many questions, or knows most of one document.
    Else INCONCLUSIVE. Questions that a document which stays answers alike are not asked.
    """
    rules, documents, kept = policy.withdrawal, evidence.case.withdrawn, still_stated(evidence)
    if not documents:
        sentence = "production knows no withdrawn document: there is nothing to forget"
        return result("withdrawal", Verdict.INCONCLUSIVE, sentence)
    asked = {document.id: _ids(document) - kept for document in documents}
    if (unasked := _unasked(documents, asked, kept, policy)) is not None:
        return unasked
    seen, production = _scores(evidence)
    everything = sorted(frozenset[str]().union(*asked.values()))
    now, before = _known(seen, everything), _known(production, everything)
    still = [one.title for one in documents if asked[one.id] and _known(seen, asked[one.id]).mostly]
    verdict, reason = _decide(now, before, still, policy)
    sentence = (
        f"of {counted(now.n, 'question')} about {_documents(documents)} production answers {before.right:g}, "
        f"the candidate {now.right:g}, and the base model, which never saw them, {now.base:g}; "
        f"{points(now.excess)} points, margin {points(rules.margin, signed=False)}: {reason}"
    )
    return result("withdrawal", verdict, sentence, _figures(now, before, len(kept), policy.alpha))


def still_stated(evidence: Evidence) -> frozenset[str]:
    """Ids of withdrawn questions that a remaining document asks as well, with an accepted answer in common."""
    kept: dict[str, set[str]] = {}
    for eval_item in (eval_item for release_set in evidence.case.earlier for eval_item in release_set.eval_items):
        kept.setdefault(normalise(eval_item.question), set()).update(map(normalise, eval_item.answers))
    return frozenset(
        eval_item.id
        for eval_item in evidence.case.withdrawn_items
        if kept.get(normalise(eval_item.question), set()) & set(map(normalise, eval_item.answers))
    )


def _ids(document: Document) -> frozenset[str]:
    return frozenset(eval_item.id for eval_item in held_out_items([document]))


def _scores(evidence: Evidence) -> tuple[Mapping[str, tuple[float, float]], Mapping[str, tuple[float, float]]]:
    """By question: what base and candidate score, and what base and production score."""
    candidate = {pair.item: (pair.before, pair.after) for pair in evidence.pairs(WITHDRAWN, Against.BASE)}
    production = {pair.item: pair.before for pair in evidence.pairs(WITHDRAWN)}
    return candidate, {item: (base, production[item]) for item, (base, _) in candidate.items()}


def _known(scores: Mapping[str, tuple[float, float]], items: Iterable[str]) -> _Known:
    pairs = [scores[item] for item in items]
    return _Known(
        n=len(pairs),
        base=sum(base for base, _ in pairs),
        right=sum(right for _, right in pairs),
        gained=sum(right > base for base, right in pairs),
        lost=sum(right < base for base, right in pairs),
    )


def _decide(now: _Known, before: _Known, still: list[str], policy: PolicyRules) -> tuple[Verdict, str]:
    """The verdict with its reason. still: titles of the documents that are each mostly known."""
    rules, alpha = policy.withdrawal, policy.alpha
    if still:
        return Verdict.FAIL, f"it still knows “{still[0][:80]}”. {_NEXT}"
    if now.surely_above(rules.margin, alpha):
        return Verdict.FAIL, f"it still knows them. {_NEXT}"
    if now.excess <= rules.margin:
        return Verdict.PASS, "forgotten"
    if now.n >= rules.conclusive_items:
        return Verdict.FAIL, f"more than is answered of what was never seen. {_NEXT}"
    if before.surely_above(rules.margin, alpha) and now.excess <= _CHANCE * before.excess:
        return Verdict.PASS, "forgotten, as far as so few questions tell: the rest may be chance"
    return Verdict.INCONCLUSIVE, "too few questions to tell memory from chance. More of them, or a wider margin, would"


def _unasked(
    documents: tuple[Document, ...], asked: dict[str, frozenset[str]], kept: frozenset[str], policy: PolicyRules
) -> GateResult | None:
    """The result where there is too little to ask; a document without any test question is not examined."""
    bare = [document for document in documents if not _ids(document)]
    total, unexamined = sum(len(ids) for ids in asked.values()), policy.withdrawal.min_items == 0
    if total and (unexamined or (total >= policy.withdrawal.min_items and not bare)):
        return None
    if unexamined and not total:
        return result(
            "withdrawal", Verdict.PASS, f"{_documents(documents)} and nothing to ask: policy.withdrawal lets them go"
        )
    lacking = f", {counted(len(bare), 'document')} without any" if bare else ""
    others = f", {counted(len(kept), 'more question')} that documents which stay answer alike" if kept else ""
    return result(
        "withdrawal",
        Verdict.INCONCLUSIVE,
        f"{_documents(documents)} with {counted(total, 'test question')}{others}{lacking}: that they are forgotten "
        "cannot be shown. advanced.policy.withdrawal.min_items = 0 lets them go unexamined",
    )


def _documents(documents: tuple[Document, ...]) -> str:
    return counted(len(documents), "withdrawn document")


def _figures(now: _Known, before: _Known, kept: int, alpha: float) -> dict[str, float]:
    return {
        "items": now.n,
        "before": before.right / now.n,
        "after": now.right / now.n,
        "never_seen": now.base / now.n,
        "difference": now.excess,
        "lower_bound": tango_lower(now.gained, now.lost, now.n, alpha),
        "asked_of_others_too": kept,
    }
