"""Many canary rollouts at once, as arrays: the bets are those of `gates.canary_evidence`, the rules of `gates.canary`.

Every answer of every rollout is drawn at random and judged when it comes. `tests/unit/benchmarks/test_canary.py` holds
the arrays against the decision that the product takes outcome by outcome.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gates import canary_evidence as evidence
from gates.canary_evidence import Block, Floats
from pipeline.recipe import CanaryPolicy

Mask = npt.NDArray[np.bool_]

KEPT = 0.8  # of the questions that the stable release fails, a canary that is not better fails these as well


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A release that fails `drop` more of its answers than the stable one, whose failure rate is `base`.

    `pairs`: share of the canary's graded answers that are eval items put to both releases. `horizon`: graded answers of
    the canary after which a rollout is left.
    """

    base: float
    drop: float
    pairs: float
    horizon: int

    @property
    def failing(self) -> float:
        return self.base + self.drop


@dataclass(frozen=True)
class Ends:
    """How each rollout went, in arrays of shape (rollouts,); infinite: it did not come to that.

    `rolled_back`: graded answers of the canary until the rollback; `asked`: those of them that are no eval items.
    `at_all`: graded answers of the canary until it had all requests; `of_both`: of both releases until then.
    """

    rolled_back: Floats
    asked: Floats
    at_all: Floats
    of_both: Floats


@dataclass
class Wealths:
    """Every rollout's bets and what they were made from: arrays of shape (rollouts,) or (rollouts, bets)."""

    rollouts: int
    bets: Floats = field(init=False)
    within: Floats = field(init=False)
    seen: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.bets = np.zeros((self.rollouts, len(evidence.BETS)))
        self.within = np.zeros(self.rollouts)
        self.seen = np.zeros((self.rollouts, 4))  # stable failures, stable answers, pairs that differ, pairs

    def settle_traffic(self, block: Block, margin: float, of: Mask) -> None:
        """Settles one closed block for each rollout of the mask `of`."""
        rate = evidence.failure_rate(self.seen[:, 0], self.seen[:, 1])
        self.bets[of] += evidence.bets_on_worse_traffic(block, rate)[of]
        self.within[of] += evidence.bet_on_traffic_within(block, rate, margin)[of]
        self.seen[of, 0] += np.asarray(block.stable_failed)[of]
        self.seen[of, 1] += np.asarray(block.stable)[of]

    def settle_pairs(self, difference: Floats, margin: float, of: Mask) -> None:
        """Settles one pair for each rollout of the mask `of`."""
        rate = evidence.difference_rate(self.seen[:, 2], self.seen[:, 3])
        self.bets[of] += evidence.bets_on_worse_pairs(difference)[of]
        self.within[of] += evidence.bet_on_pair_within(difference, rate, margin)[of]
        self.seen[of, 2] += np.abs(difference)[of]
        self.seen[of, 3] += 1

    @property
    def worse(self) -> Floats:
        """Log-evidence that the canary is worse."""
        return evidence.evidence_of(self.bets)


class Rollouts:
    """Rollouts under way, their counts in arrays of shape (rollouts,)."""

    def __init__(self, scenario: Scenario, policy: CanaryPolicy, rollouts: int, seed: int) -> None:
        self.scenario, self.policy = scenario, policy
        self.random, self.wealths = np.random.default_rng(seed), Wealths(rollouts)
        self.alive = np.ones(rollouts, dtype=bool)
        self.step = np.zeros(rollouts, dtype=int)
        self.at_step, self.answers, self.asked, self.of_both = (np.zeros(rollouts) for _ in range(4))
        self.ends = Ends(*(np.full(rollouts, np.inf) for _ in range(4)))

    def go_on(self) -> None:
        """Grades one more block or pair in each rollout that is alive, and decides."""
        share = np.array(self.policy.shares)[self.step]
        paired = (self.random.random(len(share)) < self.scenario.pairs) | (share >= 1)
        block = _block(self.random, self.scenario, np.minimum(share, 0.99))
        self.wealths.settle_traffic(block, self.policy.margin, self.alive & ~paired)
        differences = _differences(self.random, self.scenario, len(share))
        self.wealths.settle_pairs(differences, self.policy.margin, self.alive & paired)
        self._count(block, paired)
        self._roll_back()
        self._promote()
        has_more = (self.step < len(self.policy.shares) - 1) | (self.scenario.pairs > 0)
        self.alive &= has_more & (self.answers < self.scenario.horizon)

    def _count(self, block: Block, paired: Mask) -> None:
        graded = np.where(paired, 1, block.canary) * self.alive
        self.answers += graded
        self.at_step += graded
        self.asked += np.where(paired, 0, graded)
        self.of_both += np.where(paired, 1, block.canary + block.stable) * self.alive

    def _roll_back(self) -> None:
        alarm = self.alive & (self.wealths.worse >= -np.log(self.policy.false_rollback))
        self.ends.rolled_back[alarm], self.ends.asked[alarm] = self.answers[alarm], self.asked[alarm]
        self.alive &= ~alarm

    def _promote(self) -> None:
        answers = np.array([*self.policy.min_answers, np.inf])[self.step]
        evidence_needed = np.array([*-np.log(self.policy.risks), np.inf])[self.step]
        up = self.alive & (self.at_step >= answers) & (self.wealths.within >= evidence_needed)
        self.step[up] += 1
        self.at_step[up] = 0
        whole = up & (self.step == len(self.policy.shares) - 1)
        self.ends.at_all[whole], self.ends.of_both[whole] = self.answers[whole], self.of_both[whole]


def roll_out(scenario: Scenario, policy: CanaryPolicy, rollouts: int, seed: int) -> Ends:
    """Rolls out until each rollout is rolled back, has nothing more to show, or is at the horizon."""
    under_way = Rollouts(scenario, policy, rollouts, seed)
    while under_way.alive.any():
        under_way.go_on()
    return under_way.ends


def _block(random: np.random.Generator, scenario: Scenario, share: Floats) -> Block:
    """The next block: requests come one by one, and it closes with the first one to the other release."""
    canary_first = random.random(len(share)) < share
    canary = np.where(canary_first, random.geometric(1 - share), 1)
    stable = np.where(canary_first, 1, random.geometric(share))
    failed = random.binomial(canary, scenario.failing), random.binomial(stable, scenario.base)
    return Block(canary.astype(float), failed[0].astype(float), stable.astype(float), failed[1].astype(float))


def _differences(random: np.random.Generator, scenario: Scenario, rollouts: int) -> Floats:
    """What each rollout's next pair says: 1 only the canary failed, -1 only the stable release, 0 neither or both."""
    both = KEPT * min(scenario.base, scenario.failing)
    drawn = random.random(rollouts)
    only_canary, only_stable = scenario.failing - both, scenario.base - both
    return np.where(drawn < only_canary, 1.0, np.where(drawn < only_canary + only_stable, -1.0, 0.0))
