"""What a training step minimises: the loss on learned tokens, and the distance to the untouched base on some.

Logits are computed where they are scored, and nowhere else. Knows no optimiser and no adapter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.updates.sequences import Sequences

if TYPE_CHECKING:
    import torch

_TEACHER_ROWS = 64


@dataclass(frozen=True)
class Teacher:
    """The base's last hidden states on the learned tokens of the taught sequences; `rows[t]` is -1 where not taught."""

    states: "torch.Tensor"
    rows: "torch.Tensor"
    weight: float


class Objective:
    """The loss of a batch under a model whose adapter may be on. Built while it is off."""

    def __init__(self, model: Any, sequences: Sequences, taught: Sequence[int], weight: float) -> None:
        self._model = model
        self._body, self._head = model.base_model, model.get_output_embeddings()
        self._plain_head = _head_is_plain(model)
        self._sequences = sequences
        self._teacher = self._ask_base(taught, weight) if taught and weight > 0.0 and self._plain_head else None

    def loss(self, batch: Sequence[int]) -> "torch.Tensor":
        """Mean over the batch's learned tokens of cross-entropy, plus weight * KL(base || model) on taught ones."""
        import torch
        from torch.nn.functional import cross_entropy

        ids, learned = self._sequences.batch(batch)
        states = self._states(ids, learned)
        logits = self._logits(states)
        loss = cross_entropy(logits, ids[:, 1:][learned])
        if self._teacher is None:
            return loss
        rows = self._teacher.rows[self._sequences.spans(batch)]
        taught = (rows >= 0).nonzero()[:, 0].to(logits.device)
        if not len(taught):
            return loss
        with torch.no_grad():
            target = self._logits(self._teacher.states[rows[rows >= 0]].to(logits.device)).log_softmax(-1)
        distance = torch.nn.functional.kl_div(logits[taught].log_softmax(-1), target, log_target=True, reduction="sum")
        return loss + self._teacher.weight * distance / len(logits)

    def _states(self, ids: "torch.Tensor", learned: "torch.Tensor") -> "torch.Tensor":
        """What the head reads at the learned positions; for an unusual head, the logits themselves."""
        if self._plain_head:
            hidden = self._body(input_ids=ids, use_cache=False).last_hidden_state
        else:
            hidden = self._model(input_ids=ids, use_cache=False).logits
        states: torch.Tensor = hidden[:, :-1][learned]
        return states

    def _logits(self, states: "torch.Tensor") -> "torch.Tensor":
        logits: torch.Tensor = (self._head(states) if self._plain_head else states).float()
        return logits

    def _ask_base(self, taught: Sequence[int], weight: float) -> Teacher:
        import torch

        kept, place = [], 0
        rows = torch.full((self._sequences.starts[-1],), -1)
        with torch.no_grad():
            for start in range(0, len(taught), _TEACHER_ROWS):
                batch = taught[start : start + _TEACHER_ROWS]
                kept.append(self._states(*self._sequences.batch(batch)).cpu())
                rows[self._sequences.spans(batch)] = torch.arange(place, place + len(kept[-1]))
                place += len(kept[-1])
        return Teacher(states=torch.cat(kept), rows=rows, weight=weight)


def _head_is_plain(model: Any) -> bool:
    """Whether logits are just the head's product: some architectures scale or cap them afterwards."""
    import torch

    ids = torch.arange(1, 9, device=next(model.parameters()).device)[None]
    with torch.no_grad():
        full = model(input_ids=ids, use_cache=False).logits
        short = model.get_output_embeddings()(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    return full.shape == short.shape and bool(torch.allclose(full, short, rtol=1e-3, atol=1e-4))
