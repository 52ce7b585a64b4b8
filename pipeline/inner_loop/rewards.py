"""The reward of an evaluation: recall gained, less prices for forgetting and for length. Pure; knows no model."""

from dataclasses import dataclass
from statistics import fmean

from pipeline.recipe import WriterTrainingRules


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores in {0, 1} before and after one update, on the job's eval items and on the standing ones.

    `before` and `standing_before` are empty where they were not measured. `tokens` is the length of the generated
    text that was trained on, and `limit` the most that it may have.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    standing_before: tuple[float, ...] = ()
    standing_after: tuple[float, ...] = ()
    tokens: int = 0
    limit: int = 1

    @property
    def accuracy(self) -> float:
        """Share of the job's eval items answered after the update; 0 without items."""
        return fmean(self.after) if self.after else 0.0

    @property
    def gain(self) -> float:
        """Accuracy after the update minus accuracy before it, in [-1, 1]; 0 where that was not measured."""
        return self.accuracy - fmean(self.before) if self.before else 0.0

    @property
    def forgotten(self) -> float:
        """Share of the standing items that were right before and are wrong after; 0 where none was measured before."""
        if not self.standing_before:
            return 0.0
        pairs = zip(self.standing_before, self.standing_after, strict=True)
        return sum(was > 0.5 > now for was, now in pairs) / len(self.standing_before)


def reward(evaluation: Evaluation, rules: WriterTrainingRules) -> float:
    """The gain, less the penalties for the share forgotten and for the share of the token limit that was used."""
    length = rules.length_penalty * evaluation.tokens / evaluation.limit
    return evaluation.gain - rules.forgetting_penalty * evaluation.forgotten - length
