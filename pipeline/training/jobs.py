"""A training job: what one adapter starts from and is trained on, as rows of a table that many jobs share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random
from typing import Literal

import torch

from pipeline.adapters.attachment import check_fit, target_names
from pipeline.adapters.format import read_tensors, verify_adapter
from pipeline.chat import Encoded, Tokenizer, encode_example
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput
from pipeline.recipe import NO_DISTILLATION, RehearsalRules, TrainingRules
from pipeline.training.sequences import epoch_order
from pipeline.training.usual_inputs import matrices_a_layer
from pipeline.types import Checkpoint, Example, Role

_DEALT_OUT = {Role.REHEARSAL, Role.GENERATIVE, Role.REPLAY}
_DEALT_OVER = 5  # epochs at most: of more, each of them learns a fifth
_ANSWERED = {Role.REPLAY, Role.READING, Role.REHEARSAL}
BASE: Literal["base"] = "base"
Teacher = Checkpoint | Literal["base"]


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One adapter to train: its examples, its rules, the seed of its order and first weights, and its parent.

    `parent`: the checkpoint whose adapter training starts from; None, or one without a folder: a new adapter. Its
    digest is checked where `parent.ref` names one.
    `rehearsal`: the weights of the two distillation losses, and the roles that are distilled (by default none).
    `held`: of a job that trains beside its parent, the parent's rank: the first so many ranks stay as they are.
    `merged_rank`: the rank of what such a job leaves; 0: as it is trained.
    """

    examples: tuple[Example, ...]
    rules: TrainingRules
    seed: int
    parent: Checkpoint | None = None
    rehearsal: RehearsalRules = NO_DISTILLATION
    held: int = 0
    merged_rank: int = 0

    @property
    def given(self) -> int:
        """The ranks that start as the parent has them: none, all, or those that are held."""
        return self.held or (self.rules.rank if self.warm_start else 0)

    @property
    def warm_start(self) -> Checkpoint | None:
        """The parent, if it has an adapter."""
        return self.parent if self.parent and self.parent.folder else None


@dataclass(frozen=True)
class Hold:
    """How strongly a row is held to its teacher: the weights of the KL to its logits and of its hidden states."""

    kl: float = 0.0
    hidden_states: float = 0.0


FREE = Hold()


@dataclass(frozen=True, kw_only=True)
class Microbatch:
    """What one adapter learns from in one step: rows of the table, and their weights in the loss (none: all alike).

    `holds`: the weights of the two distillation losses on each row (none: no row is distilled). `by_tokens`: whether
    every learned token counts alike, or every sequence, as in SEAL's steps of one sequence.
    """

    rows: Sequence[int]
    weights: Sequence[float] = ()
    holds: Sequence["Hold"] = ()
    by_tokens: bool = True

    @property
    def row_holds(self) -> Sequence["Hold"]:
        """The distillation weights of each row."""
        return self.holds or [FREE] * len(self.rows)

    def shares(self, learned: Sequence[int]) -> list[float]:
        """The weight of one learned token of each row, given each row's number of them; all tokens' sum is one."""
        weights = self.weights or [1.0] * len(self.rows)
        if self.by_tokens:
            whole = sum(weight * count for weight, count in zip(weights, learned, strict=True))
            return [weight / whole for weight in weights]
        return [weight / (sum(weights) * count) for weight, count in zip(weights, learned, strict=True)]


@dataclass(frozen=True, kw_only=True)
class EncodedJob:
    """A job with its examples' rows in the table and their lengths in tokens."""

    job: TrainingJob
    rows: tuple[int, ...]
    lengths: tuple[int, ...]

    @cached_property
    def epoch(self) -> int:
        """Steps of one epoch."""
        return -(-len(self.places(0)) // self.job.rules.batch_size)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.epoch * self.job.rules.epochs

    def places(self, epoch: int) -> list[int]:
        """The places of the examples that an epoch learns from; every epoch has as many.

        Those that are dealt out come role by role in an order drawn by the seed, each at least once in five epochs;
        where they do not come out even, an epoch also learns the first of the next one's.
        """
        own = {place for dealt in self._dealt for place in self._share(dealt, epoch)}
        return [place for place in range(len(self.rows)) if place in own or place not in self._dealt_places]

    def _share(self, dealt: Sequence[int], epoch: int) -> Iterator[int]:
        count, over = len(dealt), min(self.job.rules.epochs, _DEALT_OVER)
        return (dealt[(epoch * count // over + turn) % count] for turn in range(-(-count // over)))

    @cached_property
    def _dealt(self) -> list[list[int]]:
        """The places of what is dealt out, by role."""
        found: dict[Role, list[int]] = {}
        for place, one in enumerate(self.job.examples):
            if is_dealt_out(one, self.job.rehearsal):
                found.setdefault(one.role, []).append(place)
        draw = Random(self.job.seed)
        return [draw.sample(own, len(own)) for own in found.values()]

    @cached_property
    def _dealt_places(self) -> frozenset[int]:
        return frozenset(place for own in self._dealt for place in own)

    def tokens(self, epochs: int) -> int:
        """Tokens of the first so many epochs."""
        return sum(self.lengths[place] for epoch in range(epochs) for place in self.places(epoch))

    def microbatches(self) -> Iterator[Microbatch]:
        """What each step learns from, in turn."""
        draw = Random(self.job.seed)
        for epoch in range(self.job.rules.epochs):
            places = self.places(epoch)
            lengths = [self.lengths[place] for place in places]
            for batch in epoch_order(lengths, self.job.rules.batch_size, draw):
                yield self._microbatch([places[one] for one in batch])

    def largest(self) -> list[int]:
        """The rows of the largest step that is possible."""
        longest = sorted(range(len(self.rows)), key=lambda place: -self.lengths[place])
        return [self.rows[place] for place in longest[: self.job.rules.batch_size]]

    def _microbatch(self, places: Sequence[int]) -> Microbatch:
        examples = [self.job.examples[place] for place in places]
        return Microbatch(
            rows=[self.rows[place] for place in places],
            weights=[weight_of(example, self.job.rules) for example in examples],
            holds=[hold_of(example, self.job) for example in examples],
            by_tokens=self.job.rules.loss_reduction == "tokens",
        )


@dataclass
class SequenceTable:
    """The sequences of all jobs, each once for each teacher.

    `distilled`: rows by teacher. `answered`: rows whose completion is known to be right, whatever their teacher says.
    `taught`: of rows that the base model teaches under another prompt, the sequence that it sees, by row.
    """

    encoded: list[Encoded] = field(default_factory=list)
    distilled: dict[Teacher, list[int]] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    taught: dict[int, Encoded] = field(default_factory=dict)
    _rows: dict[tuple[Encoded, Teacher | None, Encoded | None], int] = field(default_factory=dict)
    _examples: dict[tuple[str, bool], Encoded] = field(default_factory=dict)

    def encoded_job(self, tokenizer: Tokenizer, job: TrainingJob) -> EncodedJob:
        """Puts a job's examples into the table."""
        rows = [
            self._row(
                self._encode(tokenizer, one, is_whole(one, job.rules)),
                teacher_of(one, job),
                lesson_of(tokenizer, one, job.rules),
            )
            for one in job.examples
        ]
        self.answered |= {row for row, one in zip(rows, job.examples, strict=True) if is_answered(one)}
        return EncodedJob(job=job, rows=tuple(rows), lengths=tuple(len(self.encoded[row].ids) for row in rows))

    def _encode(self, tokenizer: Tokenizer, example: Example, whole: bool) -> Encoded:
        if (example.id, whole) not in self._examples:
            self._examples[example.id, whole] = encode_example(tokenizer, example, whole=whole)
        return self._examples[example.id, whole]

    def _row(self, encoded: Encoded, teacher: Teacher | None, lesson: Encoded | None) -> int:
        key = encoded, teacher, lesson
        if key not in self._rows:
            row = self._rows[key] = len(self.encoded)
            if lesson is not None:
                self.taught[row] = lesson
            elif teacher is not None:
                self.distilled.setdefault(teacher, []).append(row)
            self.encoded.append(encoded)
        return self._rows[key]


def is_whole(example: Example, rules: TrainingRules) -> bool:
    """Whether the example's prompt is learned as well: as the example says, else as the rules say."""
    return (example.loss_on or rules.loss_on) == "all"


def weight_of(example: Example, rules: TrainingRules) -> float:
    """The weight of an example in a step's loss: 1 if it is rehearsed, else `new_weight`.

    Corrections weigh `correction_weight` times as much, since they must outweigh the distillation loss.
    """
    own = rules.new_weight if example.role is Role.NEW else 1.0
    return own * rules.correction_weight if example.corrects else own


def is_dealt_out(example: Example, rules: RehearsalRules) -> bool:
    """Whether an example is not learned in every epoch: what is rehearsed, but for corrections, which must hold."""
    return rules.dealt_out and example.role in _DEALT_OUT and not example.corrects


def is_answered(example: Example) -> bool:
    """Whether its completion is known to be the right answer to its prompt, rather than a sample or plain text."""
    return example.role in _ANSWERED and bool(example.prompt)


def is_taught(example: Example, rules: TrainingRules) -> bool:
    """Whether the base model teaches it under another prompt; replay is held to the parent, which has learned it."""
    return example.taught_by is not None and example.role is Role.NEW and rules.teaching_weight > 0.0


def lesson_of(tokenizer: Tokenizer, example: Example, rules: TrainingRules) -> Encoded | None:
    """The completion under the teacher's own prompt, where an example has one and the rules learn from it."""
    if not is_taught(example, rules):
        return None
    return encode_example(tokenizer, replace(example, prompt=example.taught_by or ""))


def hold_of(example: Example, job: TrainingJob) -> Hold:
    """An example's distillation weights. Hidden states are not held where the teacher sees what the model does not."""
    if is_taught(example, job.rules):
        return Hold(kl=job.rules.teaching_weight)
    return Hold(kl=job.rehearsal.kl_weight, hidden_states=job.rehearsal.hidden_state_weight)


def teacher_of(example: Example, job: TrainingJob) -> Teacher | None:
    """The teacher an example is distilled from: of replay the job's parent, of all else the base; None: no teacher."""
    rules = job.rehearsal
    if rules.kl_weight + rules.hidden_state_weight == 0.0 or example.role not in rules.distilled:
        return None
    return job.warm_start if example.role is Role.REPLAY else BASE


def usual(job: TrainingJob) -> tuple[str, ...]:
    """Ids of the examples that the base model teaches as it is: their inputs are a layer's usual ones, if wanted."""
    if not matrices_a_layer(job.rules):
        return ()
    return tuple(one.id for one in job.examples if teacher_of(one, job) == BASE)


def longest_first(encoded_jobs: Sequence[EncodedJob]) -> list[int]:
    """The jobs' places, those with the most steps first, so that jobs trained together end together."""
    return sorted(range(len(encoded_jobs)), key=lambda place: (-encoded_jobs[place].steps, place))


def parent_tensors(base: BaseModel, parent: Checkpoint | None, rules: TrainingRules) -> dict[str, torch.Tensor] | None:
    """The tensors of the parent's adapter, by PEFT's keys; None where there is no parent, or it has no adapter.

    Raises CorruptAdapter or WrongBase; BadInput where it is not the adapter that `parent.ref` names, or its rank, alpha
    or layers are not those that `rules` train.
    """
    if parent is None or parent.folder is None:
        return None
    folder, adapter = parent.folder, parent.ref.adapter
    manifest = verify_adapter(folder, base.identity)
    if adapter is not None and manifest.adapter != adapter:
        raise BadInput(f"{folder} is adapter {manifest.adapter[:12]}, not the plan's parent {adapter[:12]}.")
    if (manifest.rank, manifest.alpha) != (rules.rank, rules.alpha):
        raise BadInput(
            f"the production adapter has rank {manifest.rank} and alpha {manifest.alpha}, the recipe {rules.rank} and "
            f"{rules.alpha}: an update keeps its parent's. Change the recipe back, or rebuild from the base."
        )
    targets = target_names(base.model, rules.targets)
    if manifest.target_modules != targets:
        raise BadInput(
            f"the production adapter changes the layers {', '.join(manifest.target_modules)}, the recipe's are "
            f"{', '.join(targets)}: an update keeps its parent's. Change training.targets back, or rebuild."
        )
    tensors = read_tensors(folder)
    check_fit(tensors, base.model, rules.alpha / rules.rank, manifest.target_modules)
    return tensors
