"""How often a loss of exactly the margin passes non-inferiority, by simulation with the gates' own comparison."""

from functools import cache

import numpy as np

from benchmarks.figures import Measured
from gates.evidence import Pair
from gates.judging import compare
from gates.statistics import tango_lower, wilson
from pipeline.types import Verdict

ALPHA, MARGIN = 0.05, 0.02
SIZES = (100, 200, 500, 1_000, 2_000)
CHANGED = (0.02, 0.05, 0.1, 0.2)
TRIALS, QUICK_TRIALS = 4_000, 500


def measured(quick: bool) -> list[Measured]:
    """One figure for each number of items and share of answers that change, then the largest of them."""
    trials = QUICK_TRIALS if quick else TRIALS
    cells = [_cell(n, changed, trials) for n in SIZES for changed in CHANGED]
    worst = max(cells, key=lambda cell: cell.value)
    limit = ALPHA + 1.96 * (ALPHA * (1 - ALPHA) / trials) ** 0.5
    goal = f"<= {ALPHA:g} and Monte-Carlo error"
    whole = Measured(
        name="a loss at the margin passes, at most",
        value=worst.value,
        unit="share",
        goal=goal,
        n=trials,
        interval=worst.interval,
        met=all(cell.value <= limit for cell in cells),
    )
    return [*cells, whole]


def _cell(n: int, changed: float, trials: int) -> Measured:
    lost, gained = (changed + MARGIN) / 2, (changed - MARGIN) / 2
    draws = np.random.default_rng([n, int(1_000 * changed)]).multinomial(n, [gained, lost, 1 - changed], size=trials)
    passed = sum(_passes(int(up), int(down), n) for up, down, _ in draws)
    low, high = wilson(passed, trials, 0.05)
    name = f"{n} items, {100 * changed:g} % change, {100 * MARGIN:g} points lost"
    return Measured(name=name, value=passed / trials, unit="share", n=trials, interval=(low, high))


@cache
def _passes(gained: int, lost: int, n: int) -> bool:
    """Whether such pairs pass; they are compared as a gate does where Tango's bound alone does not rule it out."""
    if tango_lower(gained, lost, n, ALPHA) < -MARGIN:
        return False
    scores = [(0.0, 1.0)] * gained + [(1.0, 0.0)] * lost + [(1.0, 1.0)] * (n - gained - lost)
    pairs = [Pair(suite="s", item=str(at), before=before, after=after) for at, (before, after) in enumerate(scores)]
    return compare(pairs, ALPHA, seed=n).not_worse(MARGIN, 1) is Verdict.PASS
