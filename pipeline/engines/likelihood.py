"""Log-probabilities of given continuations under a causal language model. Knows ids and batches, no text."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import torch

from pipeline import progress
from pipeline.engines.branches import ROWS, Branch, branch_likelihoods, can_branch

BATCH = 16
_LOGITS = 1 << 28  # of a batch, at most: a gigabyte in float32
HOW = f"{BATCH} rows; contexts of several continuations are read once, {ROWS} continuations"  # changes a last digit
Row = tuple[list[int], list[int]]  # ids of the context, and of its continuation
_Scored = Iterator[tuple[int, tuple[float, bool]]]  # places of rows, and what is said of them


def likelihoods(model: Any, rows: Sequence[Row]) -> list[tuple[float, bool]]:
    """For each row the continuation's log-probability in nats, and whether greedy decoding gives it.

    A context that several rows have is read once for all of them, where the model can and it saves enough. Reports
    progress in tokens of the rows, since long rows come last.
    """
    lengths = [len(context) + len(continuation) for context, continuation in rows]
    groups = _branching(rows) if can_branch(model) else []
    apart = sorted(set(range(len(rows))).difference(*groups))
    found: list[tuple[float, bool]] = [(0.0, False)] * len(rows)
    done = 0
    for at, likelihood in chain(_alone(model, rows, apart), _branched(model, rows, groups)):
        found[at] = likelihood
        done += lengths[at]
        progress.report(done, sum(lengths))
    return found


def _branching(rows: Sequence[Row]) -> list[list[int]]:
    """The places of rows with one context, at most ROWS together.

    The context must be longer than the continuation: else little is saved, and all logits of ROWS rows need more memory
    than those of BATCH whole ones.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for at, (context, continuation) in enumerate(rows):
        if len(context) > len(continuation):
            groups.setdefault(tuple(context), []).append(at)
    parts = [places[start : start + ROWS] for places in groups.values() for start in range(0, len(places), ROWS)]
    return [part for part in parts if len(part) > 1]


def _branched(model: Any, rows: Sequence[Row], groups: Sequence[Sequence[int]]) -> _Scored:
    """The rows of each group have one context."""
    if not groups:
        return
    branches = [Branch(rows[places[0]][0], [rows[at][1] for at in places]) for places in groups]
    for group, scores in branch_likelihoods(model, branches):
        for at, logprobs in zip(groups[group], scores, strict=True):
            yield at, _likelihood(logprobs, rows[at][1])


def _alone(model: Any, rows: Sequence[Row], places: Sequence[int]) -> _Scored:
    """In batches of rows of similar length."""
    lengths = {at: len(rows[at][0]) + len(rows[at][1]) for at in places}
    for chosen in batches(lengths, model.config.get_text_config().vocab_size):
        yield from zip(chosen, _together(model, [rows[at] for at in chosen]), strict=True)


def batches(lengths: Mapping[int, int], vocabulary: int) -> Iterator[list[int]]:
    """Rows, given the length of each, in batches of at most BATCH and, but for a row alone, of _LOGITS logits."""
    batch: list[int] = []
    for row in sorted(lengths, key=lengths.__getitem__):
        if batch and (len(batch) == BATCH or (len(batch) + 1) * lengths[row] * vocabulary > _LOGITS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _together(model: Any, rows: Sequence[Row]) -> list[tuple[float, bool]]:
    """One forward pass over the batch, padded on the right, where a causal model does not look."""
    unpadded = [torch.tensor(context + continuation) for context, continuation in rows]
    ids = torch.nn.utils.rnn.pad_sequence(unpadded, batch_first=True).to(model.device)
    lengths = torch.tensor([len(row) for row in unpadded], device=model.device)
    mask = (torch.arange(ids.shape[1], device=model.device)[None, :] < lengths[:, None]).long()
    with torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=mask).logits
    return [
        _likelihood(
            torch.log_softmax(logits[at, len(context) - 1 : len(context) + len(said) - 1].float(), dim=-1), said
        )
        for at, (context, said) in enumerate(rows)
    ]


def _likelihood(logprobs: torch.Tensor, continuation: Sequence[int]) -> tuple[float, bool]:
    """`logprobs`: (tokens, vocabulary) of the continuation."""
    target = torch.tensor(continuation, device=logprobs.device)
    chosen = logprobs.gather(1, target[:, None]).sum()
    return float(chosen), bool((logprobs.argmax(dim=-1) == target).all())
