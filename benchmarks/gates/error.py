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
# Of sampled answers: their count, the retention gate's margin, and how often the base gives an answer (Beta; 85 %).
SAMPLES, SHARE_MARGIN, KNOWN = 8, 0.05, (3.4, 0.6)
SHARE_SIZES = (60, 150, 400)
WORDINGS = 2  # of a question, in a group: they share what is known and lost


def measured(quick: bool) -> list[Measured]:
    """One figure for each number of items and share of answers that change, then the largest of them.

    Likewise for shares of sampled answers, where the loss is even, or is that of few answers as a whole.
    """
    trials = QUICK_TRIALS if quick else TRIALS
    greedy = [_cell(n, changed, trials) for n in SIZES for changed in CHANGED]
    sizes = [(n, 1) for n in SHARE_SIZES] + [(SHARE_SIZES[-1], WORDINGS)]
    shares = [_sampled_cell(n, per_group, even=even, trials=trials) for n, per_group in sizes for even in (True, False)]
    return [
        *greedy,
        _worst("a loss at the margin passes, at most", greedy, trials),
        *shares,
        _worst("sampled answers: a loss at the margin passes, at most", shares, trials),
    ]


def _worst(name: str, cells: list[Measured], trials: int) -> Measured:
    worst = max(cells, key=lambda cell: cell.value)
    limit = ALPHA + 1.96 * (ALPHA * (1 - ALPHA) / trials) ** 0.5
    goal = f"<= {ALPHA:g} and Monte-Carlo error"
    return Measured(
        name=name,
        value=worst.value,
        unit="share",
        goal=goal,
        n=trials,
        interval=worst.interval,
        met=all(cell.value <= limit for cell in cells),
    )


def _cell(n: int, changed: float, trials: int) -> Measured:
    lost, gained = (changed + MARGIN) / 2, (changed - MARGIN) / 2
    draws = np.random.default_rng([n, int(1_000 * changed)]).multinomial(n, [gained, lost, 1 - changed], size=trials)
    passed = sum(_passes(int(up), int(down), n) for up, down, _ in draws)
    return _passing(f"{n} items, {100 * changed:g} % change, {100 * MARGIN:g} points lost", passed, trials)


def _sampled_cell(n: int, per_group: int, *, even: bool, trials: int) -> Measured:
    passed = sum(_passes_sampled(n, per_group, even=even, seed=trial) for trial in range(trials))
    name = (
        f"{n} items{'' if per_group == 1 else f' in groups of {per_group}'}, {SAMPLES} samples, "
        f"{100 * SHARE_MARGIN:g} points lost, {'a little of each' if even else 'all of some'}"
    )
    return _passing(name, passed, trials)


def _passing(name: str, passed: int, trials: int) -> Measured:
    return Measured(name=name, value=passed / trials, unit="share", n=trials, interval=wilson(passed, trials, 0.05))


def _passes_sampled(n: int, per_group: int, *, even: bool, seed: int) -> bool:
    """Whether one draw of items and of samples passes. In the mean over all draws the margin is lost."""
    random, groups = np.random.default_rng([n, per_group, even, seed]), n // per_group
    known = random.beta(*KNOWN, size=groups)
    lost = SHARE_MARGIN * sum(KNOWN) / KNOWN[0]  # of an answer's share; or the share of the answers
    after = known * (1 - lost) if even else known * (random.random(groups) >= lost)
    shares = (random.binomial(SAMPLES, np.repeat(chance, per_group)) / SAMPLES for chance in (known, after))
    pairs = [
        Pair(suite="s", item=str(at), before=float(one), after=float(other), group=str(at // per_group))
        for at, (one, other) in enumerate(zip(*shares, strict=True))
    ]
    return compare(pairs, ALPHA, seed=seed).not_worse(SHARE_MARGIN, 1) is Verdict.PASS


@cache
def _passes(gained: int, lost: int, n: int) -> bool:
    """Whether such pairs pass; they are compared as a gate does where Tango's bound alone does not rule it out."""
    if tango_lower(gained, lost, n, ALPHA) < -MARGIN:
        return False
    scores = [(0.0, 1.0)] * gained + [(1.0, 0.0)] * lost + [(1.0, 1.0)] * (n - gained - lost)
    pairs = [Pair(suite="s", item=str(at), before=before, after=after) for at, (before, after) in enumerate(scores)]
    return compare(pairs, ALPHA, seed=n).not_worse(MARGIN, 1) is Verdict.PASS
