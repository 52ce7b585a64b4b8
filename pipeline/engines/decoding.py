"""Continues token sequences with a causal language model: batched, cached, greedy or sampled.

Knows ids and tensors; knows no text, no adapter and no chat template.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from pipeline.engines.prefix import Prefix

Arrange = Callable[[Sequence[int]], Sequence[int]]
_LIKELY = 64  # a nucleus seldom has more tokens, and finding these is cheaper than sorting a vocabulary


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen: at temperature 0 the likeliest, else drawn from the top-p nucleus."""

    temperature: float = 0.0
    top_p: float = 1.0


@dataclass
class _Rows:
    """The rows still being written; all tensors have one entry a row."""

    origin: "torch.Tensor"
    mask: "torch.Tensor | None"
    positions: "torch.Tensor"
    limits: "torch.Tensor"
    draws: "torch.Tensor | None"
    prefix: "Prefix | None"

    def keep(self, alive: "torch.Tensor") -> "_Rows":
        return _Rows(
            origin=self.origin[alive],
            mask=None if self.mask is None else self.mask[alive],
            positions=self.positions[alive],
            limits=self.limits[alive],
            draws=None if self.draws is None else self.draws[alive],
            prefix=None if self.prefix is None else self.prefix.keep(alive),
        )


def decode(
    model: "PreTrainedModel",
    prompts: Sequence[Sequence[int]],
    *,
    copies: int,
    limits: Sequence[int],
    stops: frozenset[int],
    sampling: Sampling,
    draws: "torch.Tensor | None",
    arrange: Arrange | None = None,
) -> list[list[int]]:
    """Continues each prompt `copies` times, at most `limits[i]` new tokens each, until one of `stops` (left out).

    `draws`: uniform numbers in [0, 1), shape (prompts x copies, longest limit); each row has its own, so that what is
    sampled does not depend on which rows share a batch. Rows come back prompt by prompt. One prefill for all copies.
    `arrange` is told, whenever rows leave the batch, which are left, and says in what order they stay (places among
    them): a model may have to know whose rows it is given.
    """
    import torch

    with torch.inference_mode():
        return _decode(model, prompts, copies, limits, stops, sampling, draws, arrange)


def _decode(
    model: Any,
    prompts: Sequence[Sequence[int]],
    copies: int,
    limits: Sequence[int],
    stops: frozenset[int],
    sampling: Sampling,
    draws: "torch.Tensor | None",
    arrange: Arrange | None,
) -> list[list[int]]:
    import torch

    from pipeline.engines.prefix import shared

    device = next(model.parameters()).device
    filled = _prefill(model, prompts, device)
    logits, cache, mask, lengths, prefix = _copied(model, filled, copies)
    stopping = torch.zeros(logits.shape[-1], dtype=torch.bool, device=device)
    stopping[[stop for stop in stops if stop < len(stopping)]] = True
    rows = _Rows(
        origin=torch.arange(len(prompts) * copies, device=device),
        mask=mask,
        positions=lengths,
        limits=torch.tensor(limits, device=device).repeat_interleave(copies),
        draws=None if draws is None else draws.to(device),
        prefix=prefix,
    )
    with shared(model) if prefix else nullcontext():
        return _continue(model, logits, cache, rows, max(limits), stopping, sampling, arrange)


def _continue(
    model: Any,
    logits: "torch.Tensor",
    cache: Any,
    rows: _Rows,
    longest: int,
    stopping: "torch.Tensor",
    sampling: Sampling,
    arrange: Arrange | None,
) -> list[list[int]]:
    """Token by token from the prompts' last logits; `stopping` is True at the ids that end a row."""
    import torch

    device = logits.device
    out = torch.full((len(rows.origin), longest), -1, device=device)
    done = torch.zeros(len(rows.origin), dtype=torch.bool, device=device)
    for step in range(longest):
        token = choose(logits, sampling, None if rows.draws is None else rows.draws[:, step])
        done |= stopping[token]
        out[rows.origin, step] = torch.where(done, -1, token)
        done |= rows.limits <= step + 1
        alive = int((~done).sum())
        if not alive:
            break
        if alive <= 0.75 * len(done):  # finished rows cost as much as living ones: drop them now and then
            kept = (~done).nonzero()[:, 0]
            if arrange:
                kept = kept[list(arrange(rows.origin[kept].tolist()))]
            cache.batch_select_indices(kept)
            rows, token, done = rows.keep(kept), token[kept], done[kept]
        logits = _advance(model, token, rows, cache)
    return [[token for token in row if token >= 0] for row in out.tolist()]


def choose(logits: "torch.Tensor", sampling: Sampling, draws: "torch.Tensor | None") -> "torch.Tensor":
    """The next token of each row, by inverse transform: (rows, vocabulary) and (rows,) uniforms -> (rows,)."""
    import torch

    if sampling.temperature == 0.0 or draws is None:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.float() / sampling.temperature, -1)
    if sampling.top_p >= 1.0:
        return _place(probabilities.double().cumsum(-1), draws)
    likeliest, token = probabilities.max(-1)
    # A draw below the likeliest token's own mass falls on it, whatever else is in the nucleus.
    open_rows = (draws.double() >= likeliest.double()).nonzero()[:, 0]
    if len(open_rows):
        token[open_rows] = _drawn(probabilities[open_rows], sampling.top_p, draws[open_rows])
    return token


def _drawn(probabilities: "torch.Tensor", top_p: float, draws: "torch.Tensor") -> "torch.Tensor":
    """A token of each row's nucleus, which is seldom larger than the few likeliest tokens."""
    token, whole = _nucleus(probabilities, min(_LIKELY, probabilities.shape[-1]), top_p, draws)
    flat = (~whole).nonzero()[:, 0]
    if len(flat):
        token[flat] = _nucleus(probabilities[flat], probabilities.shape[-1], top_p, draws[flat])[0]
    return token


def _nucleus(
    probabilities: "torch.Tensor", count: int, top_p: float, draws: "torch.Tensor"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """A token of each row's nucleus, looked for among its `count` likeliest, and whether these hold all of it."""
    import torch

    likely, order = probabilities.topk(count, -1)
    reached = likely.double().cumsum(-1)
    # The nucleus is the smallest set whose mass reaches top_p: a token stays if the mass before it does not.
    inside = torch.where(reached - likely < top_p, reached, 0.0).cummax(-1).values
    token = order.gather(-1, _place(inside, draws)[:, None])[:, 0]
    return token, (reached[:, -1] >= top_p) | (count == probabilities.shape[-1])


def _place(reached: "torch.Tensor", draws: "torch.Tensor") -> "torch.Tensor":
    """Where a uniform draw falls among cumulated masses (rows, places), which need not reach 1: inverse transform."""
    import torch

    drawn = draws.double()[:, None] * reached[:, -1:]
    return torch.searchsorted(reached, drawn, right=True)[:, 0].clamp(max=reached.shape[-1] - 1)


def _prefill(model: Any, prompts: Sequence[Sequence[int]], device: "torch.device") -> Any:
    """Runs the left-padded prompts once: last logits, cache, mask (None: no padding) and lengths, one row a prompt."""
    import torch

    from pipeline.engines.cache import roomy_cache

    longest = max(len(prompt) for prompt in prompts)
    padded = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    ids = torch.tensor(padded, device=device)
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    ragged = bool((lengths < longest).any())
    mask = (torch.arange(longest, device=device) >= longest - lengths[:, None]).long() if ragged else None
    positions = torch.arange(longest, device=device) - (longest - lengths[:, None])
    cache = roomy_cache(model.config)
    return _forward(model, ids, mask, positions.clamp(min=0), cache), cache, mask, lengths


def _copied(model: Any, filled: Any, copies: int) -> Any:
    """What a prefill gave with `copies` rows a prompt, which share the prompt's keys and values where the model can."""
    from pipeline.engines.cache import roomy_cache
    from pipeline.engines.prefix import Prefix, can_share

    logits, cache, mask, lengths = filled
    if copies == 1:
        return logits, cache, mask, lengths, None
    logits, lengths = logits.repeat_interleave(copies, 0), lengths.repeat_interleave(copies, 0)
    if can_share(model, cache):
        return logits, roomy_cache(model.config), None, lengths, Prefix.of(cache, mask, copies)
    cache.batch_repeat_interleave(copies)
    return logits, cache, None if mask is None else mask.repeat_interleave(copies, 0), lengths, None


def _advance(model: Any, token: "torch.Tensor", rows: _Rows, cache: Any) -> "torch.Tensor":
    import torch

    if rows.mask is not None:
        rows.mask = torch.cat([rows.mask, rows.mask.new_ones(len(rows.mask), 1)], 1)
    logits = _forward(model, token[:, None], rows.mask, rows.positions[:, None], cache, rows.prefix)
    rows.positions = rows.positions + 1
    return logits


def _forward(
    model: Any, ids: Any, mask: Any, positions: Any, cache: Any, prefix: "Prefix | None" = None
) -> "torch.Tensor":
    """Logits (rows, vocabulary) after the last token. Architectures without position ids derive them from the mask."""
    accepted, options = _accepted(type(model).forward), dict[str, Any]()
    if "position_ids" in accepted:
        options["position_ids"] = positions
    if "logits_to_keep" in accepted:
        options["logits_to_keep"] = 1
    if prefix is not None:
        options["shared_prefix"] = prefix
    out = model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **options)
    logits: torch.Tensor = out.logits[:, -1]
    return logits


@lru_cache(maxsize=32)
def _accepted(forward: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(forward).parameters)
