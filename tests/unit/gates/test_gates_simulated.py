"""The gates judged themselves, on seeded simulated models: the same model passes, planted damage does not."""

import numpy as np

from gates.judging import Pair, compare
from pipeline.types import Verdict

N, PER_SOURCE, MARGIN, RUNS = 400, 4, 0.05, 200


def _verdicts(damage: float, churn: float, seed: int) -> list[Verdict]:
    """Runs of N eval items in groups of 4. `churn` of the items flip either way; `damage` turns right ones wrong.

    Damage strikes whole sources half of the time, as forgetting does.
    """
    rng, verdicts = np.random.default_rng(seed), []
    for run in range(RUNS):
        before = (rng.random(N) < 0.95).astype(float)
        flipped = rng.random(N) < churn / 2
        after = np.where(flipped, np.where(rng.random(N) < 0.5, 1.0, 0.0), before)
        sources = np.repeat(rng.random(N // PER_SOURCE) < damage / 2, PER_SOURCE)
        items = rng.random(N) < damage / 2
        after = np.where(sources | items, 0.0, after)
        pairs = [
            Pair(suite="s", item=str(at), before=before[at], after=after[at], group=str(at // PER_SOURCE))
            for at in range(N)
        ]
        verdicts.append(compare(pairs, 0.05, run).not_worse(MARGIN, 350))
    return verdicts


def test_the_same_model_passes_nearly_always() -> None:
    assert _verdicts(damage=0.0, churn=0.02, seed=1).count(Verdict.PASS) >= 0.99 * RUNS


def test_planted_damage_of_twice_the_margin_does_not_pass() -> None:
    verdicts = _verdicts(damage=2 * MARGIN, churn=0.02, seed=2)
    assert verdicts.count(Verdict.PASS) <= 0.05 * RUNS
    assert verdicts.count(Verdict.FAIL) >= 0.95 * RUNS


def test_damage_of_exactly_the_margin_passes_no_more_often_than_alpha() -> None:
    true_loss = MARGIN / 0.95  # 95 % are right before, so this share of all items costs the margin
    assert _verdicts(damage=true_loss, churn=0.02, seed=3).count(Verdict.PASS) <= 0.09 * RUNS
