"""Trains a stack of adapters step by step together; each leaves when it is done. Knows no file and no memory limit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.training.jobs import Course, Learned
from pipeline.training.layers import Adapted
from pipeline.training.microbatch import Portion
from pipeline.training.objective import Objective
from pipeline.training.optimiser import Optimiser, pace
from pipeline.updates.spaces import Spaces

if TYPE_CHECKING:
    import torch

Told = Callable[[int, "torch.Tensor"], None]  # steps taken since the last call, and the last losses (K,)
_TELL_EVERY = 10


@dataclass(eq=False)
class _Lane:
    """A course under way: where its result belongs, the steps to come, steps taken, last whole epoch's mean loss."""

    place: int
    course: Course
    portions: Iterator[Portion]
    taken: int = 0
    loss: float = float("nan")

    @property
    def epoch_ended(self) -> bool:
        return self.taken % self.course.epoch == 0

    @property
    def over(self) -> bool:
        """Whether the last epoch has ended, or one that taught enough, or one whose loss is no longer finite."""
        enough = self.course.group.rules.stop_below
        done = self.taken == self.course.steps or not abs(self.loss) < float("inf")
        return self.epoch_ended and (done or (enough is not None and self.loss <= enough))


def train_together(
    objective: Objective, adapted: Adapted, courses: Sequence[Course], spaces: Sequence[Spaces | None], tell: Told
) -> list[Learned]:
    """Trains the adapters of `adapted.stack` on the courses, lane by lane, and returns what each became."""
    lanes = [_Lane(place, course, course.portions()) for place, course in enumerate(courses)]
    optimiser = Optimiser(adapted.stack, [course.group.rules for course in courses], spaces)
    sums, untold = adapted.stack.flat.new_zeros(len(lanes)), 0
    learned: dict[int, Learned] = {}
    while lanes:
        losses = _step(objective, adapted, optimiser, lanes)
        sums += losses
        untold += len(lanes)
        _end_epochs(lanes, sums)
        if untold >= _TELL_EVERY or any(lane.over for lane in lanes):
            tell(untold, losses)
            untold = 0
        kept = [number for number, lane in enumerate(lanes) if not lane.over]
        if len(kept) == len(lanes):
            continue
        learned |= {lane.place: _learned(adapted, number, lane) for number, lane in enumerate(lanes) if lane.over}
        lanes = [lanes[number] for number in kept]
        if lanes:
            adapted.stack = adapted.stack.keep(kept)
            optimiser, sums = optimiser.keep(adapted.stack, kept), sums[kept]
    return [learned[place] for place in range(len(courses))]


def _step(objective: Objective, adapted: Adapted, optimiser: Optimiser, lanes: Sequence[_Lane]) -> "torch.Tensor":
    """One step of every lane. Returns their losses (K,)."""
    groups = [lane.course.group for lane in lanes]
    losses = objective.losses(
        adapted,
        [next(lane.portions) for lane in lanes],
    )
    losses.sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step(
        [pace(lane.taken, lane.course.steps, group.rules.warmup) for lane, group in zip(lanes, groups, strict=True)]
    )
    for lane in lanes:
        lane.taken += 1
    return losses.detach()


def _end_epochs(lanes: Sequence[_Lane], sums: "torch.Tensor") -> None:
    """Gives the lanes whose epoch ends its mean loss, and starts their sums anew."""
    for number, lane in enumerate(lanes):
        if lane.epoch_ended:
            lane.loss = float(sums[number]) / lane.course.epoch
            sums[number] = 0.0


def _learned(adapted: Adapted, number: int, lane: _Lane) -> Learned:
    epochs = lane.taken // lane.course.epoch
    return Learned(
        tensors=adapted.stack.tensors(number),
        steps=lane.taken,
        final_loss=lane.loss,
        tokens=epochs * sum(lane.course.lengths),
    )
