"""Nothing that matters was forgotten: earlier releases' eval sets and the retention suites, pooled and one by one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from gates.corrections import outdated_this_run, superseded
from gates.judging import (
    Against,
    Case,
    Comparison,
    Evidence,
    GateResult,
    Pair,
    PolicyRules,
    Verdict,
    compare,
    counted,
    holm,
    listed,
    nothing_to_ask,
    points,
    result,
    shortage,
    worst,
)
from gates.per_document import DocumentLoss, losses
from pipeline.errors import MeasurementFailed
from pipeline.types import EvalItem

FEWEST_PER_RELEASE = 10


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """What is asked but for corrected questions: of each release, of the suites, and of these against the base.

    greedy: of the suites, where what is compared of them are shares of sampled answers; else the same as `suites`.
    """

    releases: dict[int, list[Pair]]
    suites: list[Pair]
    greedy: list[Pair]
    against_base: list[Pair]

    @property
    def everything(self) -> list[Pair]:
        return [*chain(*self.releases.values()), *self.suites]

    @property
    def answers(self) -> list[Pair]:
        """The greedy answers to all that is asked."""
        return [*chain(*self.releases.values()), *self.greedy]


@dataclass(frozen=True)
class _Releases:
    """The eval set of an earlier release, or of several with few items each, and its loss; p_loss is after Holm."""

    numbers: tuple[int, ...]
    name: str
    comparison: Comparison
    p_loss: float

    def is_down(self, margin: float, alpha: float) -> bool:
        """Whether it surely lost more than the margin."""
        return -self.comparison.difference > margin and self.p_loss < alpha

    def __str__(self) -> str:
        verb = "is" if len(self.numbers) == 1 else "are"
        return f"{self.name} {verb} down {points(self.comparison.difference)} points"

    @property
    def figures(self) -> dict[str, float]:
        return {**self.comparison.figures(f"{self.name}: "), f"{self.name}: p_loss": self.p_loss}


@dataclass(frozen=True, kw_only=True)
class _Found:
    """All that the gate compares. base: None without a retention suite. too_many: what corrections leave out.

    answers: greedy answers to all that `production` compares.
    """

    production: Comparison
    answers: Comparison
    base: Comparison | None
    releases: list[_Releases]
    too_many: str

    def greedy_down(self, policy: PolicyRules) -> bool:
        """Whether greedy answers surely lost more than their own margin, where sampled ones are compared."""
        rules = policy.retention
        lost = -self.answers.difference > rules.greedy_margin and self.answers.p_loss < policy.alpha
        return rules.samples > 0 and lost

    def down(self, policy: PolicyRules) -> list[_Releases]:
        """The releases that are surely down."""
        return [one for one in self.releases if one.is_down(policy.retention.single_release_margin, policy.alpha)]

    def verdict(self, policy: PolicyRules) -> Verdict:
        """The worst of its conditions."""
        rules = policy.retention
        return worst(
            [
                self.production.not_worse(rules.margin, rules.min_items),
                Verdict.FAIL if self.down(policy) or self.greedy_down(policy) else Verdict.PASS,
                self.base.not_worse(rules.base_margin, 1) if self.base else Verdict.INCONCLUSIVE,
                Verdict.INCONCLUSIVE if self.too_many else Verdict.PASS,
            ]
        )

    @property
    def figures(self) -> dict[str, float]:
        """By name. judged_alone: releases that are judged by themselves, not with their neighbours."""
        changed_sides = {"wrong_to_right": self.answers.gained, "right_to_wrong": self.answers.lost}
        named = {**self.production.figures(), **changed_sides, "greedy_difference": self.answers.difference}
        named |= {"judged_alone": sum(len(one.numbers) == 1 for one in self.releases)}
        named |= self.base.figures("base_") if self.base else {}
        for one in self.releases:
            named |= one.figures
        return named


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Three conditions, all of which must hold.

    Pooled eval items of earlier releases and `suites/retention` are not worse than production's (margin); no release is
    surely down by more than its own margin (McNemar, Holm), where those of fewer than 10 eval items are judged with
    their neighbours; and the retention suites are not worse than the base model's (a total budget: small losses must
    not add up). Where the policy wants samples, the suites' questions are compared by the share of sampled answers that
    are right, those of earlier releases by their greedy answers, and all greedy answers together may not surely fall by
    more than `greedy_margin`. Documents about whose subjects known answers were lost are named. Corrected questions are
    left out; where this run's corrections would leave out more than `max_corrected` of the eval items, the gate does
    not pass. Raises MeasurementFailed where other samples were drawn than the policy wants.
    """
    if evidence.case.samples != policy.retention.samples:
        raise MeasurementFailed("the answers were not sampled as the policy says. Run the gates again.")
    pairs, counts, rules = _pairs(evidence), _counts(evidence.case), policy.retention
    outdated = counts["corrected_this_run"]
    too_many = _too_many(outdated, len(pairs.everything) + outdated, rules.max_corrected)
    if not pairs.everything:
        return result("retention", Verdict.INCONCLUSIVE, too_many or nothing_to_ask("retention", rules.min_items))
    found = _compared(pairs, policy.alpha, evidence.seed("retention"), too_many)
    cost = losses(evidence, pairs.answers)
    sentence = _sentence(found, policy, counts) + _by_document(cost)
    own = sum(pair.difference for pair in pairs.suites) / len(pairs.suites) if pairs.suites else 0.0
    budget = {"base_budget": rules.base_margin, "suites_difference": own} if found.base else {}
    figures = {**found.figures, **budget, **counts, "lost_about_documents": sum(one.lost for one in cost)}
    return result("retention", found.verdict(policy), sentence, figures)


def _by_document(cost: Sequence[DocumentLoss]) -> str:
    """Names the documents about whose subjects known answers were lost; nothing where there are none."""
    return f"; lost about the subject of {listed([*map(str, cost)])}" if cost else ""


def _pairs(evidence: Evidence) -> _Pairs:
    case, corrected = evidence.case, superseded(evidence.case)
    compared = [suite.name for suite in case.sampled_suites or case.suites.retention]
    suites = evidence.pooled(compared, without=corrected)
    greedy = [suite.name for suite in case.suites.retention]
    return _Pairs(
        releases={one.release: evidence.pooled([one.suite], without=corrected) for one in case.asked_earlier},
        suites=suites,
        greedy=evidence.pooled(greedy, without=corrected) if case.sampled_suites else suites,
        against_base=evidence.pooled(compared, Against.BASE, corrected),
    )


def _counts(case: Case) -> dict[str, int]:
    """What is left out and what is drawn, as figures by name."""
    newest, asked = outdated_this_run(case), _asked(case)
    return {
        "corrected_left_out": len(superseded(case)),
        "corrected_this_run": sum(eval_item.id in newest for eval_item in asked),
        "drawn": len(asked),
        "drawn_of": len(case.known),
        "samples": case.samples,
    }


def _compared(pairs: _Pairs, alpha: float, seed: int, too_many: str) -> _Found:
    production = compare(pairs.everything, alpha, seed)
    return _Found(
        production=production,
        answers=production if pairs.greedy is pairs.suites else compare(pairs.answers, alpha, seed),
        base=compare(pairs.against_base, alpha, seed) if pairs.against_base else None,
        releases=_releases(pairs.releases, alpha, seed),
        too_many=too_many,
    )


def _sentence(found: _Found, policy: PolicyRules, counts: dict[str, int]) -> str:
    rules, asked, known = policy.retention, counts["drawn"], counts["drawn_of"]
    said = [*_measured(found, policy, counts["samples"]), *map(str, found.down(policy))]
    said += [found.too_many] if found.too_many else []
    said += [f"{asked:,} of {counted(known, 'eval item')} were drawn"] if asked < known else []
    if found.verdict(policy) is not Verdict.INCONCLUSIVE:
        return "; ".join(said)
    budgets = [(found.production, rules.margin), *([(found.base, rules.base_margin)] if found.base else [])]
    return "; ".join(said) + shortage(budgets, rules.min_items, policy.alpha)


def _asked(case: Case) -> tuple[EvalItem, ...]:
    """The eval items of the suites and of earlier releases, as far as they are asked."""
    return replace(case, earlier=case.asked_earlier).known


def _too_many(outdated: int, eval_items: int, allowed: float) -> str:
    """What is wrong when this run's corrections leave out too much, in words; else nothing."""
    if outdated <= allowed * eval_items:
        return ""
    return (
        f"this run's corrections would leave out {outdated:,} of {counted(eval_items, 'eval item')}, more than the "
        f"{points(allowed, signed=False)} % of advanced.policy.retention.max_corrected: let a run take fewer of them "
        "(documents.per_run), or raise it"
    )


def _releases(pairs: dict[int, list[Pair]], alpha: float, seed: int) -> list[_Releases]:
    """Each release with enough eval items, and the others in pools that have enough together."""
    pools = _pools({number: len(found) for number, found in sorted(pairs.items()) if found})
    compared = [compare([*chain(*(pairs[number] for number in pool))], alpha, seed) for pool in pools]
    adjusted = holm([comparison.p_loss for comparison in compared])
    names = (_name(pool, pairs.keys() - set(pool)) for pool in pools)
    return [_Releases(*one) for one in zip(pools, names, compared, adjusted, strict=True)]


def _pools(sizes: dict[int, int]) -> list[tuple[int, ...]]:
    """Releases that are judged together, oldest first. What is left over joins the last pool of small ones, if any."""
    alone = [(number,) for number, size in sizes.items() if size >= FEWEST_PER_RELEASE]
    pooled, left = list[tuple[int, ...]](), tuple[int, ...]()
    for number in (one for one, size in sizes.items() if size < FEWEST_PER_RELEASE):
        left = (*left, number)
        if sum(sizes[one] for one in left) >= FEWEST_PER_RELEASE:
            pooled, left = [*pooled, left], ()
    if left and pooled:
        pooled[-1] += left
    return sorted((*alone, *pooled))


def _name(pool: tuple[int, ...], others: Collection[int]) -> str:
    """Such as "releases 3 to 5"; where one between them is not among them, each by its number."""
    first, last = pool[0], pool[-1]
    if first == last:
        return f"release {first}"
    if any(first < other < last for other in others):
        return f"releases {', '.join(map(str, pool))}"
    return f"releases {first} to {last}"


def _measured(found: _Found, policy: PolicyRules, samples: int) -> list[str]:
    rules, base, answers = policy.retention, found.base, found.answers
    how = f", by {counted(samples, 'sampled answer')} to each question of the suites" if samples else ""
    greedy = f"greedy answers {points(answers.difference)} points, " if samples else ""
    beyond = f", more than the {points(rules.greedy_margin, signed=False)} allowed" if found.greedy_down(policy) else ""
    against_base = "no retention suite to compare with the base model: add suites/retention/*.jsonl"
    if base:
        against_base = (
            f"since the base model {points(base.difference)} (lower bound {points(base.lower)}), "
            f"budget {points(rules.base_margin, signed=False)}"
        )
    return [found.production.worded(rules.margin) + how, greedy + answers.flips + beyond, against_base]
