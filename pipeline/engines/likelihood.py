"""Log-probabilities of given continuations under a causal language model. Knows ids and batches, no text."""

from collections.abc import Sequence
from typing import Any

import torch

from pipeline import progress

BATCH = 16
Row = tuple[list[int], list[int]]  # ids of the context, and of its continuation


def likelihoods(model: Any, rows: Sequence[Row]) -> list[tuple[float, bool]]:
    """For each row the continuation's log-probability in nats, and whether greedy decoding gives it.

    Runs batches of BATCH rows of similar length. Reports progress in tokens, since the long rows come last.
    """
    lengths = [len(context) + len(continuation) for context, continuation in rows]
    order, done = sorted(range(len(rows)), key=lengths.__getitem__), 0
    found: list[tuple[float, bool]] = [(0.0, False)] * len(rows)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        for at, likelihood in zip(chosen, _together(model, [rows[at] for at in chosen]), strict=True):
            found[at] = likelihood
        done += sum(lengths[at] for at in chosen)
        progress.report(done, sum(lengths))
    return found


def _together(model: Any, rows: Sequence[Row]) -> list[tuple[float, bool]]:
    """One forward pass over the batch, padded on the right, where a causal model does not look."""
    unpadded = [torch.tensor(context + continuation) for context, continuation in rows]
    ids = torch.nn.utils.rnn.pad_sequence(unpadded, batch_first=True).to(model.device)
    lengths = torch.tensor([len(row) for row in unpadded], device=model.device)
    mask = (torch.arange(ids.shape[1], device=model.device)[None, :] < lengths[:, None]).long()
    with torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=mask).logits
    return [_likelihood(logits[at], *row) for at, row in enumerate(rows)]


def _likelihood(logits: torch.Tensor, context: list[int], continuation: list[int]) -> tuple[float, bool]:
    """`logits`: (length, vocabulary) of one row."""
    scores = torch.log_softmax(logits[len(context) - 1 : len(context) + len(continuation) - 1].float(), dim=-1)
    target = torch.tensor(continuation, device=scores.device)
    chosen = scores.gather(1, target[:, None]).sum()
    return float(chosen), bool((scores.argmax(dim=-1) == target).all())
