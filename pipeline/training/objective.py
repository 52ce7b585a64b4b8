"""What a training step minimises, adapter by adapter: the loss on learned tokens, on some a distance to a teacher.

Logits are computed where they are scored, and nowhere else. Knows no optimiser and no file.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from pipeline.errors import BadInput
from pipeline.training.batch import Batch
from pipeline.training.layers import Adapted
from pipeline.training.microbatch import Microbatch
from pipeline.training.sequences import Sequences

if TYPE_CHECKING:
    import torch

_TEACHER_TOKENS = 4_096


class Objective:
    """The losses of a step under a model that carries K adapters. Built while it carries none."""

    def __init__(self, model: Any, sequences: Sequences) -> None:
        import torch

        from pipeline.training.ragged import can_be_ragged

        self._model = model
        self._body, self._head = model.base_model, model.get_output_embeddings()
        self._plain_head, self.ragged = can_distil(model), can_be_ragged(model)
        self._sequences = sequences
        self._teacher = torch.zeros(0, 0)
        self._taught_at = torch.full((int(sequences.learned_starts[-1]),), -1)

    def cache_teacher(
        self, rows: Sequence[int], adapted: Adapted | None = None, answered: Collection[int] = frozenset()
    ) -> None:
        """Keeps the last hidden states that the model as it is now has at these rows' learned tokens: their teacher.

        On the rows in `answered` it is heard only where it would say the learned word: what it has lost, or never knew,
        the words teach. `adapted`: the one adapter that it carries; None: it is the base model. Raises BadInput
        where the model's head is not a plain product: its states are not what the logits are from.
        """
        import torch

        if rows and not self._plain_head:
            raise BadInput(
                "this model scales or caps its logits: rehearsal.kl_weight and advanced.rehearsal.hidden_state_weight "
                "must be 0."
            )
        heard, count = [self._teacher] if len(self._teacher) else [], len(self._teacher)
        with torch.no_grad(), self.attention():
            for piece in self._pieces(rows):
                own = [piece]
                step = self._sequences.batch(own, padded=not self.ragged)
                if adapted:
                    adapted.parts = step.parts
                said = self._states(step)
                places = torch.arange(count, count + len(said))
                asked = self._among(piece, answered).nonzero()[:, 0]
                places[asked[~self._right(said[asked], step.targets[asked])]] = -1
                self._taught_at[self._sequences.spans(own)] = places
                heard.append(said.cpu())
                count += len(said)
        self._teacher = torch.cat(heard) if heard else self._teacher

    def _pieces(self, rows: Sequence[int]) -> Iterator[list[int]]:
        """The rows in turn, as many at once as have few tokens together."""
        piece: list[int] = []
        for row in rows:
            if piece and self.padded_tokens([*piece, row]) > _TEACHER_TOKENS:
                yield piece
                piece = []
            piece.append(row)
        if piece:
            yield piece

    def _right(self, states: "torch.Tensor", targets: "torch.Tensor") -> "torch.Tensor":
        """Where the model would say the target (M,), without all logits at once."""
        import torch

        from pipeline.training.head import states_at_once

        count = states_at_once(len(self._head.weight))
        right = torch.zeros_like(targets, dtype=torch.bool)
        for start in range(0, len(states), count):
            piece = slice(start, start + count)
            right[piece] = self._head(states[piece]).argmax(-1) == targets[piece]
        return right.cpu()

    def _among(self, rows: Sequence[int], some: Collection[int]) -> "torch.Tensor":
        """Which of the rows' learned tokens (M,) are of rows among `some`."""
        import torch

        counts = torch.tensor([self._sequences.learned_in([row]) for row in rows])
        return torch.tensor([row in some for row in rows]).repeat_interleave(counts)

    def losses(self, adapted: Adapted, microbatches: Sequence[Microbatch]) -> "torch.Tensor":
        """For each adapter (K,) the weighted mean over its microbatch's learned tokens of cross-entropy and distance.

        The distance is kl_weight * KL(teacher || model) + state kl_weight * the squared distance of the last hidden
        states, in shares of the teacher's size (FitNets, Romero et al. 2015, arXiv 1412.6550). The adapters are told
        which tokens are theirs. To be called within `attention()`.
        """
        import torch

        from pipeline.training.head import Scored, head_losses, logit_losses

        batch = [microbatch.rows for microbatch in microbatches]
        step = self._sequences.batch(batch, padded=not self.ragged)
        adapted.parts = step.parts
        states, device = self._states(step), self._sequences.device
        owner = torch.repeat_interleave(torch.tensor(step.counts)).to(device)
        weights = self._weights(microbatches)
        taught, teacher = self._teacher_of(batch)
        scored = Scored(
            targets=step.targets,
            weights=weights,
            taught=taught,
            teacher=teacher,
            kl_weights=weights[taught]
            * torch.tensor([one.kl_weight for one in microbatches], device=device)[owner[taught]],
            hidden_state_weights=weights[taught]
            * torch.tensor([one.hidden_state_weight for one in microbatches], device=device)[owner[taught]],
        )
        each = head_losses(self._head, states, scored) if self._plain_head else logit_losses(states, scored)
        return torch.zeros(len(batch), device=device).index_add(0, owner, each)

    def _weights(self, microbatches: Sequence[Microbatch]) -> "torch.Tensor":
        """What each learned token of the step weighs; an adapter's weigh one together."""
        import torch

        weights, counts = list[float](), list[int]()
        for microbatch in microbatches:
            learned = [self._sequences.learned_in([row]) for row in microbatch.rows]
            weights += microbatch.shares(learned)
            counts += learned
        return torch.tensor(weights).repeat_interleave(torch.tensor(counts)).to(self._sequences.device)

    def padded_tokens(self, rows: Sequence[int]) -> int:
        """Tokens of a step with these rows, its padding counted where there is any."""
        lengths = [self._sequences.lengths[row] for row in rows]
        return sum(lengths) if self.ragged else len(rows) * max(lengths)

    def attention(self) -> AbstractContextManager[None]:
        """The attention that steps need, while the context lasts: losses are asked for within it."""
        from pipeline.training.ragged import ragged_attention

        return ragged_attention(self._model) if self.ragged else nullcontext()

    def _teacher_of(self, batch: Sequence[Sequence[int]]) -> "tuple[torch.Tensor, torch.Tensor]":
        """Which of the batch's learned tokens are taught, and their teacher's states there."""
        if not len(self._teacher):
            return self._taught_at[:0].to(self._sequences.device), self._teacher.to(self._sequences.device)
        at = self._taught_at[self._sequences.spans(batch)]
        taught = (at >= 0).nonzero()[:, 0]
        device = self._sequences.device
        return taught.to(device), self._teacher[at[taught]].to(device)

    def _states(self, step: Batch) -> "torch.Tensor":
        """What the head reads at the learned places; for an unusual head, the logits there."""
        where = {"position_ids": step.positions, "layout": step.layout} if step.layout else {}
        if self._plain_head:
            hidden = self._body(input_ids=step.ids, use_cache=False, **where).last_hidden_state
        else:
            hidden = self._model(input_ids=step.ids, use_cache=False, **where).logits
        states: torch.Tensor = hidden.flatten(0, 1).index_select(0, step.learned)
        return states


def can_distil(model: Any) -> bool:
    """Whether a teacher's last states tell its logits: some architectures scale or cap the head's product."""
    import torch

    ids = torch.arange(1, 9, device=next(model.parameters()).device)[None]
    with torch.no_grad():
        full = model(input_ids=ids, use_cache=False).logits
        short = model.get_output_embeddings()(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    return full.shape == short.shape and bool(torch.allclose(full.float(), short.float(), rtol=1e-3, atol=1e-4))
