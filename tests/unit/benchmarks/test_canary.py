"""The simulation of canaries bets what the product bets, and ends as the product decides."""

from datetime import UTC, datetime

import numpy as np

from benchmarks.canary_rollouts import Scenario, Wealths, roll_out
from gates.canary import e_values, observe
from gates.canary_evidence import Block
from pipeline.recipe import CanaryPolicy
from pipeline.types import CanaryState, Outcome

POLICY = CanaryPolicy()
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def told(state: CanaryState, **grades: bool) -> CanaryState:
    return observe(state, Outcome(epoch=1, key="k", at=NOON, **grades), POLICY)


def test_arrays_of_rollouts_hold_what_the_product_finds_outcome_by_outcome() -> None:
    drawn, rollouts = np.random.default_rng(3), 4
    wealths, states = Wealths(rollouts), [CanaryState() for _ in range(rollouts)]
    for _ in range(120):
        paired = drawn.random(rollouts) < 0.4
        canary, stable = np.ones(rollouts), drawn.integers(1, 6, rollouts).astype(float)
        canary_failed, stable_failed = drawn.binomial(1, 0.3, rollouts), drawn.binomial(stable.astype(int), 0.2)
        difference = drawn.integers(-1, 2, rollouts).astype(float)
        wealths.settle_traffic(
            Block(canary, canary_failed.astype(float), stable, stable_failed.astype(float)), POLICY.margin, ~paired
        )
        wealths.settle_pairs(difference, POLICY.margin, paired)
        for at in range(rollouts):
            if paired[at]:
                states[at] = told(states[at], canary_failed=difference[at] > 0, stable_failed=difference[at] < 0)
                continue
            for number in range(int(stable[at])):
                states[at] = told(states[at], stable_failed=bool(number < stable_failed[at]))
            states[at] = told(states[at], canary_failed=bool(canary_failed[at]))
    for at, state in enumerate(states):
        assert np.isclose(np.exp(wealths.worse[at]), e_values(state).worse)
        assert np.isclose(wealths.within[at], state.within)


def test_a_release_that_breaks_much_is_rolled_back_and_one_that_is_as_good_gets_all_requests() -> None:
    worse = roll_out(Scenario(base=0.02, drop=0.2, pairs=0.5, horizon=2_000), POLICY, 50, seed=1)
    assert np.isfinite(worse.rolled_back).all()
    assert np.median(worse.rolled_back) < 100
    assert (worse.asked <= worse.rolled_back).all()
    good = roll_out(Scenario(base=0.02, drop=0.0, pairs=0.0, horizon=4_000), POLICY, 50, seed=2)
    assert np.isfinite(good.at_all).mean() > 0.9
