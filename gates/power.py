"""What a number of items can show: how probably a gate passes, given what is true. Pure; knows no suite."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
from scipy.stats import binom

from gates.statistics import mcnemar, tango_lower, z_of

POWER = 0.9  # how often a gate is to see what it can see
_FINENESS = 0.001  # of the losses and gains that are tried, as shares: a tenth of a point


def chance_to_pass(n: int, margin: float, alpha: float, *, loss: float, changed: float) -> float:
    """The probability that `n` independent pairs pass non-inferiority by Tango's bound; exact.

    loss: the true share lost, in all; changed: the share of pairs that differ in either direction, at least `loss`.
    Raises ValueError where no such pairs can be.
    """
    if not 0.0 <= loss <= changed <= 1.0:
        raise ValueError(f"a loss of {loss} with a share of {changed} changed is impossible")
    lost, gained = (changed + loss) / 2, (changed - loss) / 2
    needed = _gains_needed(n, margin, alpha)
    counts = np.arange(len(needed))
    of_the_rest = gained / (1.0 - lost) if lost < 1.0 else 0.0
    enough = binom.sf(np.asarray(needed) - 1, n - counts, of_the_rest)
    return float((binom.pmf(counts, n, lost) * enough).sum())


@lru_cache(maxsize=64)
def _gains_needed(n: int, margin: float, alpha: float) -> Sequence[int]:
    """For 0, 1, 2 ... lost pairs, the fewest gained ones that pass; ends where none would."""
    needed: list[int] = []
    gained = 0
    for lost in range(n + 1):
        while gained + lost <= n and tango_lower(gained, lost, n, alpha) < -margin:
            gained += 1
        if gained + lost > n:
            break
        needed.append(gained)
    return tuple(needed)


def loss_seen(n: int, margin: float, alpha: float, changed: float) -> float | None:
    """The smallest true loss with which `n` pairs do not pass in nine cases of ten; None where even all do not show it.

    Where more is lost than `changed`, all that changes is lost.
    """
    for step in range(1, round(1 / _FINENESS) + 1):
        loss = step * _FINENESS
        if chance_to_pass(n, margin, alpha, loss=loss, changed=max(loss, changed)) <= 1.0 - POWER:
            return loss
    return None


def margin_held(n: int, alpha: float, changed: float) -> float:
    """The smallest margin at which `n` pairs pass in nine cases of ten, if as much is gained as lost; to a tenth point.

    1.0 where no smaller one is. It begins at the approximation of `items_needed` (Tango, 1998; Nam, 1997), solved for
    the margin, which is a little too small for few pairs.
    """
    about = (z_of(alpha) + z_of(1.0 - POWER)) * sqrt(changed / n)
    for step in range(max(1, int(0.8 * about / _FINENESS)), round(1 / _FINENESS)):
        if chance_to_pass(n, step * _FINENESS, alpha, loss=0.0, changed=changed) >= POWER:
            return step * _FINENESS
    return 1.0


def gain_seen(n: int, least: float, alpha: float) -> float | None:
    """The smallest true gain that passes McNemar's test and is at least `least`, in nine cases of ten; nothing lost.

    None where even a gain of all `n` would not.
    """
    fewest = next((count for count in range(ceil(least * n), n + 1) if count and mcnemar(count, 0) < alpha), None)
    if fewest is None:
        return None
    for step in range(1, round(1 / _FINENESS) + 1):
        if binom.sf(fewest - 1, n, step * _FINENESS) >= POWER:
            return step * _FINENESS
    return None
