"""A batch that sequences join and leave while it is written: continuous batching (Orca, Yu et al. 2022).

Knows ids and tensors; knows no text, no request and no adapter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import torch

from pipeline.engines.branches import can_branch
from pipeline.engines.cache import join_caches, pad_left, trim_cache
from pipeline.engines.decoding import DecodingJob, Rows, advance, choose, prefill
from pipeline.engines.engine import SamplingParams

_COMPACT_BELOW = 0.75  # share of unfinished rows below which the finished ones, which cost as much, are dropped


class Finish(StrEnum):
    """Why a sequence ended: by a stop id, at its limit, or because nobody wants the rest of it."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class TokenSequence:
    """A prompt's ids, to be continued by at most `limit` tokens. What is sampled depends on `params.seed` alone."""

    ids: Sequence[int]
    limit: int
    params: SamplingParams


@dataclass(frozen=True, kw_only=True)
class Written:
    """The next token of a sequence (None: it ended before one), and why it ended (None: it goes on)."""

    key: int
    token: int | None
    finish: Finish | None = None


@dataclass
class _Row:
    """A sequence in the batch, its uniform numbers (limit,) if it is sampled, and how many tokens it has."""

    key: int
    sequence: TokenSequence
    draws: torch.Tensor | None
    written: int = 0
    done: bool = False


@dataclass
class RunningBatch:
    """Sequences that one model writes together, one token each a step. Not for several threads at once.

    `stops`: ids that end a sequence, and are left out of it.
    """

    model: Any
    stops: frozenset[int]
    _rows: list[_Row] = field(default_factory=list)
    _state: Rows | None = None
    _tokens: torch.Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))

    def __len__(self) -> int:
        return sum(not row.done for row in self._rows)

    @property
    def open(self) -> bool:
        """Whether sequences may join now: always where padding changes nothing, else only an empty batch."""
        return not self._rows or self._can_join

    @property
    def size(self) -> tuple[int, int]:
        """Rows that are kept, and the most tokens that one of them will have."""
        return len(self._rows), max((len(row.sequence.ids) + row.sequence.limit for row in self._rows), default=0)

    @cached_property
    def _can_join(self) -> bool:
        return can_branch(self.model)

    @torch.inference_mode()
    def join(self, sequences: Mapping[int, TokenSequence]) -> list[Written]:
        """Reads the prompts of these sequences, by keys that are not in the batch, and returns their first tokens."""
        rows = [_Row(key, one, _draws(one)) for key, one in sequences.items()]
        job = DecodingJob(
            prompts=[one.ids for one in sequences.values()],
            limits=[one.limit for one in sequences.values()],
            stops=self.stops,
            params=SamplingParams(max_new_tokens=1),
        )
        logits, state = prefill(self.model, job)
        tokens, written = self._choose(rows, logits)
        self._drop_finished()
        if self._state is None:
            self._state, self._rows, self._tokens = state, rows, tokens
        else:
            _join(self._state, state)
            self._rows, self._tokens = [*self._rows, *rows], torch.cat([self._tokens, tokens])
        self._compact()
        return written

    @torch.inference_mode()
    def step(self) -> list[Written]:
        """The next token of every sequence."""
        if self._state is None:
            return []
        logits = advance(self.model, self._tokens, self._state)
        self._tokens, written = self._choose(self._rows, logits)
        self._compact()
        return written

    def cancel(self, key: int) -> bool:
        """Ends a sequence without another token. False where it is not in the batch."""
        for row in self._rows:
            if row.key == key and not row.done:
                row.done = True
                return True
        return False

    def _choose(self, rows: list[_Row], logits: torch.Tensor) -> tuple[torch.Tensor, list[Written]]:
        tokens = logits.argmax(-1)
        for params, places in _sampled(rows).items():
            draws = torch.stack([rows[at].draws[rows[at].written] for at in places]).to(logits.device)  # type: ignore[index]
            tokens[places] = choose(logits[places], params, draws)
        chosen = zip(rows, tokens.tolist(), strict=True)
        return tokens, [self._record(row, token) for row, token in chosen if not row.done]

    def _record(self, row: _Row, token: int) -> Written:
        stopped = token in self.stops
        row.written += not stopped
        finish = Finish.STOP if stopped else Finish.LENGTH if row.written >= row.sequence.limit else None
        row.done = finish is not None
        return Written(key=row.key, token=None if stopped else token, finish=finish)

    def _compact(self) -> None:
        if len(self) <= _COMPACT_BELOW * len(self._rows):
            self._drop_finished()

    def _drop_finished(self) -> None:
        kept = [at for at, row in enumerate(self._rows) if not row.done]
        if len(kept) == len(self._rows):
            return
        places = torch.tensor(kept, dtype=torch.long, device=self._tokens.device)
        self._state = self._state.keep(places) if self._state and kept else None
        self._rows, self._tokens = [self._rows[at] for at in kept], self._tokens[places]
        if self._state is not None and self._can_join:
            _trim(self._state)


def _draws(sequence: TokenSequence) -> torch.Tensor | None:
    if not sequence.params.temperature:
        return None
    return torch.rand(sequence.limit, generator=torch.Generator().manual_seed(sequence.params.seed))


def _sampled(rows: Sequence[_Row]) -> dict[SamplingParams, list[int]]:
    """The places of the unfinished rows that are sampled, by how."""
    places: dict[SamplingParams, list[int]] = {}
    for at, row in enumerate(rows):
        if row.draws is not None and not row.done:
            params = row.sequence.params
            how = SamplingParams(max_new_tokens=1, temperature=params.temperature, top_p=params.top_p)
            places.setdefault(how, []).append(at)
    return places


def _join(state: Rows, other: Rows) -> None:
    """Adds the rows of `other`, the shorter ones padded on the left."""
    lengths = [each.cache.get_seq_length() for each in (state, other)]
    masks = [_mask(each, length) for each, length in zip((state, other), lengths, strict=True)]
    join_caches(state.cache, other.cache)
    joined = torch.cat([pad_left(mask, max(lengths)) for mask in masks])
    state.mask = None if bool(joined.all()) else joined
    for name in ("origin", "positions", "limits"):
        setattr(state, name, torch.cat([getattr(state, name), getattr(other, name)]))


def _mask(state: Rows, length: int) -> torch.Tensor:
    return state.positions.new_ones(len(state.positions), length) if state.mask is None else state.mask


def _trim(state: Rows) -> None:
    """Drops the padding that all rows have."""
    if state.mask is None:
        return
    padding = int(state.mask.any(0).long().argmax())
    if padding:
        trim_cache(state.cache, padding)
        state.mask = state.mask[:, padding:]
    if bool(state.mask.all()):
        state.mask = None
