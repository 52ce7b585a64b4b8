"""The gates' statistics, pure: counts and scores in, bounds and p-values out. Knows no suite and no policy."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, t

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.intp]
BOOTSTRAP_ROUNDS = 2000
_BISECTIONS = 60


def z_of(alpha: float) -> float:
    """The standard normal quantile that a share `alpha` exceeds."""
    return NormalDist().inv_cdf(1.0 - alpha)


def tango_lower(gained: int, lost: int, n: int, alpha: float) -> float:
    """One-sided lower bound (level 1 - alpha) of the difference of two paired proportions.

    gained, lost: pairs that went wrong→right and right→wrong, of n pairs in all; the difference is (gained-lost)/n.
    Inverts the score test (Tango, Statistics in Medicine 17, 1998, 891-908), by bisection.
    Raises ValueError on impossible counts.
    """
    if n <= 0 or gained < 0 or lost < 0 or gained + lost > n:
        raise ValueError(f"impossible counts: {gained} gained and {lost} lost of {n} pairs")
    target, low, high = z_of(alpha), -1.0, (gained - lost) / n
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _tango_score(middle, gained, lost, n) > target:
            low = middle
        else:
            high = middle
    return low


def tango_upper(gained: int, lost: int, n: int, alpha: float) -> float:
    """One-sided upper bound of the same difference: the mirror image of the lower one."""
    return -tango_lower(lost, gained, n, alpha)


def _tango_score(delta: float, gained: int, lost: int, n: int) -> float:
    """Tango's Z at `delta`, with the maximum-likelihood share of lost pairs under that difference."""
    b = -gained - lost + (2 * n - gained + lost) * delta
    c = -lost * delta * (1 - delta)
    share = (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * share + delta * (1 - delta))
    distance = gained - lost - n * delta
    if variance <= 0:
        return 0.0 if abs(distance) < 1e-12 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


def mcnemar(gained: int, lost: int) -> float:
    """Exact one-sided McNemar p-value for "more was gained than lost": P(X >= gained), X ~ Binomial(both, 1/2)."""
    both = gained + lost
    return float(binomtest(gained, both, alternative="greater").pvalue) if both else 1.0


def clustered_bounds(
    differences: Sequence[float], groups: Sequence[str], alpha: float, seed: int
) -> tuple[float, float]:
    """One-sided lower and upper bound of the mean difference where items of one group are correlated.

    differences: per item, in [-1, 1]; groups: per item, "" for an item that stands alone. Whole groups are resampled
    (Cameron, Gelbach, Miller, 2008); the distance to the mean is widened by Student's t and sqrt(G/(G-1)), because a
    bootstrap of few groups is too narrow. A single group bounds nothing: -1 and 1. The same seed
    gives the same bounds. Raises ValueError when empty.
    """
    if not differences:
        raise ValueError("no differences to bootstrap")
    sums, sizes = _by_group(differences, groups)
    count = len(sums)
    if count == 1:
        return -1.0, 1.0
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=BOOTSTRAP_ROUNDS)
    mean = float(sums.sum() / sizes.sum())
    low, high = np.quantile((draws @ sums) / (draws @ sizes), [alpha, 1 - alpha])
    widening = float(t.ppf(1 - alpha, count - 1)) / z_of(alpha) * math.sqrt(count / (count - 1))
    return max(-1.0, mean - (mean - float(low)) * widening), min(1.0, mean + (float(high) - mean) * widening)


def skewed_bounds(differences: Sequence[float], groups: Sequence[str], alpha: float) -> tuple[float, float]:
    """One-sided lower and upper bound of the mean difference where few items lose much: Student's, corrected for skew.

    As `clustered_bounds`, which is too narrow there: of 150 items of which some are lost as a whole, a loss at the
    margin would pass in 6.8 % of the cases instead of 5. Johnson's modified t (Journal of the American
    Statistical Association 73, 1978, 536-544), on the groups' deviations from the mean. It is never narrower than
    Tango's of as many pairs without a change, so that few items show little. Raises ValueError when empty.
    """
    if not differences:
        raise ValueError("no differences to bound")
    sums, sizes = _by_group(differences, groups)
    count, mean = len(sums), float(sums.sum() / sizes.sum())
    if count == 1:
        return -1.0, 1.0
    deviations = (sums - mean * sizes) * count / sizes.sum()
    variance = float((deviations**2).sum() / (count - 1))
    least = -tango_lower(0, 0, count, alpha)
    if variance == 0.0:
        return max(-1.0, mean - least), min(1.0, mean + least)
    quantile, third = float(t.ppf(1 - alpha, count - 1)), float((deviations**3).mean())
    distance = quantile * math.sqrt(variance / count)
    shift = third / (6 * variance * count) * (1 + 2 * quantile**2)
    below, above = max(distance - shift, least), max(distance + shift, least)
    return max(-1.0, mean - below), min(1.0, mean + above)


def _by_group(differences: Sequence[float], groups: Sequence[str]) -> tuple[Floats, Counts]:
    """The sum of each group's differences, and its size; an item without a group is one of its own."""
    names = [group or f"\0{at}" for at, group in enumerate(groups)]
    index = {name: at for at, name in enumerate(dict.fromkeys(names))}
    where = np.array([index[name] for name in names])
    sums = np.zeros(len(index))
    np.add.at(sums, where, np.asarray(differences, dtype=float))
    return sums, np.bincount(where)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, in the order given (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, at in enumerate(order):
        running = max(running, min(1.0, p_values[at] * (len(p_values) - rank)))
        adjusted[at] = running
    return tuple(adjusted)


def wilson(successes: int, n: int, alpha: float) -> tuple[float, float]:
    """Wilson's two-sided interval (level 1 - alpha) of one proportion. Raises ValueError on impossible counts."""
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"impossible counts: {successes} of {n}")
    interval = binomtest(successes, n).proportion_ci(1 - alpha, method="wilson")
    return float(interval.low), float(interval.high)


def items_needed(discordant: float, slack: float, alpha: float, power: float = 0.9) -> int:
    """Pairs needed to show non-inferiority: (z_alpha + z_beta)² d / slack² (Tango, 1998; Nam, 1997).

    discordant: share of pairs that differ; slack: margin plus the true difference, must be positive.
    """
    return math.ceil((z_of(alpha) + z_of(1.0 - power)) ** 2 * discordant / slack**2)
