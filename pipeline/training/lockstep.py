"""Trains a stack of adapters step by step together; each leaves when it is done. Knows no file and no memory limit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import progress
from pipeline.training.jobs import EncodedJob, TrainingResult
from pipeline.training.layers import Adapted
from pipeline.training.microbatch import Microbatch
from pipeline.training.objective import Objective
from pipeline.training.optimiser import Optimiser, lr_schedule

if TYPE_CHECKING:
    import torch

_REPORT_EVERY = 10  # steps


@dataclass(eq=False)
class _ActiveJob:
    """A job under way: where its result belongs, the steps to come, steps taken, last whole epoch's mean loss."""

    place: int
    encoded_job: EncodedJob
    microbatches: Iterator[Microbatch]
    taken: int = 0
    loss: float = float("nan")

    @property
    def epoch_ended(self) -> bool:
        return self.taken % self.encoded_job.epoch == 0

    @property
    def over(self) -> bool:
        """Whether the last epoch has ended, or one that taught enough, or one whose loss is no longer finite."""
        enough = self.encoded_job.group.rules.stop_below
        done = self.taken == self.encoded_job.steps or not abs(self.loss) < float("inf")
        return self.epoch_ended and (done or (enough is not None and self.loss <= enough))


def train_together(objective: Objective, adapted: Adapted, encoded_jobs: Sequence[EncodedJob]) -> list[TrainingResult]:
    """Trains the adapters of `adapted.stack` on the encoded jobs, lane by lane, and returns what each became."""
    lanes = [
        _ActiveJob(place, encoded_job, encoded_job.microbatches()) for place, encoded_job in enumerate(encoded_jobs)
    ]
    optimiser = Optimiser(adapted.stack, [encoded_job.group.rules for encoded_job in encoded_jobs])
    sums, done, reported = adapted.stack.flat.new_zeros(len(lanes)), 0, 0
    total = sum(one.steps for one in encoded_jobs)
    learned: dict[int, TrainingResult] = {}
    while lanes:
        losses = _step(objective, adapted, optimiser, lanes)
        sums += losses
        done += len(lanes)
        _end_epochs(lanes, sums)
        if done - reported >= _REPORT_EVERY or any(lane.over for lane in lanes):
            progress.report(done, total)
            reported = done
        kept = [number for number, lane in enumerate(lanes) if not lane.over]
        if len(kept) == len(lanes):
            continue
        learned |= {lane.place: _learned(adapted, number, lane) for number, lane in enumerate(lanes) if lane.over}
        lanes = [lanes[number] for number in kept]
        if lanes:
            adapted.stack = adapted.stack.keep(kept)
            optimiser, sums = optimiser.keep(adapted.stack, kept), sums[kept]
    return [learned[place] for place in range(len(encoded_jobs))]


def _step(objective: Objective, adapted: Adapted, optimiser: Optimiser, lanes: Sequence[_ActiveJob]) -> "torch.Tensor":
    """One step of every lane. Returns their losses (K,)."""
    groups = [lane.encoded_job.group for lane in lanes]
    losses = objective.losses(
        adapted,
        [next(lane.microbatches) for lane in lanes],
    )
    losses.sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step(
        [
            lr_schedule(lane.taken, lane.encoded_job.steps, group.rules.warmup)
            for lane, group in zip(lanes, groups, strict=True)
        ]
    )
    for lane in lanes:
        lane.taken += 1
    return losses.detach()


def _end_epochs(lanes: Sequence[_ActiveJob], sums: "torch.Tensor") -> None:
    """Gives the lanes whose epoch ends its mean loss, and starts their sums anew."""
    for number, lane in enumerate(lanes):
        if lane.epoch_ended:
            lane.loss = float(sums[number]) / lane.encoded_job.epoch
            sums[number] = 0.0


def _learned(adapted: Adapted, number: int, lane: _ActiveJob) -> TrainingResult:
    epochs = lane.taken // lane.encoded_job.epoch
    return TrainingResult(
        tensors=adapted.stack.tensors(number),
        steps=lane.taken,
        final_loss=lane.loss,
        tokens=epochs * sum(lane.encoded_job.lengths),
    )
