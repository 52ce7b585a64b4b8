"""The writer as a policy: the chances it gives its own notes, and GRPO's steps on them. Writes no file.

Chances are at the temperature at which notes are sampled; that sampling leaves out what is beyond top_p is ignored.
On the adapters of `pipeline.updates`, so that what it becomes is saved, gated and served as any other update is.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING

from pipeline.adapters.stack import start_of
from pipeline.chat import Encoded, encode_example
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel
from pipeline.recipe import Recipe, TrainingRules, WriterTrainingRules
from pipeline.training import Adapted, Optimiser, TokenLayout, TrainingResult, adapter_shapes, with_adapters
from pipeline.types import Example
from pipeline.writer_training.grpo import advantages, token_losses
from pipeline.writer_training.rest_em import writer_rules
from pipeline.writer_training.scored import Scored

if TYPE_CHECKING:
    import torch

    Tensors = Mapping[str, torch.Tensor]

_ROWS = 16  # sequences whose logits are held at once


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A note as it was written, and how much better than its document's others it is."""

    example: Example
    advantage: float


def judged(scored: Sequence[Scored]) -> tuple[Judged, ...]:
    """The notes of a round with their advantages among those of their document; none of what taught all alike.

    Nor a note that asks what must not be asked, however little it may be worth: it would be trained on.
    """
    groups: dict[str, list[Scored]] = {}
    for one in scored:
        groups.setdefault(one.sample.document.id, []).append(one)
    return tuple(
        Judged(example=example, advantage=advantage)
        for group in groups.values()
        if len({(one.trial.gain, one.trial.forgotten) for one in group}) > 1  # else length alone would decide
        for one, advantage in zip(group, advantages([one.reward for one in group]), strict=True)
        if advantage and not one.sample.asks
        for example in one.sample.written
    )


def improve(
    base: BaseModel,
    notes: Sequence[Judged],
    recipe: Recipe,
    *,
    writer: "Tensors | None",
    live: "Tensors | None",
    seed: int,
) -> TrainingResult:
    """The writer (None: the base) after GRPO's steps on one round's notes. `live`: whom it may not leave far behind.

    The round's notes are gone through `writer_training.passes` times; in the first step nothing is clipped, since the
    writer is still the one that wrote them.
    """
    rules, writer_training = writer_rules(recipe), recipe.writer_training
    lesson = _NoteBatch(
        base=base,
        writer_training=writer_training,
        encoded=[encode_example(base.tokenizer, note.example) for note in notes],
        gains=[note.advantage for note in notes],
    )
    before, reference = (lesson.chances_under(rules, tensors) for tensors in (writer, live))
    steps, mean = 0, 0.0
    with _adapted(base, rules, writer) as adapted:
        optimiser = Optimiser(adapted.stack, [rules])
        for number in range(writer_training.passes):
            batches = _batches(len(notes), writer_training.batch_size, seed_from("grpo", seed, number))
            losses = [lesson.step(adapted, optimiser, batch, before, reference) for batch in batches]
            steps, mean = steps + len(batches), fmean(losses)
        tensors = adapted.stack.tensors(0)
    tokens = writer_training.passes * sum(len(one.ids) for one in lesson.encoded)
    return TrainingResult(tensors=tensors, steps=steps, final_loss=mean, tokens=tokens)


@dataclass(frozen=True, eq=False, kw_only=True)
class _NoteBatch:
    """The notes of one round as tokens, with their advantages."""

    base: BaseModel
    writer_training: WriterTrainingRules
    encoded: Sequence[Encoded]
    gains: Sequence[float]

    def chances_under(self, rules: TrainingRules, tensors: "Tensors | None") -> "list[torch.Tensor]":
        """The log-chance of each note's tokens, note by note, under the adapter of these tensors (None: the base)."""
        import torch

        chances: list[torch.Tensor] = []
        with torch.no_grad(), _adapted(self.base, rules, tensors) as adapted:
            for some in _pieces(range(len(self.encoded))):
                chances += self._chances(adapted, some)
        return chances

    def step(
        self,
        adapted: Adapted,
        optimiser: Optimiser,
        batch: Sequence[int],
        before: "Sequence[torch.Tensor]",
        live: "Sequence[torch.Tensor]",
    ) -> float:
        """One step on the notes of `batch`, of which each counts alike. Returns the loss."""
        import torch

        total = 0.0
        for some in _pieces(batch):
            losses = [
                token_losses(
                    now,
                    before[place],
                    live[place],
                    torch.full_like(now, self.gains[place]),
                    clip=self.writer_training.clip,
                    kl=self.writer_training.kl_weight,
                ).mean()
                for place, now in zip(some, self._chances(adapted, some), strict=True)
            ]
            loss = torch.stack(losses).sum() / len(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        optimiser.step([1.0])
        return total

    def _chances(self, adapted: Adapted, some: Sequence[int]) -> "list[torch.Tensor]":
        """Padded on the right, where causal attention never looks."""
        import torch

        rows = [self.encoded[place] for place in some]
        longest = max(len(row.ids) for row in rows)
        ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in rows], device=self.base.device)
        adapted.tokens = TokenLayout(1, len(rows))
        logits = self.base.model(input_ids=ids, use_cache=False).logits
        chances = []
        for number, row in enumerate(rows):
            learned = [place for place, taught in enumerate(row.loss) if taught and place]
            places = torch.tensor(learned, device=self.base.device)
            said = (logits[number, places - 1].float() / self.writer_training.temperature).log_softmax(-1)
            chances.append(said.gather(1, ids[number, places][:, None])[:, 0])
        return chances


def _adapted(base: BaseModel, rules: TrainingRules, tensors: "Tensors | None") -> AbstractContextManager[Adapted]:
    return with_adapters(base, rules, [start_of(adapter_shapes(base, rules), 0, tensors)])


def _batches(count: int, size: int, seed: int) -> list[list[int]]:
    order = Random(seed).sample(range(count), count)
    return [order[first : first + size] for first in range(0, count, size)]


def _pieces(batch: Sequence[int]) -> list[list[int]]:
    return [list(batch[first : first + _ROWS]) for first in range(0, len(batch), _ROWS)]
