"""What a canary is judged by: graded answers of two releases, what was counted of them, and what was decided."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pipeline.types.judging import Figure


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One graded request while the deployment `epoch` is the newest: whether the canary or the stable release failed.

    None: that release was not asked. A person's feedback grades one of them. An eval item is put to both, a pair.
    `key`: who asked (never an API key itself), or the item's id. `source`: a digest that names the API key, of several,
    whose client sent the grade; empty where it needs no second voice: an eval item, or the only key that there is.
    """

    epoch: int
    key: str
    at: datetime
    canary_failed: bool | None = None
    stable_failed: bool | None = None
    source: str = ""

    @property
    def is_pair(self) -> bool:
        return self.canary_failed is not None and self.stable_failed is not None

    @property
    def counts_as(self) -> str:
        """What counts once in a canary: of feedback a key and day (UTC), of eval items the item.

        So one key cannot flood the decision, and an item that is asked again says nothing new: the answer is the same.
        """
        return f"item {self.key}" if self.is_pair else f"{self.at.astimezone(UTC):%Y-%m-%d} {self.key}"


@dataclass(frozen=True, kw_only=True)
class ArmCounts:
    """Graded answers of one release, and how many of them failed."""

    answers: int = 0
    failures: int = 0


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """Requests that both releases answered; those that only one of them failed."""

    pairs: int = 0
    only_canary_failed: int = 0
    only_stable_failed: int = 0


@dataclass(frozen=True, kw_only=True)
class CanaryState:
    """What a canary's decision rests on; `gates.canary` reads and changes it.

    `step`: index of the present share. `at_step`: the canary's graded answers since it got that share. `canary`,
    `stable`: answers asked of one release alone. `open_canary`, `open_stable`: those of them in the block that is not
    closed yet. `worse`: log-wealth of each bet that the canary is worse (empty: none was settled yet). `within`: of the
    bet that it is worse by less than the margin. `without`: the same of all outcomes but those of one source, for each.
    """

    step: int = 0
    at_step: int = 0
    canary: ArmCounts = ArmCounts()
    stable: ArmCounts = ArmCounts()
    open_canary: ArmCounts = ArmCounts()
    open_stable: ArmCounts = ArmCounts()
    pairs: PairCounts = PairCounts()
    worse: tuple[float, ...] = ()
    within: float = 0.0
    without: tuple["WithoutSource", ...] = ()


@dataclass(frozen=True, kw_only=True)
class WithoutSource:
    """The state as it were had one source sent nothing."""

    source: str
    state: CanaryState


class CanaryAction(StrEnum):
    """What is to be done: go on at the same share, promote to the next one, or roll back."""

    GO_ON = "go-on"
    PROMOTE = "promote"
    ROLL_BACK = "roll-back"


@dataclass(frozen=True, kw_only=True)
class CanaryDecision:
    """What is to be done with a canary, and why: `share` of requests from now on, one sentence and its figures."""

    action: CanaryAction
    share: float
    sentence: str
    figures: tuple[Figure, ...] = ()
