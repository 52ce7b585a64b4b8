"""Log-probabilities of several continuations of each context, with what they share read once.

What all contexts begin with (a chat template's system message) is read once for all, each context once for its
continuations. Knows ids and batches, no text.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch

from pipeline.engines.cache import roomy_cache
from pipeline.engines.decoding import accepted

ROWS = 32  # continuations that are scored together


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


@torch.inference_mode()
def branch_likelihoods(model: Any, branches: Sequence[Branch]) -> Iterator[tuple[int, list[torch.Tensor]]]:
    """For each branch its place and, for each continuation, the log-probabilities (tokens, vocabulary) of its tokens.

    Yields branches by rising length of their contexts.
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
    longest, device = max(map(len, rows)), reading.positions.device
    pads = [[0] * (longest - len(row)) for row in rows]
    padded = [[*pad, *row] if left else [*row, *pad] for row, pad in zip(rows, pads, strict=True)]
    lengths = torch.tensor([len(row) for row in rows], device=device)
    places = torch.arange(longest, device=device)
    offset = (longest - lengths)[:, None] if left else torch.zeros_like(lengths)[:, None]
    reading.mask = torch.cat([reading.mask, ((places >= offset) & (places < offset + lengths[:, None])).long()], 1)
    options: dict[str, Any] = {"position_ids": reading.positions[:, None] + (places - offset).clamp(min=0)}
    options = {name: value for name, value in options.items() if name in accepted(type(model).forward)}
    if left and "logits_to_keep" in accepted(type(model).forward):
        options["logits_to_keep"] = 1
    ids = torch.tensor(padded, device=device)
    out = model(input_ids=ids, attention_mask=reading.mask, past_key_values=reading.cache, use_cache=True, **options)
    reading.positions = reading.positions + lengths
    logits: torch.Tensor = out.logits
    return logits


def _shared_length(contexts: Sequence[Sequence[int]]) -> int:
    """How many ids all contexts begin with; at least one id of each is left to read."""
    alike = takewhile(lambda ids: len(set(ids)) == 1, zip(*contexts, strict=False))
    return min(sum(1 for _ in alike), min(map(len, contexts)) - 1)


def _batches(branches: Sequence[Branch]) -> Iterator[list[int]]:
    """Places of branches with contexts of similar length, at most ROWS continuations in all, or one branch."""
    batch: list[int] = []
    rows = 0
    for at in sorted(range(len(branches)), key=lambda at: len(branches[at].context)):
        count = len(branches[at].continuations)
        if batch and rows + count > ROWS:
            yield batch
            batch, rows = [], 0
        batch.append(at)
        rows += count
    if batch:
        yield batch
