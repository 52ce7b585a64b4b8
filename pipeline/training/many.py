"""Trains K LoRA adapters of one base at once: each as it would be trained alone, all in one batch. Writes no file.

The bottleneck of SEAL (arXiv 2506.10943) is its inner loop, one candidate after another. Here the adapters' steps run
in lockstep: one pass of the base for all, batched products for the adapters, and each its own data, order, learning
rate, epochs, clipping, optimiser state and end. As many run together as the memory that is measured lets.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline import progress
from pipeline.adapters.format import MAX_SCALE
from pipeline.adapters.stack import Shapes, shapes_of, stack_of, start_of
from pipeline.adapters.targets import linear_layers, target_names
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules
from pipeline.training.jobs import BASE, EncodedJob, SequenceTable, TrainingJob, TrainingResult, longest_first
from pipeline.training.layers import Adapted, adapters_on
from pipeline.training.lockstep import train_together
from pipeline.training.memory import (
    BYTES_A_PARAMETER,
    Need,
    activation_bytes,
    at_most,
    available,
    checkpointing,
    how_many,
    logit_bytes,
)
from pipeline.training.microbatch import Microbatch
from pipeline.training.objective import Objective
from pipeline.training.parents import parent_tensors
from pipeline.training.sequences import check_length, make_sequences

if TYPE_CHECKING:
    import torch

__all__ = ["TrainingJob", "TrainingResult", "train_many"]


def train_many(
    base: BaseModel, groups: Sequence[TrainingJob], *, memory: int | None = None
) -> tuple[TrainingResult, ...]:
    """Trains every group's adapter and returns them in the groups' order; the base is left as it was.

    `memory`: bytes to use at most (None: what is free); groups that do not fit beside the others take a later turn.
    Reports progress in steps of all. Raises, before any training: BadInput (no group, nothing to
    learn, a sequence too long, an unusable rule or parent), BadRecipe (a target that cannot take LoRA), CorruptAdapter
    or WrongBase (a parent), and TooLittleMemory where not even one adapter fits.
    """
    if not groups:
        raise BadInput("there is no adapter to train. Give at least one group.")
    teams = [JobBatch.of(base, [(place, groups[place]) for place in places]) for places in _alike(groups)]
    total, done = sum(team.steps for team in teams), 0
    plans = [team.plan(memory) for team in teams]  # of all, before any is trained
    learned: dict[int, TrainingResult] = {}
    for team, plan in zip(teams, plans, strict=True):
        with progress.part(done, team.steps, total):
            learned |= team.train(plan)
        done += team.steps
    return tuple(learned[place] for place in range(len(groups)))


def _alike(groups: Sequence[TrainingJob]) -> list[list[int]]:
    """The places of the groups that can share a stack: of one rank, alpha and choice of layers."""
    found: dict[tuple[object, ...], list[int]] = {}
    for place, group in enumerate(groups):
        found.setdefault((group.rules.rank, group.rules.alpha, group.rules.targets), []).append(place)
    return list(found.values())


@dataclass(frozen=True, eq=False)
class JobBatch:
    """Groups whose adapters have one shape, ready to be trained: their encoded jobs and where each one starts."""

    base: BaseModel
    places: tuple[int, ...]
    encoded_jobs: tuple[EncodedJob, ...]
    starts: "tuple[torch.Tensor, ...]"
    objective: Objective
    shapes: Shapes

    @classmethod
    def of(cls, base: BaseModel, members: Sequence[tuple[int, TrainingJob]]) -> "JobBatch":
        """Checks and encodes everything that the groups bring. Raises as `train_many` says."""
        for _, group in members:
            _check(base, group)
        rules, table = members[0][1].rules, SequenceTable()
        encoded_jobs = [table.encoded_job(base.tokenizer, group) for _, group in members]
        for encoded_job in encoded_jobs:
            check_length(encoded_job.lengths, min(encoded_job.group.rules.max_tokens or base.context, base.context))
        sequences = make_sequences(table.encoded, base.context, base.device)
        shapes = shapes_of(linear_layers(base.model, rules.targets), rules.rank)
        order = longest_first(encoded_jobs)  # those trained together end together
        starts = [_start(base, group, shapes) for _, group in members]
        objective = Objective(base.model, sequences)
        objective.cache_teacher(table.taught.get(BASE, []), answered=table.answered)
        parents = {group.parent: start for (_, group), start in zip(members, starts, strict=True)}
        for parent in (parent for parent in parents if parent and parent in table.taught):
            with _adapters(base, rules, shapes, [parents[parent]]) as adapted:
                objective.cache_teacher(table.taught[parent], adapted, answered=table.answered)
        return cls(
            base=base,
            places=tuple(members[number][0] for number in order),
            encoded_jobs=tuple(encoded_jobs[number] for number in order),
            starts=tuple(starts[number] for number in order),
            objective=objective,
            shapes=shapes,
        )

    def plan(self, memory: int | None) -> tuple[int, bool]:
        """How many adapters fit into `memory` bytes (None: what is free), and whether activations are recomputed."""
        return self._fitting(available(self.base.device) if memory is None else memory)

    @property
    def steps(self) -> int:
        """Steps of all jobs."""
        return _steps(self.encoded_jobs)

    def train(self, plan: tuple[int, bool]) -> dict[int, TrainingResult]:
        """Trains all encoded jobs, as many at once as was planned, and returns the results by place."""
        fitting, recompute = plan
        learned: list[TrainingResult] = []
        with checkpointing(self.base.model, recompute):
            for first in range(0, len(self.encoded_jobs), fitting):
                turn, done = slice(first, first + fitting), _steps(self.encoded_jobs[:first])
                with (
                    self._adapters(self.starts[turn]) as adapted,
                    self.objective.attention(),
                    progress.part(done, _steps(self.encoded_jobs[turn]), self.steps),
                ):
                    learned += train_together(self.objective, adapted, self.encoded_jobs[turn])
        return dict(zip(self.places, learned, strict=True))

    def _fitting(self, budget: int) -> tuple[int, bool]:
        """How many adapters fit, and whether activations must be recomputed for it: only where not one fits without."""
        count = len(self.encoded_jobs)
        if self.need_at_most().of(count) <= budget:
            return count, False
        need = self._need_if_it_fits()
        if need is not None and need.of(1) <= budget:
            return how_many(need, budget), False
        # Going back, one block at a time is computed again: it is held beside what is kept between the blocks.
        whole = need or self.need_at_most()
        block = whole.activations // self.base.model.config.get_text_config().num_hidden_layers
        with checkpointing(self.base.model, True):
            frugal = self.need()
        return how_many(replace(frugal, activations=frugal.activations + block), budget), True

    def need_at_most(self) -> Need:
        """More than one adapter takes, without a measurement."""
        tokens, longest = (
            self.objective.padded_tokens(self._largest()),
            max(max(one.lengths) for one in self.encoded_jobs),
        )
        layers = linear_layers(self.base.model)
        activations = at_most(self.base.model, layers, tokens, longest)
        return self._need(activations)

    def _need_if_it_fits(self) -> Need | None:
        """As `need`; None where the measured step itself does not fit on the card."""
        import torch

        try:
            return self.need()
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return None

    def _largest(self) -> list[int]:
        """The rows of the largest step of any job; with padding, all are as long as the longest of any other."""
        if not self.objective.ragged:
            longest = max(max(zip(one.lengths, one.rows, strict=True)) for one in self.encoded_jobs)[1]
            return [longest] * max(min(one.group.rules.batch_size, len(one.rows)) for one in self.encoded_jobs)
        return max((encoded_job.largest() for encoded_job in self.encoded_jobs), key=self.objective.padded_tokens)

    def need(self) -> Need:
        """What one adapter takes, measured on the largest step of any encoded job."""
        largest = self._largest()
        owned = {parameter.untyped_storage().data_ptr() for parameter in self.base.model.parameters()}
        with self._adapters(self.starts[:1]) as adapted, self.objective.attention():
            owned |= {adapted.stack.flat.untyped_storage().data_ptr()}
            kept = activation_bytes(lambda: self.objective.losses(adapted, [Microbatch(rows=largest)]), owned)
        return self._need(kept)

    def _need(self, activations: int) -> Need:
        state = BYTES_A_PARAMETER * len(self.starts[0])
        return Need(state=state, activations=activations, once=logit_bytes(self.base.model))

    def _adapters(self, starts: "Sequence[torch.Tensor]") -> "AbstractContextManager[Adapted]":
        return _adapters(self.base, self.encoded_jobs[0].group.rules, self.shapes, starts)


def _adapters(
    base: BaseModel, rules: TrainingRules, shapes: Shapes, starts: "Sequence[torch.Tensor]"
) -> "AbstractContextManager[Adapted]":
    """The base with the adapters that start so, while the context lasts."""
    import torch

    stack = stack_of(torch.stack(list(starts)).to(base.device), shapes)
    return adapters_on(base.model, stack, scale=rules.alpha / rules.rank, targets=rules.targets)


def _steps(encoded_jobs: Sequence[EncodedJob]) -> int:
    return sum(one.steps for one in encoded_jobs)


def _check(base: BaseModel, group: TrainingJob) -> None:
    """Raises BadInput or BadRecipe for what no training could use."""
    rules = group.rules
    if rules.alpha > MAX_SCALE * rules.rank:
        raise BadInput(f"training.alpha is {rules.alpha}: it may be at most 4 x training.rank ({rules.rank}).")
    if not group.examples:
        raise BadInput("there is nothing to train on. Give each group at least one example.")
    target_names(base.model, rules.targets)


def _start(base: BaseModel, group: TrainingJob, shapes: Shapes) -> "torch.Tensor":
    """The adapter that a group starts from (parameters,): its parent's, or a fresh one."""
    parent = None if group.parent is None else parent_tensors(base, group.parent, group.rules, group.parent_adapter)
    return start_of(shapes, group.seed, parent)
