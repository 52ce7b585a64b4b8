"""Trains a stack of adapters step by step together, with AdamW; each leaves when it is done.

Knows no file and no memory limit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from pipeline import progress
from pipeline.adapters.saving import TrainingResult
from pipeline.adapters.stack import Stack, rank_axis
from pipeline.recipe import TrainingRules
from pipeline.training.jobs import EncodedJob, Microbatch
from pipeline.training.lora_linear import Adapted
from pipeline.training.objective import Objective
from pipeline.training.output_penalty import OutputPenalty
from pipeline.training.preconditioning import Preconditioner


class Optimiser:
    """PyTorch's fused AdamW on the gradients of a stack, with one parameter group an adapter.

    With a preconditioner it steps in the parameters `free`, of which the stack's follow. `held`: how many of each
    adapter's first ranks stay as they are.
    """

    def __init__(
        self,
        stack: Stack,
        rules: Sequence[TrainingRules],
        preconditioner: Preconditioner | None = None,
        free: torch.Tensor | None = None,
        held: Sequence[int] = (),
    ) -> None:
        self._stack, self._rules, self._held = stack, tuple(rules), tuple(held) or (0,) * len(stack)
        self._preconditioner, self._free = preconditioner, stack.flat if free is None else free
        self._rows = [self._free[adapter] for adapter in range(len(stack))]
        groups = [
            {"params": [row], "lr": rule.learning_rate, "weight_decay": rule.weight_decay}
            for row, rule in zip(self._rows, rules, strict=True)
        ]
        self._adam = torch.optim.AdamW(groups, fused=True)
        self._limits = torch.tensor([rule.clip_norm for rule in rules], device=stack.flat.device)
        for row, gradient in zip(self._rows, stack.gradients, strict=True):
            row.grad = gradient
        if preconditioner:
            preconditioner.fill(stack, self._free)

    def step(self, shares: Sequence[float]) -> None:
        """Clips each adapter's gradient, steps with its share of its learning rate, and zeroes the gradients."""
        gradients = self._stack.gradients
        if self._preconditioner:
            self._preconditioner.turn(self._stack.grads)
        _hold(self._stack.grads, self._held)
        gradients.mul_((self._limits / (gradients.norm(dim=1) + 1e-6)).clamp(max=1.0)[:, None])
        for group, rule, share in zip(self._adam.param_groups, self._rules, shares, strict=True):
            group["lr"] = rule.learning_rate * share
        self._adam.step()
        if self._preconditioner:
            self._preconditioner.fill(self._stack, self._free)
        gradients.zero_()

    def keep(self, stack: Stack, adapters: Sequence[int]) -> "Optimiser":
        """The optimiser of `stack`, which holds these `adapters` of this one's stack, with their state."""
        free = self._free[list(adapters)] if self._preconditioner else None
        rules, held = [self._rules[adapter] for adapter in adapters], [self._held[adapter] for adapter in adapters]
        kept = Optimiser(stack, rules, self._preconditioner, free, held)
        for row, adapter in zip(kept._rows, adapters, strict=True):
            kept._adam.state[row] = self._adam.state[self._rows[adapter]]
        return kept


def _hold(gradients: dict[str, torch.Tensor], held: Sequence[int]) -> None:
    """Zeroes the gradients of each adapter's first so many ranks: rows of A, columns of B."""
    for adapter, count in enumerate(held):
        for name, gradient in gradients.items() if count else ():
            gradient[adapter].narrow(rank_axis(name), 0, count).zero_()


def lr_schedule(step: int, steps: int, warmup: float) -> float:
    """Share of the learning rate at a step: linear from zero over the warm-up, then linear down to nearly zero."""
    rising = max(1, round(warmup * steps))
    return (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising + 1)


@dataclass(eq=False)
class ActiveJob:
    """A job in training: its place among the results, steps to come and taken, mean loss of the last whole epoch."""

    place: int
    encoded: EncodedJob
    microbatches: Iterator[Microbatch]
    taken: int = 0
    loss: float = float("nan")

    @property
    def epoch_ended(self) -> bool:
        return self.taken % self.encoded.epoch == 0

    @property
    def over(self) -> bool:
        """Whether the last epoch has ended, or one with a loss of at most `stop_below`, or one that is not finite."""
        enough = self.encoded.job.rules.stop_below
        done = self.taken == self.encoded.steps or not abs(self.loss) < float("inf")
        return self.epoch_ended and (done or (enough is not None and self.loss <= enough))

    def result(self, tensors: dict[str, torch.Tensor]) -> TrainingResult:
        """What became of the job, whose adapter has these tensors."""
        tokens = self.encoded.tokens(self.taken // self.encoded.epoch)
        return TrainingResult(tensors=tensors, steps=self.taken, final_loss=self.loss, tokens=tokens)


@dataclass(frozen=True)
class Regularisation:
    """What keeps adapters out of their layers' usual inputs: on their parameters, and in their loss."""

    preconditioner: Preconditioner | None = None
    penalty: OutputPenalty | None = None


NO_REGULARISATION = Regularisation()


def train_together(
    objective: Objective,
    adapted: Adapted,
    encoded_jobs: Sequence[EncodedJob],
    regularisation: Regularisation = NO_REGULARISATION,
) -> list[TrainingResult]:
    """Trains the adapters of `adapted.stack`, one for each job, and returns the results in the jobs' order."""
    jobs = [ActiveJob(place, encoded, encoded.microbatches()) for place, encoded in enumerate(encoded_jobs)]
    given = [one.job.given for one in encoded_jobs]
    preconditioner = regularisation.preconditioner
    free = preconditioner.free(adapted.stack, given) if preconditioner else None
    rules, held = [one.job.rules for one in encoded_jobs], [one.job.held for one in encoded_jobs]
    optimiser = Optimiser(adapted.stack, rules, preconditioner, free, held)
    sums, done = adapted.stack.flat.new_zeros(len(jobs)), 0
    total = sum(one.steps for one in encoded_jobs)
    results: dict[int, TrainingResult] = {}
    while jobs:
        sums += _step(objective, adapted, optimiser, jobs, regularisation.penalty)
        done += len(jobs)
        _end_epochs(jobs, sums)
        ended = [adapter for adapter, job in enumerate(jobs) if job.over]
        progress.report(done, total)
        if not ended:
            continue
        results |= {jobs[adapter].place: jobs[adapter].result(adapted.stack.tensors(adapter)) for adapter in ended}
        kept = [adapter for adapter, job in enumerate(jobs) if not job.over]
        jobs = [jobs[adapter] for adapter in kept]
        if jobs:
            adapted.stack = adapted.stack.keep(kept)
            optimiser, sums = optimiser.keep(adapted.stack, kept), sums[kept]
    return [results[place] for place in range(len(encoded_jobs))]


def _step(
    objective: Objective,
    adapted: Adapted,
    optimiser: Optimiser,
    jobs: Sequence[ActiveJob],
    penalty: OutputPenalty | None,
) -> torch.Tensor:
    """One step of every job: the gradients are computed and applied here. Returns the losses (K,) without penalty."""
    losses = objective.losses(adapted, [next(job.microbatches) for job in jobs])
    losses.sum().backward()  # type: ignore[no-untyped-call]
    if penalty:
        penalty.add_gradients(adapted.stack, adapted.scale, [job.encoded.job.held for job in jobs])
    optimiser.step([lr_schedule(job.taken, job.encoded.steps, job.encoded.job.rules.warmup) for job in jobs])
    for job in jobs:
        job.taken += 1
    return losses.detach()


def _end_epochs(jobs: Sequence[ActiveJob], sums: torch.Tensor) -> None:
    """Gives the jobs whose epoch ends its mean loss, and sets their sums to zero."""
    for adapter, job in enumerate(jobs):
        if job.epoch_ended:
            job.loss = float(sums[adapter]) / job.encoded.epoch
            sums[adapter] = 0.0
