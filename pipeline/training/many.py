"""Trains K LoRA adapters of one base at once: each as it would be trained alone, all in one batch. Writes no file.

The bottleneck of SEAL (arXiv 2506.10943) is its inner loop, one candidate after another. Here the adapters' steps run
in lockstep: one pass of the base for all, batched products for the adapters, and each its own data, order, learning
rate, epochs, clipping, optimiser state and end. As many run together as fit into memory, which is measured.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from pipeline import progress
from pipeline.adapters.attachment import linear_layers, target_names
from pipeline.adapters.format import MAX_SCALE
from pipeline.adapters.saving import TrainingResult
from pipeline.adapters.stack import Shapes, Tensors, interpolated, start_of
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules
from pipeline.training import memory
from pipeline.training.beside import merged, parent_rules, start_beside, unmerged, widened
from pipeline.training.jobs import (
    BASE,
    EncodedJob,
    Microbatch,
    SequenceTable,
    TrainingJob,
    longest_first,
    parent_tensors,
    usual,
)
from pipeline.training.lockstep import Regularisation, train_together
from pipeline.training.lora_linear import adapter_shapes, with_adapters
from pipeline.training.objective import Objective
from pipeline.training.output_penalty import output_penalty
from pipeline.training.preconditioning import preconditioner
from pipeline.training.sequences import check_length, make_sequences
from pipeline.training.usual_inputs import bytes_at_most, usual_covariances
from pipeline.types import Checkpoint


def train_many(
    base: BaseModel, jobs: Sequence[TrainingJob], *, max_bytes: int | None = None
) -> tuple[TrainingResult, ...]:
    """Trains every job's adapter and returns the results in the jobs' order; the base is left as it was.

    `max_bytes`: memory to use at most (None: what is free); jobs that do not fit beside the others are trained after
    them. Reports progress in steps of all jobs.
    Raises, before any training: BadInput (no job, nothing to learn, a sequence too long, an unusable rule or parent),
    BadRecipe (a target that cannot take LoRA), CorruptAdapter or WrongBase (a parent), and TooLittleMemory where not
    even one adapter fits.
    """
    if not jobs:
        raise BadInput("there is no adapter to train. Give at least one job.")
    try:
        return _train_all(base, [widened(one) for one in jobs], max_bytes)
    finally:
        memory.give_back()  # bisecting a run trains dozens of times in one process


def _train_all(base: BaseModel, jobs: Sequence[TrainingJob], max_bytes: int | None) -> tuple[TrainingResult, ...]:
    batches = [JobBatch.of(base, [(place, jobs[place]) for place in places]) for places in _same_shape(jobs)]
    total, done = sum(batch.steps for batch in batches), 0
    plans = [batch.plan(max_bytes) for batch in batches]  # of all, before any is trained
    results: dict[int, TrainingResult] = {}
    for batch, plan in zip(batches, plans, strict=True):
        with progress.part(done, batch.steps, total):
            results |= batch.train(plan)
        done += batch.steps
    return tuple(results[place] for place in range(len(jobs)))


def _same_shape(jobs: Sequence[TrainingJob]) -> list[list[int]]:
    """The places of the jobs that can share a stack: of one rank, alpha, choice of layers, and usual inputs."""
    found: dict[tuple[object, ...], list[int]] = {}
    for place, job in enumerate(jobs):
        rules = job.rules
        regularised = rules.covariance_damping, rules.output_penalty, usual(job)
        shape = rules.rank, rules.alpha, rules.targets, *regularised
        found.setdefault(shape, []).append(place)
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How many adapters are trained at once, and whether activations are recomputed in the backward pass."""

    at_once: int
    recompute: bool


@dataclass(frozen=True, eq=False)
class JobBatch:
    """Jobs whose adapters have one shape, encoded, with each one's place among the results and first parameters.

    `usual`: ids of the rows that the base model teaches as they are, which are the same for all.
    """

    base: BaseModel
    places: tuple[int, ...]
    jobs: tuple[EncodedJob, ...]
    starts: tuple[torch.Tensor, ...]
    objective: Objective
    usual: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, base: BaseModel, members: Sequence[tuple[int, TrainingJob]]) -> "JobBatch":
        """Checks and encodes the jobs, and caches their teachers' states. Raises as `train_many` says."""
        for _, job in members:
            _check(base, job)
        rules, table = members[0][1].rules, SequenceTable()
        encoded_jobs = [table.encoded_job(base.tokenizer, job) for _, job in members]
        for one in encoded_jobs:
            check_length(one.lengths, min(one.job.rules.max_tokens or base.context, base.context))
        sequences = make_sequences(table.encoded, base.context, base.device)
        shapes, order = adapter_shapes(base, rules), longest_first(encoded_jobs)
        starts = [_start(base, job, shapes) for _, job in members]
        objective = Objective(base.model, sequences)
        if table.distilled or table.taught:
            parents = {job.warm_start: start for (_, job), start in zip(members, starts, strict=True)}
            with progress.step("caching the teachers' states"):
                _cache_teachers(objective, base, rules, table, parents)
        return cls(
            base=base,
            places=tuple(members[number][0] for number in order),
            jobs=tuple(encoded_jobs[number] for number in order),
            starts=tuple(starts[number] for number in order),
            objective=objective,
            usual=tuple(table.encoded[row].ids for row in table.distilled.get(BASE, [])),
        )

    @property
    def steps(self) -> int:
        """Steps of all jobs."""
        return _steps(self.jobs)

    def plan(self, max_bytes: int | None) -> TrainingPlan:
        """What fits into `max_bytes` (None: what is free). Recomputes only where not even one adapter fits without.

        Raises TooLittleMemory.
        """
        budget = memory.available(self.base.device) if max_bytes is None else max_bytes
        if self.need_at_most().of(len(self.jobs)) <= budget:
            return TrainingPlan(at_once=len(self.jobs), recompute=False)
        need = self._need_if_it_fits()
        if need is not None and need.of(1) <= budget:
            return TrainingPlan(at_once=memory.how_many(need, budget), recompute=False)
        # The backward pass recomputes one block at a time, whose activations add to what is kept between the blocks.
        whole = need or self.need_at_most()
        block = whole.activations // self.base.model.config.get_text_config().num_hidden_layers
        with memory.checkpointing(self.base.model, True):
            frugal = self.need()
        frugal = replace(frugal, activations=frugal.activations + block)
        return TrainingPlan(at_once=memory.how_many(frugal, budget), recompute=True)

    def train(self, plan: TrainingPlan) -> dict[int, TrainingResult]:
        """Trains all jobs, as many at once as planned, and returns the results by place."""
        results: list[TrainingResult] = []
        rules = self.jobs[0].job.rules
        regularisation = self._regularisation(rules)
        with memory.checkpointing(self.base.model, plan.recompute):
            for first in range(0, len(self.jobs), plan.at_once):
                turn = slice(first, first + plan.at_once)
                with (
                    with_adapters(self.base, rules, self.starts[turn]) as adapted,
                    self.objective.attention(),
                    progress.part(_steps(self.jobs[:first]), _steps(self.jobs[turn]), self.steps),
                ):
                    results += train_together(self.objective, adapted, self.jobs[turn], regularisation)
        return dict(zip(self.places, self._kept(results), strict=True))

    def _regularisation(self, rules: TrainingRules) -> Regularisation:
        """What keeps the adapters out of usual inputs; a covariance that only the preconditioner needed is let go."""
        covariances = usual_covariances(self.base, rules, self.usual)
        return Regularisation(preconditioner(covariances, rules), output_penalty(self.base, covariances, rules))

    def _kept(self, results: Sequence[TrainingResult]) -> list[TrainingResult]:
        """The results with as much of their change as their rules keep, and merged with a parent that was held.

        One that diverged has no finite loss, and the shape of the others: whoever asked for it drops it.
        """
        shapes = adapter_shapes(self.base, self.jobs[0].job.rules)
        return [
            replace(result, tensors=_changed(result.tensors, start, shapes, one.job))
            if _is_sound(result)
            else replace(result, tensors=_diverged(result.tensors, one.job), final_loss=math.nan)
            for result, start, one in zip(results, self.starts, self.jobs, strict=True)
        ]

    def need_at_most(self) -> memory.Need:
        """An upper bound of what one adapter takes, without a measurement."""
        tokens, longest = self.objective.padded_tokens(self._largest()), max(max(one.lengths) for one in self.jobs)
        return self._need(memory.at_most(self.base.model, linear_layers(self.base.model), tokens, longest))

    def need(self) -> memory.Need:
        """What one adapter takes in the largest step of any job, as if its sequences shared nothing.

        Measured on the longest of that step's sequences, usually a quarter of its tokens.
        """
        largest = self._largest()
        tokens, longest = self.objective.padded_tokens(largest), self._longest_of(largest)
        owned = {parameter.untyped_storage().data_ptr() for parameter in self.base.model.parameters()}
        rules = self.jobs[0].job.rules
        with with_adapters(self.base, rules, self.starts[:1]) as adapted, self.objective.attention():
            owned |= {adapted.stack.flat.untyped_storage().data_ptr()}
            kept = memory.activation_bytes(
                lambda: self.objective.losses(adapted, [Microbatch(rows=longest)], shared=False), owned
            )
        return self._need(math.ceil(kept * tokens / self.objective.padded_tokens(longest)))

    def _longest_of(self, rows: Sequence[int]) -> list[int]:
        """The longest of a step's rows, so many that they have at least a quarter of its tokens.

        All of them where each learned token keeps its logits: those are not as the tokens are.
        """
        if not self.objective.plain_head:
            return list(rows)
        ordered = sorted(rows, key=lambda row: -self.objective.padded_tokens([row]))
        quarter = self.objective.padded_tokens(rows) / 4
        counts = range(1, len(ordered) + 1)
        return next(ordered[:count] for count in counts if self.objective.padded_tokens(ordered[:count]) >= quarter)

    def _need_if_it_fits(self) -> memory.Need | None:
        """As `need`; None where the measured step itself does not fit on the card."""
        try:
            return self.need()
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return None

    def _need(self, activations: int) -> memory.Need:
        rules = self.jobs[0].job.rules
        matrices, damped = bytes_at_most(self.base, rules), rules.covariance_damping is not None
        state = (memory.BYTES_A_PARAMETER + (memory.BYTES_PRECONDITIONED if damped else 0)) * len(self.starts[0])
        once = memory.logit_bytes(self.base.model) + matrices
        return memory.Need(state=state, activations=activations, once=once)

    def _largest(self) -> list[int]:
        """The rows of the largest step of any job; with padding, all are as long as the longest of any job."""
        if not self.objective.ragged:
            longest = max(max(zip(one.lengths, one.rows, strict=True)) for one in self.jobs)[1]
            return [longest] * max(min(one.job.rules.batch_size, len(one.rows)) for one in self.jobs)
        return max((one.largest() for one in self.jobs), key=self.objective.padded_tokens)


def _cache_teachers(
    objective: Objective,
    base: BaseModel,
    rules: TrainingRules,
    table: SequenceTable,
    parents: Mapping[Checkpoint | None, torch.Tensor],
) -> None:
    """Caches what the base model says, what it says with the documents, and what the parents say. Reports in rows."""
    total = sum(map(len, table.distilled.values())) + len(table.taught)
    own, taught = table.distilled.get(BASE, []), list(table.taught)
    with progress.part(0, len(own), total):
        objective.cache_teacher(own, answered=table.answered)
    if taught:
        lessons = make_sequences(list(table.taught.values()), base.context, base.device)
        with progress.part(len(own), len(taught), total):
            objective.cache_lessons(taught, lessons)
    done = len(own) + len(taught)
    for parent in (parent for parent in parents if parent and parent in table.distilled):
        rows = table.distilled[parent]
        with with_adapters(base, rules, [parents[parent]]) as adapted, progress.part(done, len(rows), total):
            objective.cache_teacher(rows, adapted, answered=table.answered)
        done += len(rows)


def _is_sound(result: TrainingResult) -> bool:
    finite = all(bool(tensor.isfinite().all()) for tensor in result.tensors.values())
    return finite and math.isfinite(result.final_loss)


def _changed(tensors: Tensors, start: torch.Tensor, shapes: Shapes, job: TrainingJob) -> dict[str, torch.Tensor]:
    return merged(tensors, job) if job.merged_rank else interpolated(tensors, start, shapes, job.rules.interpolation)


def _diverged(tensors: Tensors, job: TrainingJob) -> dict[str, torch.Tensor]:
    return unmerged(tensors, job) if job.merged_rank else dict(tensors)


def _start(base: BaseModel, job: TrainingJob, shapes: Shapes) -> torch.Tensor:
    """The parameters (parameters,) that a job's training starts from."""
    parent = parent_tensors(base, job.parent, parent_rules(job))
    beside = start_beside(job, parent) if parent is not None and job.held else parent
    return start_of(shapes, job.seed, beside)


def _steps(jobs: Sequence[EncodedJob]) -> int:
    return sum(one.steps for one in jobs)


def _check(base: BaseModel, job: TrainingJob) -> None:
    """Raises BadInput or BadRecipe for a job that cannot be trained."""
    rules = job.rules
    if rules.alpha > MAX_SCALE * rules.rank:
        raise BadInput(f"training.alpha is {rules.alpha}: it may be at most 4 x training.rank ({rules.rank}).")
    if job.held and rules.weight_decay:
        raise BadInput("training.weight_decay would fade what stays as it is: set it to 0, or beside_parent to false.")
    if rules.output_penalty and job.given and not job.held:
        raise BadInput(
            "training.output_penalty would fade what production has learned: set beside_parent to true, or it to 0."
        )
    if not job.examples:
        raise BadInput("there is nothing to train on. Give each job at least one example.")
    target_names(base.model, rules.targets)
