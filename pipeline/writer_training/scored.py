"""One round's self-edits with what each is worth, and the round in numbers. Pure; knows no model."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from pipeline.errors import BadInput
from pipeline.inner_loop.reward import Evaluation, reward
from pipeline.recipe import WriterTrainingRules
from pipeline.writer_training.samples import Sample


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A self-edit with how its trial went and what it is worth."""

    sample: Sample
    trial: Evaluation
    reward: float


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of writer training gave, by its number from 1.

    `kept`: how many self-edits were worth learning from.
    """

    number: int
    notes: int
    reward: float
    gain: float
    forgotten: float
    usable: float
    kept: int = 0

    @property
    def sentence(self) -> str:
        """The round for a log and for people."""
        return (
            f"round {self.number}: {self.notes} notes taught {100 * self.gain:.1f} points on average (reward "
            f"{self.reward:.3f}, {100 * self.usable:.0f} % usable), {self.kept} were learned from"
        )


def score(samples: Sequence[Sample], trials: Sequence[Evaluation], rules: WriterTrainingRules) -> tuple[Scored, ...]:
    """The samples with their trials' rewards, in their order."""
    return tuple(
        Scored(sample=sample, trial=trial, reward=reward(trial, rules))
        for sample, trial in zip(samples, trials, strict=True)
    )


def round_of(number: int, scored: Sequence[Scored], kept: int) -> Round:
    """The round's means. Raises BadInput where nothing was written."""
    if not scored:
        raise BadInput(
            "no note could be written about the documents practised on: their titles leave no room in the model's "
            "context. Give documents with shorter titles, or lower self_edits.max_new_tokens."
        )
    return Round(
        number=number,
        notes=len(scored),
        reward=fmean(one.reward for one in scored),
        gain=fmean(one.trial.gain for one in scored),
        forgotten=fmean(one.trial.forgotten for one in scored),
        usable=fmean(float(one.sample.usable) for one in scored),
        kept=kept,
    )
