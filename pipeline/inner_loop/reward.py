"""What a self-edit is worth: what an update on it alone taught, less what it cost. Pure; knows no model."""

from dataclasses import dataclass
from statistics import fmean

from pipeline.recipe import WriterTrainingRules


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores in {0, 1} before and after an update on one note: on its document's validation questions, and on standing

    ones, which are of earlier documents. `tokens` are the note's, of `limit` that it might have had.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    standing_before: tuple[float, ...] = ()
    standing_after: tuple[float, ...] = ()
    tokens: int = 0
    limit: int = 1

    @property
    def gain(self) -> float:
        """How much the recall of the document rose, as a share in [-1, 1]."""
        return fmean(self.after) - fmean(self.before) if self.after else 0.0

    @property
    def forgotten(self) -> float:
        """The share of the standing questions that were right before and are wrong after."""
        pairs = list(zip(self.standing_before, self.standing_after, strict=True))
        return sum(was > 0.5 > now for was, now in pairs) / len(pairs) if pairs else 0.0


def reward(trial: Evaluation, rules: WriterTrainingRules) -> float:
    """The gain less the prices of what was forgotten and of the note's length."""
    length = rules.length_penalty * trial.tokens / trial.limit
    return trial.gain - rules.forgetting_penalty * trial.forgotten - length
