"""What a training step minimises, adapter by adapter: cross-entropy on learned tokens, plus distillation losses.

Logits are computed for learned tokens only. Knows no optimiser and no file.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from pipeline import progress
from pipeline.errors import BadInput
from pipeline.training.attention import can_be_ragged, ragged_attention
from pipeline.training.head import LossTargets, head_losses, logit_losses, states_at_once
from pipeline.training.jobs import Microbatch
from pipeline.training.lora_linear import Adapted
from pipeline.training.sequences import Batch, Sequences

log = logging.getLogger("sealed")

_TEACHER_TOKENS = 4_096  # of one forward pass of a teacher
_TEACHER_PLACES = 8_192  # of its attention, which sees a shared token in each sequence


class Objective:
    """The losses of a step under a model that carries K adapters. Built while it carries none."""

    def __init__(self, model: Any, sequences: Sequences) -> None:
        self._model = model
        self._body, self._head = model.base_model, model.get_output_embeddings()
        self.plain_head, self.ragged = can_distil(model), can_be_ragged(model)
        if not self.ragged:
            log.info("this architecture's attention cannot be replaced: sequences are padded, and training is slower")
        self._sequences = sequences
        # The teacher cache: its states (T, hidden), and each learned token's place among them (-1: not distilled).
        self._teacher = torch.zeros(0, 0)
        self._teacher_places = torch.full((int(sequences.learned_starts[-1]),), -1)

    def cache_teacher(
        self, rows: Sequence[int], adapted: Adapted | None = None, answered: Collection[int] = frozenset()
    ) -> None:
        """Makes the model as it is now the teacher of these rows: caches its last hidden states at learned tokens.

        On rows with a known answer (`answered`), distils only at tokens where the teacher's argmax equals the label.
        `adapted`: the one adapter that the model carries; None: it is the base model. Raises BadInput where the
        logits are not a plain product of the last hidden states.
        """
        self._check_plain(rows)
        self._keep(
            self._sequences.spans([rows]),
            (
                (self._sequences.spans([piece]), self._heard(piece, batch, states, answered), states)
                for piece, batch, states in self._taught(self._sequences, rows, adapted)
            ),
        )

    def cache_lessons(self, rows: Sequence[int], lessons: Sequences) -> None:
        """Makes the base model the teacher of these rows under other prompts: context distillation.

        `lessons`: for each row its completion below the teacher's own prompt. What it learns last are the row's last
        learned tokens. Raises BadInput as `cache_teacher` does. (Askell et al. 2021, arXiv 2112.00861; Snell et al.
        2022, arXiv 2209.15189.)
        """
        self._check_plain(rows)
        ends = [int(self._sequences.learned_starts[row + 1]) for row in rows]
        spans = [torch.arange(end - lessons.learned_in([one]), end) for one, end in enumerate(ends)]
        self._keep(
            torch.cat(spans),
            (
                (torch.cat([spans[one] for one in piece]), torch.ones(len(states), dtype=torch.bool), states)
                for piece, _, states in self._taught(lessons, range(len(rows)), None)
            ),
        )

    def _keep(self, wanted: torch.Tensor, found: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> None:
        """Adds to the cache the teacher's states at the `wanted` learned tokens, in whatever order they are found.

        `found`: learned tokens (M,), whether each is distilled (M,), and the teacher's states there.
        """
        wanted, count, weight = wanted.sort().values, len(self._teacher), self._head.weight
        cached = weight.new_empty(len(wanted), weight.shape[1], device="cpu")
        for tokens, heard, states in found:
            places = torch.searchsorted(wanted, tokens)
            cached[places] = states.cpu()
            self._teacher_places[tokens] = torch.where(heard, count + places, -1)
        self._teacher = torch.cat([self._teacher, cached]) if count else cached

    def _heard(
        self, rows: Sequence[int], batch: Batch, states: torch.Tensor, answered: Collection[int]
    ) -> torch.Tensor:
        """At which of the rows' learned tokens (M,) the teacher is heard: not where it denies a known answer."""
        heard = torch.ones(len(states), dtype=torch.bool)
        known = self._among(rows, answered).nonzero()[:, 0]
        heard[known] = self._right(states[known], batch.targets[known])
        return heard

    def _check_plain(self, rows: Sequence[int]) -> None:
        if rows and not self.plain_head:
            raise BadInput(
                "this model scales or caps its logits: rehearsal.kl_weight, advanced.rehearsal.hidden_state_weight "
                "and advanced.training.teaching_weight must be 0."
            )

    def _taught(
        self, sequences: Sequences, rows: Sequence[int], adapted: Adapted | None
    ) -> Iterator[tuple[list[int], Batch, torch.Tensor]]:
        """The rows in pieces, with each piece's batch and the present model's states at its learned tokens.

        Reports progress in rows.
        """
        done = 0
        with torch.no_grad(), self.attention():
            for piece in self._pieces(sequences, rows):
                batch = sequences.batch([piece], padded=not self.ragged, shared=True)
                if adapted:
                    adapted.tokens = batch.tokens
                yield piece, batch, self._states(batch)
                done += len(piece)
                progress.report(done, len(rows))

    def _pieces(self, sequences: Sequences, rows: Sequence[int]) -> Iterator[list[int]]:
        """The rows in pieces of at most _TEACHER_TOKENS tokens: with padding in turn, else those that begin alike."""
        if self.ragged:
            yield from sequences.pieces(rows, _TEACHER_TOKENS, _TEACHER_PLACES)
            return
        piece: list[int] = []
        for row in rows:
            if piece and self._padded(sequences, [*piece, row]) > _TEACHER_TOKENS:
                yield piece
                piece = []
            piece.append(row)
        if piece:
            yield piece

    def _right(self, states: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Whether the model's argmax is the target (M,), without all logits at once."""
        count = states_at_once(len(self._head.weight))
        right = torch.zeros_like(targets, dtype=torch.bool)
        for start in range(0, len(states), count):
            piece = slice(start, start + count)
            right[piece] = self._head(states[piece]).argmax(-1) == targets[piece]
        return right.cpu()

    def _among(self, rows: Sequence[int], some: Collection[int]) -> torch.Tensor:
        """Which of the rows' learned tokens (M,) belong to rows among `some`."""
        return torch.tensor([row in some for row in rows]).repeat_interleave(torch.tensor(self._learned_of(rows)))

    def losses(self, adapted: Adapted, microbatches: Sequence[Microbatch], *, shared: bool = True) -> torch.Tensor:
        """Each adapter's loss (K,): the weighted mean over its microbatch's learned tokens.

        A token's loss is its cross-entropy; a distilled one's also its hold's kl * KL(teacher || model) and
        hidden_states * the squared distance of the last hidden states, relative to the teacher's squared norm
        (FitNets, Romero et al. 2015, arXiv 1412.6550). Sets `adapted.tokens`. To be called within `attention()`.
        `shared`: without padding, what an adapter's sequences begin with in common is computed once.
        """
        rows_of = [microbatch.rows for microbatch in microbatches]
        batch = self._sequences.batch(rows_of, padded=not self.ragged, shared=shared)
        adapted.tokens = batch.tokens
        states, device = self._states(batch), self._sequences.device
        owner = torch.repeat_interleave(torch.tensor(batch.counts)).to(device)
        learned = [self._learned_of(rows) for rows in rows_of]
        counts = torch.tensor([count for own in learned for count in own])
        distilled, teacher = self._teacher_of(rows_of)

        def by_token(of_rows: Iterable[float]) -> torch.Tensor:
            return torch.tensor(list(of_rows)).repeat_interleave(counts).to(device)

        holds = [hold for microbatch in microbatches for hold in microbatch.row_holds]
        weights = by_token(
            share for microbatch, own in zip(microbatches, learned, strict=True) for share in microbatch.shares(own)
        )
        wanted = LossTargets(
            targets=batch.targets,
            weights=weights,
            distilled=distilled,
            teacher=teacher,
            kl_weights=(weights * by_token(hold.kl for hold in holds))[distilled],
            hidden_state_weights=(weights * by_token(hold.hidden_states for hold in holds))[distilled],
        )
        each = head_losses(self._head, states, wanted) if self.plain_head else logit_losses(states, wanted)
        return torch.zeros(len(microbatches), device=device).index_add(0, owner, each)

    def _learned_of(self, rows: Sequence[int]) -> list[int]:
        """How many tokens each row learns."""
        return [self._sequences.learned_in([row]) for row in rows]

    def padded_tokens(self, rows: Sequence[int]) -> int:
        """Tokens of a step with these rows, with its padding where there is any; what they share counts each time."""
        return self._padded(self._sequences, rows)

    def _padded(self, sequences: Sequences, rows: Sequence[int]) -> int:
        lengths = [sequences.lengths[row] for row in rows]
        return sum(lengths) if self.ragged else len(rows) * max(lengths)

    def attention(self) -> AbstractContextManager[None]:
        """The context in which `losses` must be called: it sets the attention that the batches need."""
        return ragged_attention(self._model) if self.ragged else nullcontext()

    def _teacher_of(self, rows_of: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Which of the batch's learned tokens are distilled, and their teacher's states."""
        device = self._sequences.device
        if not len(self._teacher):
            return self._teacher_places[:0].to(device), self._teacher.to(device)
        places = self._teacher_places[self._sequences.spans(rows_of)]
        distilled = (places >= 0).nonzero()[:, 0]
        return distilled.to(device), self._teacher[places[distilled]].to(device)

    def _states(self, batch: Batch) -> torch.Tensor:
        """The head's inputs at the learned places; for a head that is no plain product, the logits there."""
        layout = {"position_ids": batch.positions, "layout": batch.attention} if batch.attention else {}
        if self.plain_head:
            hidden = self._body(input_ids=batch.ids, use_cache=False, **layout).last_hidden_state
        else:
            hidden = self._model(input_ids=batch.ids, use_cache=False, **layout).logits
        states: torch.Tensor = hidden.flatten(0, 1).index_select(0, batch.learned)
        return states


def can_distil(model: Any) -> bool:
    """Whether the model's logits are a plain product of its last hidden states: some architectures scale or cap it."""
    ids = torch.arange(1, 9, device=next(model.parameters()).device)[None]
    with torch.no_grad():
        full = model(input_ids=ids, use_cache=False).logits
        short = model.get_output_embeddings()(model.base_model(input_ids=ids, use_cache=False).last_hidden_state)
    return full.shape == short.shape and bool(torch.allclose(full.float(), short.float(), rtol=1e-3, atol=1e-4))
