"""What one adapter learns from in one step. Knows no model."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Microbatch:
    """Rows of the table, what each weighs beside the others (none: all alike), and what holds it to its teachers.

    `kl_weight` weighs the KL to the teacher and `hidden_state_weight` the distance of hidden states, where rows are
    taught; `by_tokens` says whether learned tokens count alike, or sequences do, as in SEAL's steps of one sequence.
    """

    rows: Sequence[int]
    weights: Sequence[float] = ()
    kl_weight: float = 0.0
    hidden_state_weight: float = 0.0
    by_tokens: bool = True

    def shares(self, learned: Sequence[int]) -> list[float]:
        """What one learned token of each row counts, where the rows have `learned` of them; all tokens make one."""
        weights = self.weights or [1.0] * len(self.rows)
        if self.by_tokens:
            whole = sum(weight * count for weight, count in zip(weights, learned, strict=True))
            return [weight / whole for weight in weights]
        return [weight / (sum(weights) * count) for weight, count in zip(weights, learned, strict=True)]
