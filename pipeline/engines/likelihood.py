"""How likely a model finds given words after given ones. Knows ids and batches, not what they say."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline import progress

if TYPE_CHECKING:
    import torch

BATCH = 16
Row = tuple[list[int], list[int]]  # ids of what stands before, and of what is said


def likelihoods(model: Any, rows: Sequence[Row]) -> list[tuple[float, bool]]:
    """For each row the log-probability of what is said, in nats, and whether greedy decoding would say it.

    In batches of BATCH rows of alike lengths. Reports progress in rows.
    """
    order = sorted(range(len(rows)), key=lambda at: len(rows[at][0]) + len(rows[at][1]))
    found: list[tuple[float, bool]] = [(0.0, False)] * len(rows)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        for at, likelihood in zip(chosen, _together(model, [rows[at] for at in chosen]), strict=True):
            found[at] = likelihood
        progress.report(start + len(chosen), len(order))
    return found


def _together(model: Any, rows: Sequence[Row]) -> list[tuple[float, bool]]:
    """One forward pass over the padded batch. Padding stands on the right, where a causal model does not look."""
    import torch

    padded = [torch.tensor(before + said) for before, said in rows]
    ids = torch.nn.utils.rnn.pad_sequence(padded, batch_first=True).to(model.device)
    lengths = torch.tensor([len(row) for row in padded], device=model.device)
    mask = (torch.arange(ids.shape[1], device=model.device)[None, :] < lengths[:, None]).long()
    with torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=mask).logits
    return [_likelihood(logits[at], before, said) for at, (before, said) in enumerate(rows)]


def _likelihood(logits: "torch.Tensor", before: list[int], said: list[int]) -> tuple[float, bool]:
    """logits: [length, vocabulary] of one row."""
    import torch

    scores = torch.log_softmax(logits[len(before) - 1 : len(before) + len(said) - 1].float(), dim=-1)
    target = torch.tensor(said, device=scores.device)
    chosen = scores.gather(1, target[:, None]).sum()
    return float(chosen), bool((scores.argmax(dim=-1) == target).all())
