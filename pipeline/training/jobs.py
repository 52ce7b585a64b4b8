"""What one adapter is trained on and by which rules, as rows of a table that many adapters share. Knows no model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

from pipeline.chat import Encoded, encode_example
from pipeline.recipe import NO_DISTILLATION, RehearsalRules, TrainingRules
from pipeline.training.microbatch import Microbatch
from pipeline.training.sequences import epoch_order
from pipeline.types import Example, Role

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

_ANSWERED = {Role.REPLAY, Role.READING, Role.REHEARSAL}
BASE: Literal["base"] = "base"
Teacher = Path | Literal["base"]  # the directory of a parent's adapter, or the base model


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One adapter to train: its examples, its rules, the seed of its order and first weights, and its parent.

    `parent`: the directory of the adapter to start from (None: from the base), whose digest is `parent_adapter` where
    that is known. `rehearsal` says what holds it to the base model, and replay to the parent; by itself nothing:
    `kl_weight` weighs the KL and `hidden_state_weight` the distance of hidden states on the kinds `distilled`.
    """

    examples: tuple[Example, ...]
    rules: TrainingRules
    seed: int
    parent: Path | None = None
    parent_adapter: str | None = None
    rehearsal: RehearsalRules = NO_DISTILLATION


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingResult:
    """What became of a group: the adapter by PEFT's keys, and how its training went.

    `final_loss` is the mean over the last epoch; where it is not finite the adapter is of no use. `tokens` counts those
    of all sequences it saw.
    """

    tensors: "dict[str, torch.Tensor]"
    steps: int
    final_loss: float
    tokens: int


@dataclass(frozen=True, kw_only=True)
class EncodedJob:
    """A group's place in a table: its rows, and how many steps an epoch and the whole take."""

    group: TrainingJob
    rows: tuple[int, ...]
    lengths: tuple[int, ...]

    @property
    def epoch(self) -> int:
        """Steps of one epoch."""
        return -(-len(self.rows) // self.group.rules.batch_size)

    @property
    def steps(self) -> int:
        return self.epoch * self.group.rules.epochs

    def microbatches(self) -> Iterator[Microbatch]:
        """What each step learns from, in turn."""
        draw = Random(self.group.seed)
        for _ in range(self.group.rules.epochs):
            for batch in epoch_order(self.lengths, self.group.rules.batch_size, draw):
                yield self._portion(batch)

    def largest(self) -> list[int]:
        """The rows of the largest step that can come."""
        longest = sorted(range(len(self.rows)), key=lambda place: -self.lengths[place])
        return [self.rows[place] for place in longest[: self.group.rules.batch_size]]

    def _portion(self, places: Sequence[int]) -> Microbatch:
        """A step of the examples at these places."""
        examples, rules, held = self.group.examples, self.group.rules, self.group.rehearsal
        return Microbatch(
            rows=[self.rows[place] for place in places],
            weights=[weight_of(examples[place], rules) for place in places],
            kl_weight=held.kl_weight,
            hidden_state_weight=held.hidden_state_weight,
            by_tokens=rules.loss_reduction == "tokens",
        )


@dataclass
class SequenceTable:
    """The sequences of all groups, each once for each teacher; `taught` are the rows by who they are held to.

    `answered`: the rows whose words are the right answer, whatever their teacher says.
    """

    encoded: list[Encoded] = field(default_factory=list)
    taught: dict[Teacher, list[int]] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    _known: dict[tuple[Encoded, Teacher | None], int] = field(default_factory=dict)
    _read: dict[tuple[str, bool], Encoded] = field(default_factory=dict)

    def encoded_job(self, tokenizer: "PreTrainedTokenizerBase", group: TrainingJob) -> EncodedJob:
        """Puts a group's examples into the table and says where they are."""
        rows = [
            self._row(self._encode(tokenizer, one, is_whole(one, group.rules)), teacher_of(one, group))
            for one in group.examples
        ]
        self.answered |= {row for row, one in zip(rows, group.examples, strict=True) if is_answered(one)}
        lengths = tuple(len(self.encoded[row].ids) for row in rows)
        return EncodedJob(group=group, rows=tuple(rows), lengths=lengths)

    def _encode(self, tokenizer: "PreTrainedTokenizerBase", example: Example, whole: bool) -> Encoded:
        if (example.id, whole) not in self._read:
            self._read[example.id, whole] = encode_example(tokenizer, example, whole=whole)
        return self._read[example.id, whole]

    def _row(self, encoded: Encoded, teacher: Teacher | None) -> int:
        if (encoded, teacher) not in self._known:
            self._known[encoded, teacher] = len(self.encoded)
            if teacher is not None:
                self.taught.setdefault(teacher, []).append(len(self.encoded))
            self.encoded.append(encoded)
        return self._known[encoded, teacher]


def is_whole(example: Example, rules: TrainingRules) -> bool:
    """Whether the example's prompt is learned as well: by its own word, else by the rules'."""
    return (example.loss_on or rules.loss_on) == "all"


def weight_of(example: Example, rules: TrainingRules) -> float:
    """What an example weighs in a step: what is rehearsed one, the run's as the rules say, and of corrections more.

    They take the place of what the model is sure of, against all that holds it, this run and on later runs.
    """
    own = rules.new_weight if example.role is Role.NEW else 1.0
    return own * rules.correction_weight if example.corrects else own


def is_answered(example: Example) -> bool:
    """Whether its words are the right answer to its prompt, and not just what its teacher or a text happens to say."""
    return example.role in _ANSWERED and bool(example.prompt)


def teacher_of(example: Example, group: TrainingJob) -> Teacher | None:
    """Who an example is held to: replay to the group's parent, all else to the base; None: to nobody."""
    held = group.rehearsal
    if held.kl_weight + held.hidden_state_weight == 0.0 or example.role not in held.distilled:
        return None
    return group.parent if example.role is Role.REPLAY else BASE


def longest_first(encoded_jobs: Sequence[EncodedJob]) -> list[int]:
    """The encoded jobs' places, those with the most steps first, so that those trained together end together."""
    return sorted(range(len(encoded_jobs)), key=lambda place: (-encoded_jobs[place].steps, place))
