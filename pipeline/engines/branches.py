"""Log-probabilities of several continuations of each context, with what they share read once.

What all contexts begin with (a chat template's system message) is read once for all, each context once for its
continuations. Between the parts that are read lies padding, which not every model may have: see `can_branch`. Knows ids
and batches, no text.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from pipeline.engines.cache import roomy_cache
from pipeline.engines.decoding import accepted

ROWS = 16  # continuations that are scored together
_HIDDEN_WINDOWS = {"gpt_neo"}  # their caches look plain, but some layers see the last places only, padding among them


@dataclass(frozen=True)
class Branch:
    """The ids of a context, and those of each continuation of it. None is empty."""

    context: Sequence[int]
    continuations: Sequence[Sequence[int]]


@dataclass
class _Reading:
    """What was read so far: keys and values, and for each row which of its places count, and the next position."""

    cache: Any
    mask: torch.Tensor
    positions: torch.Tensor

    def repeated(self, counts: torch.Tensor) -> "_Reading":
        """Each row as often as `counts` (rows,) says."""
        cache = deepcopy(self.cache)
        cache.batch_repeat_interleave(counts)
        return _Reading(cache, self.mask.repeat_interleave(counts, 0), self.positions.repeat_interleave(counts))


def can_branch(model: Any) -> bool:
    """Whether padding between the parts changes nothing: each token sees all places before it, and is told its own.

    Not so with sliding windows and chunks, which count places; with states, into which padding is read; and without
    position ids.
    """
    layers = roomy_cache(model.config).layers
    plain = all(isinstance(layer, DynamicLayer) and not layer.is_sliding for layer in layers)
    stateful = getattr(model, "_is_stateful", False) or model.config.model_type in _HIDDEN_WINDOWS
    return plain and not stateful and "position_ids" in accepted(type(model).forward)


@torch.inference_mode()
def branch_likelihoods(model: Any, branches: Sequence[Branch]) -> Iterator[tuple[int, list[torch.Tensor]]]:
    """For each branch its place and, for each continuation, the log-probabilities (tokens, vocabulary) of its tokens.

    Yields branches by the rising length of their longest continuation. Only for a model that `can_branch`.
    """
    start = _shared_length([branch.context for branch in branches])
    device = next(model.parameters()).device
    nothing = torch.zeros(1, 0, dtype=torch.long, device=device)
    head = _Reading(roomy_cache(model.config), nothing, torch.zeros(1, dtype=torch.long, device=device))
    if start:
        _read(model, head, [branches[0].context[:start]], left=True)
    for places in _batches(branches):
        chosen = [branches[at] for at in places]
        yield from zip(places, _read_branches(model, head, start, chosen), strict=True)


def _read_branches(model: Any, head: _Reading, start: int, branches: Sequence[Branch]) -> Iterator[list[torch.Tensor]]:
    device = head.positions.device
    reading = head.repeated(torch.tensor([len(branches)], device=device))
    before = _read(model, reading, [branch.context[start:] for branch in branches], left=True)[:, -1:]
    counts = torch.tensor([len(branch.continuations) for branch in branches], device=device)
    rows = [list(one) for branch in branches for one in branch.continuations]
    logits = before.repeat_interleave(counts, 0)
    if max(map(len, rows)) > 1:
        after = _read(model, reading.repeated(counts), [row[:-1] for row in rows], left=False)
        logits = torch.cat([logits, after], 1)
    scored = iter(torch.log_softmax(logits[at, : len(row)].float(), -1) for at, row in enumerate(rows))
    for branch in branches:
        yield [next(scored) for _ in branch.continuations]


def _read(model: Any, reading: _Reading, rows: Sequence[Sequence[int]], *, left: bool) -> torch.Tensor:
    """Logits (rows, longest, vocabulary) of these rows after what was read, padded on one side; of `left`, the last."""
    ids, counted = _padded(rows, reading.mask.device, left=left)
    # Padding has the position of a token beside it, so that none is beyond the context.
    positions = reading.positions[:, None] + (counted.cumsum(1) - 1).clamp(min=0)
    reading.mask = torch.cat([reading.mask, counted], 1)
    reading.positions = reading.positions + counted.sum(1)
    options = {"logits_to_keep": 1} if left and "logits_to_keep" in accepted(type(model).forward) else {}
    logits: torch.Tensor = model(
        input_ids=ids,
        attention_mask=reading.mask,
        position_ids=positions,
        past_key_values=reading.cache,
        use_cache=True,
        **options,
    ).logits
    return logits


def _padded(rows: Sequence[Sequence[int]], device: torch.device, *, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows' ids, and 1 where an id is no padding; both (rows, longest)."""
    longest = max(map(len, rows))

    def filled(row: Sequence[int]) -> list[int]:
        padding = [0] * (longest - len(row))
        return [*padding, *row] if left else [*row, *padding]

    ids = torch.tensor([filled(row) for row in rows], device=device)
    return ids, torch.tensor([filled([1] * len(row)) for row in rows], device=device)


def _shared_length(contexts: Sequence[Sequence[int]]) -> int:
    """How many ids all contexts begin with; at least one id of each is left to read."""
    alike = takewhile(lambda ids: len(set(ids)) == 1, zip(*contexts, strict=False))
    return min(sum(1 for _ in alike), min(map(len, contexts)) - 1)


def _batches(branches: Sequence[Branch]) -> Iterator[list[int]]:
    """Places of branches of similar length, so that little is padding: at most ROWS continuations, or one branch.

    Continuations count before contexts, since there are more of them.
    """
    batch: list[int] = []
    rows = 0
    for at in sorted(range(len(branches)), key=lambda at: _lengths(branches[at])):
        count = len(branches[at].continuations)
        if batch and rows + count > ROWS:
            yield batch
            batch, rows = [], 0
        batch.append(at)
        rows += count
    if batch:
        yield batch


def _lengths(branch: Branch) -> tuple[int, int]:
    return max(map(len, branch.continuations)), len(branch.context)
