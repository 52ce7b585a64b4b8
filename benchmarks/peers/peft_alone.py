"""PEFT without a trainer around it: one LoRA adapter at a time, as a careful user of the library writes the loop."""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.peers.wrapping import tensors_of, trainable, wrapped
from pipeline.chat import Encoded, encode_prompt, stop_ids
from pipeline.engines.base import BaseModel
from pipeline.training import lr_schedule
from pipeline.training.sequences import Sequences, epoch_order, make_sequences

Loss = Callable[[Any, Sequences, Sequence[int]], torch.Tensor]
IGNORED = -100  # the label of a token that is not learned
_ANSWER_ROWS = 64


@dataclass(frozen=True)
class PeftTrained:
    """Tensors by PEFT's keys; mean loss of the last epoch; tokens seen without padding; seconds of the loop alone."""

    tensors: dict[str, torch.Tensor]
    rank: int
    alpha: int
    steps: int
    final_loss: float
    tokens: int
    seconds: float


def train(
    base: BaseModel,
    encoded: Sequence[Encoded],
    *,
    rank: int,
    alpha: int,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    seed: int,
    warmup: float = 0.05,
    clip_norm: float = 1.0,
    order: Sequence[Sequence[int]] | None = None,
    flat: bool = False,
) -> PeftTrained:
    """One adapter on all linear layers, trained as ours is: the same batches, loss, schedule, clipping and optimiser.

    `order`: the batches (rows of `encoded`) of all epochs; None draws them by the seed as `train_lora` does.
    `flat`: without padding, see `flat_loss`; that pays where the model is large against the length of a batch.
    """
    sequences = make_sequences(encoded, base.context, base.device)
    draw = random.Random(seed)
    batches = order or [rows for _ in range(epochs) for rows in epoch_order(sequences.lengths, batch_size, draw)]
    rates = [learning_rate * lr_schedule(step, len(batches), warmup) for step in range(len(batches))]
    with wrapped(base, rank=rank, alpha=alpha, seed=seed) as model:
        started = time.perf_counter()
        losses = descend(model, sequences, batches, rates, clip_norm, flat_loss if flat else padded_loss)
        last = torch.stack(losses[-(len(batches) // epochs) :]).mean()
        final_loss, seconds = float(last), time.perf_counter() - started
        tensors = tensors_of(model)
    tokens = sum(sequences.lengths[row] for rows in batches for row in rows)
    return PeftTrained(tensors, rank, alpha, len(batches), final_loss, tokens, seconds)


def reference(
    base: BaseModel,
    sequences: Sequences,
    batches: Sequence[Sequence[int]],
    *,
    rank: int,
    alpha: int,
    learning_rates: Sequence[float],
    clip_norm: float,
    start: Mapping[str, torch.Tensor],
) -> dict[str, torch.Tensor]:
    """What PEFT makes of the tensors `start` (by its keys) in one step for each batch, at each step's learning rate.

    The loss is the mean cross-entropy over the batch's learned tokens; AdamW without weight decay.
    """
    with wrapped(base, rank=rank, alpha=alpha, start=start) as model:
        descend(model, sequences, batches, learning_rates, clip_norm, padded_loss)
        return tensors_of(model)


def descend(
    model: Any,
    sequences: Sequences,
    batches: Sequence[Sequence[int]],
    learning_rates: Iterable[float],
    clip_norm: float,
    loss_of_batch: Loss,
) -> list[torch.Tensor]:
    """One optimiser step for each batch; the losses."""
    weights, losses = trainable(model), []
    optimiser = torch.optim.AdamW(weights, weight_decay=0.0, fused=True)
    for rows, rate in zip(batches, learning_rates, strict=True):
        loss = loss_of_batch(model, sequences, rows)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, clip_norm)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(loss.detach())
    return losses


def padded_loss(model: Any, sequences: Sequences, rows: Sequence[int]) -> torch.Tensor:
    """Mean cross-entropy over learned tokens. Padding is right of a causal model's sight, so it needs no mask."""
    ids, labels = labelled(sequences, rows)
    loss: torch.Tensor = model(input_ids=ids, labels=labels, use_cache=False).loss
    return loss


def flat_loss(model: Any, sequences: Sequences, rows: Sequence[int]) -> torch.Tensor:
    """The same of all sequences in one row: positions that begin again bound the attention, as in transformers >= 5.

    Logits are computed of learned tokens alone, which `logits_to_keep` allows for such rows.
    """
    step = sequences.batch([rows])
    out = model(input_ids=step.ids, position_ids=step.positions, logits_to_keep=step.learned, use_cache=False)
    return torch.nn.functional.cross_entropy(out.logits[0].float(), step.targets)


def labelled(sequences: Sequences, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels (n, l), padded to the longest of the batch; labels stand where the ids do, unshifted."""
    step = sequences.batch([rows], padded=True)
    labels = torch.full_like(step.ids, IGNORED)
    labels.view(-1)[step.learned + 1] = step.targets
    return step.ids, labels


def loss_of(
    base: BaseModel, encoded: Sequence[Encoded], tensors: Mapping[str, torch.Tensor], *, rank: int, alpha: int
) -> float:
    """Mean cross-entropy over all learned tokens of these sequences with an adapter on."""
    sequences = make_sequences(encoded, base.context, base.device)
    rows, total = sorted(range(len(encoded)), key=lambda row: sequences.lengths[row]), 0.0
    with wrapped(base, rank=rank, alpha=alpha, start=tensors) as model, torch.no_grad():
        for start in range(0, len(rows), _ANSWER_ROWS):
            ids, labels = labelled(sequences, rows[start : start + _ANSWER_ROWS])
            loss = model(input_ids=ids, labels=labels, use_cache=False).loss
            total += float(loss) * int((labels != IGNORED).sum())
    return total / int(sequences.learned_starts[-1])


def answer(base: BaseModel, trained: PeftTrained, prompts: Sequence[str], *, max_new_tokens: int) -> list[str]:
    """Greedy answers with the adapter on, by `generate` with its cache: left-padded batches of alike lengths."""
    with wrapped(base, rank=trained.rank, alpha=trained.alpha, start=trained.tensors) as model:
        return answer_with(model, base, prompts, max_new_tokens=max_new_tokens, rows=_ANSWER_ROWS)


def answer_with(model: Any, base: BaseModel, prompts: Sequence[str], *, max_new_tokens: int, rows: int) -> list[str]:
    """As `answer`, by a model that is wrapped already, `rows` prompts at a time."""
    encoded = [encode_prompt(base.tokenizer, prompt) for prompt in prompts]
    order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
    said = [""] * len(encoded)
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        texts = _generate(model, base, [encoded[index] for index in chosen], max_new_tokens)
        for index, text in zip(chosen, texts, strict=True):
            said[index] = text
    return said


def _generate(model: Any, base: BaseModel, rows: Sequence[list[int]], max_new_tokens: int) -> list[str]:
    longest, stops = max(map(len, rows)), sorted(stop_ids(base.tokenizer, base.model))
    ids = torch.tensor([[stops[0]] * (longest - len(row)) + row for row in rows], device=base.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=base.device)
    with torch.inference_mode():
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=stops,
            pad_token_id=stops[0],
            use_cache=True,
        )
    texts = base.tokenizer.batch_decode(out[:, longest:], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [str(text) for text in texts]
