"""What graded answers say about a canary, as bets whose wealth is evidence. Pure; knows no policy and no state.

Two hypotheses are bet against, each with one e-process: a wealth that starts at 1 and that no strategy can raise on
average while the hypothesis is true. By Ville's inequality it then ever reaches 1/a with a probability of at most a,
however often and whenever one looks. That is what lets a canary be judged after every request.

**"The canary is not worse."** Its wealth is what a rollback rests on.

- *Traffic*: each request is answered by one release. Answers are taken in blocks. A block closes as soon as it holds
  an answer of each release, so when it closes depends on who was asked, never on how it went. The hypothesis says: in
  each block, the canary's mean failure probability is at most the other's. It may differ from block to block, as it
  does over a day. For a block of `a` canary and `b` stable answers the bet is the likelihood ratio of (p, q), q < p,
  to both having p0 = (a p + b q)/(a + b): the 2x2 e-value of Turner, Ly and Grünwald (arXiv 2106.02693). The factor
  of a canary answer y is 1 + (y - p0)(p - p0)/v, with v = p0(1 - p0), and of a stable one the same with q for p. Where
  answers fail independently, with probabilities of mean c and s, the block's factor has by 1 + x <= exp(x) a mean of
  at most exp(a (p - p0)(c - s)/v), since a (p - p0) = b (p0 - q). That is at most 1 while c <= s, for every q and p.
  So q may be learned from earlier blocks; p is q with its odds times a bet's `odds`.
- *Pairs*: both releases answer the same question. With d = 1 where only the canary fails, -1 where only the other does,
  else 0, the hypothesis says that the mean of d is at most 0, given all before. The bet is 1 + edge * d (a betting
  martingale, Waudby-Smith and Ramdas, arXiv 2010.09686). On pairs that differ it is a sign test.

Each of BETS plays on both with one purse, and they share the capital by fixed weights. So the wealth is a weighted sum
of products of factors, in the order in which blocks and pairs came, each with a mean of at most 1 given all before: an
e-process.

**"The canary is worse by at least the margin."** Its wealth is what a larger share rests on. With d the difference of
the failure shares of a block or pair, the hypothesis says that its mean is at least the margin. The bet is
1 + stake (margin - d), 0 <= stake < 1/(1 - margin), with nearly the stake that grows fastest for a canary as good as
the other, from what was seen before (Kelly; the same paper). Traffic and pairs bet with the same capital.

Most capital lies on odds of 2.5, a rise from 2 to 5 % failures: the loss that is to be found fastest. Two bets play on
traffic or on pairs alone, for a loss that only one of them shows. `benchmarks.canary` measures all of this.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Number = float | Floats

# Each bet's odds on traffic, edge on pairs, and share of the capital. Odds of 1 and an edge of 0 stake nothing.
BETS = np.array(
    [
        (1.1, 0.2, 0.03),
        (1.3, 0.5, 0.07),
        (2.5, 0.8, 0.70),
        (6.0, 0.9, 0.10),
        (2.5, 0.0, 0.05),
        (1.0, 0.8, 0.05),
    ]
)
_ODDS, _EDGES, _SHARES = BETS.T

# What the first bets take for seen, before anything was: one failure in twenty answers, one pair in ten that differs.
_PRIOR_FAILURES, _PRIOR_ANSWERS = 0.5, 10.0
_PRIOR_DIFFERENT, _PRIOR_PAIRS = 1.0, 10.0
_RATE_BOUNDS = (1e-4, 0.9)
_GREATEST_STAKE = 0.9  # as a share of what would risk all capital


@dataclass(frozen=True)
class Block:
    """Answers of one block, at least one of each release; numbers, or arrays of shape (rollouts,)."""

    canary: Number
    canary_failed: Number
    stable: Number
    stable_failed: Number

    @property
    def difference(self) -> Floats:
        """The canary's share of failures minus the stable release's, in [-1, 1]."""
        return np.asarray(self.canary_failed / self.canary - self.stable_failed / self.stable, dtype=float)


def failure_rate(failures: Number, answers: Number) -> Floats:
    """The failure rate to bet with after so many answers of earlier blocks; the same shape."""
    seen = (failures + _PRIOR_FAILURES) / (answers + _PRIOR_ANSWERS)
    return np.asarray(np.clip(seen, *_RATE_BOUNDS), dtype=float)


def difference_rate(different: Number, pairs: Number) -> Floats:
    """The share of pairs that differ, to bet with after so many earlier ones; the same shape."""
    return np.asarray((different + _PRIOR_DIFFERENT) / (pairs + _PRIOR_PAIRS), dtype=float)


def bets_on_worse_traffic(block: Block, rate: Number) -> Floats:
    """Log-factors of shape (..., len(BETS)): what each bet's wealth is multiplied by. `rate`: of the stable release."""
    a, fa, b, fb, q = (
        np.asarray(x, dtype=float)[..., None]
        for x in (block.canary, block.canary_failed, block.stable, block.stable_failed, rate)
    )
    odds = q / (1 - q) * _ODDS
    p = odds / (1 + odds)
    both = (a * p + b * q) / (a + b)
    right = (a - fa) * np.log((1 - p) / (1 - both)) + (b - fb) * np.log((1 - q) / (1 - both))
    failed = fa * np.log(p / both) + fb * np.log(q / both)
    return np.asarray(right + failed)


def bets_on_worse_pairs(difference: Number) -> Floats:
    """Log-factors of shape (..., len(BETS)). `difference`: 1 only the canary failed, -1 only the other, 0 neither."""
    return np.asarray(np.log1p(_EDGES * np.asarray(difference, dtype=float)[..., None]))


def evidence_of(wealths: Floats) -> Floats:
    """Log of the wealth of all bets together; wealths: log, of shape (..., len(BETS)), each bet's growth so far."""
    shares = wealths + np.log(_SHARES)
    top = shares.max(axis=-1)
    return np.asarray(top + np.log(np.exp(shares - top[..., None]).sum(axis=-1)))


def bet_on_traffic_within(block: Block, rate: Number, margin: float) -> Floats:
    """Log-factor of the bet that the canary is not worse by the margin, from one block."""
    canary = (rate + margin) * (1 - np.minimum(rate + margin, 1.0)) / block.canary
    return _within(block.difference, canary + rate * (1 - rate) / block.stable, margin)


def bet_on_pair_within(difference: Number, rate: Number, margin: float) -> Floats:
    """Likewise from one pair; `rate`: the share of pairs that differ."""
    return _within(difference, rate + margin**2, margin)


def _within(difference: Number, variance: Number, margin: float) -> Floats:
    stake = np.minimum(margin / variance, _GREATEST_STAKE / (1 - margin))
    return np.asarray(np.log1p(stake * (margin - difference)))
