"""Log-probabilities of given continuations under a causal language model. Knows ids and batches, no text."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from pipeline import progress
from pipeline.engines.branches import ROWS, Branch, branch_likelihoods

BATCH = 16
HOW = f"{BATCH} rows; contexts of several continuations are read once, {ROWS} continuations"  # changes a last digit
Row = tuple[list[int], list[int]]  # ids of the context, and of its continuation


def likelihoods(model: Any, rows: Sequence[Row]) -> list[tuple[float, bool]]:
    """For each row the continuation's log-probability in nats, and whether greedy decoding gives it.

    A context that several rows have is read once for all of them. Reports progress in tokens of the rows, since long
    rows come last.
    """
    lengths = [len(context) + len(continuation) for context, continuation in rows]
    total, done = sum(lengths), 0
    together: dict[tuple[int, ...], list[int]] = {}
    for at, (context, _) in enumerate(rows):
        together.setdefault(tuple(context), []).append(at)
    alone = [places[0] for places in together.values() if len(places) == 1]
    found: list[tuple[float, bool]] = [(0.0, False)] * len(rows)
    for scored in (_alone(model, rows, alone), _branched(model, rows, [p for p in together.values() if len(p) > 1])):
        for at, likelihood in scored:
            found[at] = likelihood
            done += lengths[at]
            progress.report(done, total)
    return found


def _branched(
    model: Any, rows: Sequence[Row], groups: Sequence[Sequence[int]]
) -> Iterator[tuple[int, tuple[float, bool]]]:
    """The rows of each group have one context."""
    if not groups:
        return
    branches = [Branch(rows[places[0]][0], [rows[at][1] for at in places]) for places in groups]
    for group, scores in branch_likelihoods(model, branches):
        for at, logprobs in zip(groups[group], scores, strict=True):
            yield at, _likelihood(logprobs, rows[at][1])


def _alone(model: Any, rows: Sequence[Row], places: Sequence[int]) -> Iterator[tuple[int, tuple[float, bool]]]:
    """In batches of BATCH rows of similar length."""
    order = sorted(places, key=lambda at: len(rows[at][0]) + len(rows[at][1]))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        yield from zip(chosen, _together(model, [rows[at] for at in chosen]), strict=True)


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
