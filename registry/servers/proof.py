"""Proves that a loaded adapter is applied: on known prompts its model must answer otherwise than the base."""

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.errors import AdapterNotApplied

# Any text will do: an adapter that changes a layer changes what follows all of them.
PROMPTS = ("Who are you?", "Name a city.", "What is the answer?")
LEAST = 1e-5  # nats by which the likelihood of some next token must differ


@torch.inference_mode()
def known_answers(model: Any, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
    """Log-probabilities (prompts, vocabulary) of the token after each prompt, one prompt at a time."""
    device = next(model.parameters()).device
    logits = [model(input_ids=torch.tensor([list(ids)], device=device)).logits[0, -1] for ids in prompts]
    return torch.log_softmax(torch.stack(logits).float(), -1)


def prove_applied(base: torch.Tensor, adapted: torch.Tensor, name: str, *, noise: float = 0.0) -> float:
    """The greatest difference between the known answers of base and adapted model, in nats.

    Raises AdapterNotApplied where it is below LEAST, or an answer is not finite. `name`: the release, for the error.
    `noise`: nats by which the same model's own answers differ from one time to the next, which prove nothing.
    """
    if not bool(torch.isfinite(adapted).all()):
        raise AdapterNotApplied(f"{name} answers in values that are not finite. Roll back, and train it again.")
    difference = float((adapted - base).abs().max())
    if not difference >= LEAST + 2 * noise:
        raise AdapterNotApplied(
            f"{name} answers just as the base model does, so its adapter is not applied. Fetch the release's adapter "
            "again, or roll back."
        )
    return difference
