"""Decides after each graded answer whether a canary goes on, gets a larger share or is rolled back. Pure.

What the evidence is worth, and why one may look at any time: `gates.canary_evidence`. A good release is rolled back
with a probability of at most `false_rollback` over the whole rollout, all shares together. A release that is worse by
the margin or more gets past the share of index i with a probability of at most `risks[i]`.

Where several API keys are in use, all of this must hold without the grades of any one of them as well. The grades that
are left are an e-process of their own, since which ones are left out depends on who sent them and never on how they
went. So both bounds hold against one key that lies, as far as the others are honest; and the evidence that must be
reached is at most what it was, so they hold where nobody lies, too.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from gates.canary_evidence import (
    BETS,
    Block,
    Floats,
    bet_on_pair_within,
    bet_on_traffic_within,
    bets_on_worse_pairs,
    bets_on_worse_traffic,
    difference_rate,
    evidence_of,
    failure_rate,
)
from gates.wording import counted
from pipeline.recipe import CanaryPolicy
from pipeline.types import (
    ArmCounts,
    CanaryAction,
    CanaryDecision,
    CanaryState,
    Figure,
    Outcome,
    PairCounts,
    WithoutSource,
)

_LONE = "by the grades of one API key: no decision until another key or eval items agree, or a person decides"
_NOT_YET = "not yet without the grades of one API key: go on"
_GREATEST_LOG = 700.0  # e**700 is near the largest float


@dataclass(frozen=True, kw_only=True)
class EValues:
    """Evidence so far, as wealth that began at 1: that the canary is worse, and that it is within the margin."""

    worse: float
    within: float


def judge(
    state: CanaryState, outcomes: Iterable[Outcome], policy: CanaryPolicy
) -> tuple[CanaryState, CanaryDecision, int]:
    """Takes new outcomes in their order; returns the new state, the decision, and how many outcomes were taken.

    Stops at an alarm, as if each outcome had been looked at when it came. The share rises by one step at most:
    what comes next is to be seen at that share. outcomes: of the canary's epoch, each counting once.
    """
    taken = 0
    for outcome in () if is_alarm(state, policy) else outcomes:
        state, taken = observe(state, outcome, policy), taken + 1
        if is_alarm(state, policy):
            break
    decision = decide(state, policy)
    if decision.action is CanaryAction.PROMOTE:
        state = _at_next_share(state)
    return state, decision, taken


def promoted_by_hand(
    state: CanaryState, policy: CanaryPolicy, actor: str, reason: str
) -> tuple[CanaryState, CanaryDecision] | None:
    """The next share because a person says so, whatever was graded; None where the canary has all requests."""
    if state.step + 1 == len(policy.shares):
        return None
    share, found = policy.shares[state.step + 1], e_values(state)
    sentence = f"canary on to {_percent(share)}, as {actor} decided: {reason} ({_numbers(state, found)})"
    decision = CanaryDecision(
        action=CanaryAction.PROMOTE, share=share, sentence=sentence, figures=_figures(state, found)
    )
    return _at_next_share(state), decision


def observe(state: CanaryState, outcome: Outcome, policy: CanaryPolicy) -> CanaryState:
    """The state after one more outcome."""
    before = state.without
    if outcome.source and all(one.source != outcome.source for one in before):
        before = (*before, WithoutSource(source=outcome.source, state=replace(state, without=())))
    without = tuple(
        one if one.source == outcome.source else replace(one, state=_observed(one.state, outcome, policy))
        for one in before
    )
    return replace(_observed(state, outcome, policy), without=without)


def _observed(state: CanaryState, outcome: Outcome, policy: CanaryPolicy) -> CanaryState:
    if outcome.canary_failed is not None and outcome.stable_failed is not None:
        return _with_pair(state, outcome.canary_failed, outcome.stable_failed, policy.margin)
    if outcome.canary_failed is not None:
        state = replace(
            state,
            at_step=state.at_step + 1,
            canary=_one_more(state.canary, outcome.canary_failed),
            open_canary=_one_more(state.open_canary, outcome.canary_failed),
        )
    elif outcome.stable_failed is not None:
        state = replace(
            state,
            stable=_one_more(state.stable, outcome.stable_failed),
            open_stable=_one_more(state.open_stable, outcome.stable_failed),
        )
    both = state.open_canary.answers and state.open_stable.answers
    return _with_closed_block(state, policy.margin) if both else state


def e_values(state: CanaryState) -> EValues:
    """The evidence that the state holds. An open block counts once it closes."""
    return EValues(worse=_exp(float(evidence_of(_wealths(state)))), within=_exp(state.within))


def is_alarm(state: CanaryState, policy: CanaryPolicy) -> bool:
    """Whether the evidence that the canary is worse is enough for a rollback, also without any one source."""
    return all(e_values(view).worse >= 1 / policy.false_rollback for view in _views(state))


def is_lone_alarm(state: CanaryState, policy: CanaryPolicy) -> bool:
    """Whether one source alone says that the canary is worse.

    Of two that agree each has said enough by the time at which both together have said it twice.
    """
    return e_values(state).worse >= 1 / policy.false_rollback**2 and not is_alarm(state, policy)


def decide(state: CanaryState, policy: CanaryPolicy) -> CanaryDecision:
    """What to do in this state, with its numbers in one sentence."""
    found, share = e_values(state), policy.shares[state.step]
    if is_alarm(state, policy):
        action, words = CanaryAction.ROLL_BACK, f"worse (alarm at {1 / policy.false_rollback:.0f}): roll back"
    elif found.worse >= 1 / policy.false_rollback:
        lacking = _LONE if is_lone_alarm(state, policy) else _NOT_YET
        action, words = CanaryAction.GO_ON, f"worse (alarm at {1 / policy.false_rollback:.0f}), but {lacking}"
    elif state.step + 1 == len(policy.shares):
        action, words = CanaryAction.GO_ON, "no alarm: go on watching"
    elif missing := _missing_in_any(state, policy):
        action, words = CanaryAction.GO_ON, f"for a larger share, {missing}: go on"
    else:
        action, share = CanaryAction.PROMOTE, policy.shares[state.step + 1]
        words = f"within the margin of {100 * policy.margin:g} points: on to {_percent(share)}"
    sentence = f"canary at {_percent(policy.shares[state.step])}: {_numbers(state, found)}; {words}"
    return CanaryDecision(action=action, share=share, sentence=sentence, figures=_figures(state, found))


def _views(state: CanaryState) -> tuple[CanaryState, ...]:
    """All outcomes, and those without each source."""
    return (state, *(one.state for one in state.without))


def _at_next_share(state: CanaryState) -> CanaryState:
    up = replace(state, step=state.step + 1, at_step=0)
    return replace(up, without=tuple(replace(one, state=_at_next_share(one.state)) for one in state.without))


def _missing_in_any(state: CanaryState, policy: CanaryPolicy) -> str:
    """What the next share still needs, in words, of all outcomes or else without one source; empty: nothing."""
    whole, *without = (_missing(view, e_values(view), policy) for view in _views(state))
    lacking = next((f"without the grades of one API key, {one}" for one in without if one), "")
    return whole or lacking


def _missing(state: CanaryState, found: EValues, policy: CanaryPolicy) -> str:
    answers, needed = policy.min_answers[state.step] - state.at_step, 1 / policy.risks[state.step]
    wanted = [f"{counted(answers, 'graded answer')} more" if answers > 0 else ""]
    wanted += [f"e = {needed:g} for within the margin" if found.within < needed else ""]
    return " and ".join(one for one in wanted if one)


def _with_pair(state: CanaryState, canary_failed: bool, stable_failed: bool, margin: float) -> CanaryState:
    difference, before = int(canary_failed) - int(stable_failed), state.pairs
    rate = difference_rate(before.only_canary_failed + before.only_stable_failed, before.pairs)
    return replace(
        state,
        at_step=state.at_step + 1,
        pairs=PairCounts(
            pairs=before.pairs + 1,
            only_canary_failed=before.only_canary_failed + (difference > 0),
            only_stable_failed=before.only_stable_failed + (difference < 0),
        ),
        worse=_settled(state, bets_on_worse_pairs(difference)),
        within=state.within + float(bet_on_pair_within(difference, rate, margin)),
    )


def _with_closed_block(state: CanaryState, margin: float) -> CanaryState:
    canary, stable = state.open_canary, state.open_stable
    block = Block(canary.answers, canary.failures, stable.answers, stable.failures)
    rate = failure_rate(state.stable.failures - stable.failures, state.stable.answers - stable.answers)
    return replace(
        state,
        open_canary=ArmCounts(),
        open_stable=ArmCounts(),
        worse=_settled(state, bets_on_worse_traffic(block, rate)),
        within=state.within + float(bet_on_traffic_within(block, rate, margin)),
    )


def _one_more(arm: ArmCounts, failed: bool) -> ArmCounts:
    return ArmCounts(answers=arm.answers + 1, failures=arm.failures + failed)


def _wealths(state: CanaryState) -> Floats:
    return np.array(state.worse) if state.worse else np.zeros(len(BETS))


def _settled(state: CanaryState, factors: Floats) -> tuple[float, ...]:
    return tuple(float(one) for one in _wealths(state) + factors)


def _exp(log: float) -> float:
    return math.exp(min(log, _GREATEST_LOG))


def _numbers(state: CanaryState, found: EValues) -> str:
    pairs = state.pairs
    parts = [
        f"{state.canary.failures} of {state.canary.answers:,} graded answers failed, "
        f"{state.stable.failures} of {state.stable.answers:,} of the stable release",
        f"of {pairs.pairs:,} questions put to both, the canary alone failed {pairs.only_canary_failed} and the stable "
        f"release alone {pairs.only_stable_failed}"
        if pairs.pairs
        else "",
        f"e = {found.worse:.3g} for worse, {found.within:.3g} for within the margin",
    ]
    return "; ".join(part for part in parts if part)


def _figures(state: CanaryState, found: EValues) -> tuple[Figure, ...]:
    values = {
        "canary_answers": state.canary.answers,
        "canary_failures": state.canary.failures,
        "stable_answers": state.stable.answers,
        "stable_failures": state.stable.failures,
        "pairs": state.pairs.pairs,
        "only_canary_failed": state.pairs.only_canary_failed,
        "only_stable_failed": state.pairs.only_stable_failed,
        "answers_at_share": state.at_step,
        "e_worse": found.worse,
        "e_within_margin": found.within,
    }
    if state.without:
        found_without = [e_values(one.state) for one in state.without]
        values["e_worse_without_one_key"] = min(one.worse for one in found_without)
        values["e_within_margin_without_one_key"] = min(one.within for one in found_without)
    return tuple(Figure(name=name, value=float(value)) for name, value in values.items())


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
