"""Continues token sequences with a causal language model: batched, cached, greedy or sampled.

Knows ids and tensors; knows no text, no adapter and no chat template.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from pipeline import progress
from pipeline.engines.cache import roomy_cache
from pipeline.engines.engine import SamplingParams
from pipeline.engines.prefix import Prefix, can_share, shared

Arrange = Callable[[Sequence[int]], Sequence[int]]
_LIKELY = 64  # a nucleus seldom has more tokens, and finding these is cheaper than sorting a vocabulary
_COMPACT_BELOW = 0.75  # share of unfinished rows below which the finished ones, which cost as much, are dropped


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodingJob:
    """Prompts to continue in one batch, `params.copies` times each: rows are ordered by prompt.

    `limits`: most new tokens of each prompt; `stops`: ids that end a row, and are left out of it.
    `draws`: uniform numbers in [0, 1), (rows, longest limit); each row has its own, so that what is sampled does not
    depend on which rows share a batch.
    `arrange`: called with the rows that remain whenever some leave the batch, returns the order in which they stay
    (places among them). A model that carries several adapters must know whose rows it is given.
    """

    prompts: Sequence[Sequence[int]]
    limits: Sequence[int]
    stops: frozenset[int]
    params: SamplingParams
    draws: torch.Tensor | None = None
    arrange: Arrange | None = None


@dataclass
class Rows:
    """The rows still being written, and what the model needs to go on; all tensors have one entry a row.

    `mask` (rows, tokens) is 0 where a row is padded; None where none is. `positions`: of each row's next token.
    """

    origin: torch.Tensor
    mask: torch.Tensor | None
    positions: torch.Tensor
    limits: torch.Tensor
    draws: torch.Tensor | None
    cache: Any
    prefix: Prefix | None = None

    def keep(self, kept: torch.Tensor) -> "Rows":
        self.cache.batch_select_indices(kept)
        return Rows(
            origin=self.origin[kept],
            mask=None if self.mask is None else self.mask[kept],
            positions=self.positions[kept],
            limits=self.limits[kept],
            draws=None if self.draws is None else self.draws[kept],
            cache=self.cache,
            prefix=None if self.prefix is None else self.prefix.keep(kept),
        )


@torch.inference_mode()
def decode(model: Any, job: DecodingJob) -> list[list[int]]:
    """The new tokens of each row. The prompts are read once for all copies. Reports progress in tokens of a row."""
    logits, rows = prefill(model, job)
    stopping = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
    stopping[[stop for stop in job.stops if stop < len(stopping)]] = True
    with shared(model) if rows.prefix else nullcontext():
        return _continue(model, job, logits, rows, stopping)


def _continue(
    model: Any, job: DecodingJob, logits: torch.Tensor, rows: Rows, stopping: torch.Tensor
) -> list[list[int]]:
    """Token by token from the prompts' last logits; `stopping` (vocabulary,) is True at the ids that end a row."""
    longest = max(job.limits)
    out = torch.full((len(rows.origin), longest), -1, device=logits.device)
    done = torch.zeros(len(rows.origin), dtype=torch.bool, device=logits.device)
    for step in range(longest):
        token = choose(logits, job.params, None if rows.draws is None else rows.draws[:, step])
        done |= stopping[token]
        out[rows.origin, step] = torch.where(done, -1, token)
        done |= rows.limits <= step + 1
        unfinished = int((~done).sum())
        if not unfinished:
            break
        if unfinished <= _COMPACT_BELOW * len(done):
            kept = (~done).nonzero()[:, 0]
            if job.arrange:
                kept = kept[list(job.arrange(rows.origin[kept].tolist()))]
            rows, token, done = rows.keep(kept), token[kept], done[kept]
        logits = advance(model, token, rows)
        progress.report(step + 1, longest)
    return [[token for token in row if token >= 0] for row in out.tolist()]


def choose(logits: torch.Tensor, params: SamplingParams, draws: torch.Tensor | None) -> torch.Tensor:
    """The next token of each row, by inverse transform: (rows, vocabulary) and (rows,) uniforms -> (rows,)."""
    if params.temperature == 0.0 or draws is None:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.float() / params.temperature, -1)
    if params.top_p >= 1.0:
        return _place(probabilities.double().cumsum(-1), draws)
    likeliest, token = probabilities.max(-1)
    # A draw below the likeliest token's own mass falls on it, whatever else is in the nucleus.
    open_rows = (draws.double() >= likeliest.double()).nonzero()[:, 0]
    if len(open_rows):
        token[open_rows] = _from_nucleus(probabilities[open_rows], params.top_p, draws[open_rows])
    return token


def _from_nucleus(probabilities: torch.Tensor, top_p: float, draws: torch.Tensor) -> torch.Tensor:
    """A token of each row's nucleus, which is seldom larger than the few likeliest tokens."""
    token, whole = _among_likeliest(probabilities, min(_LIKELY, probabilities.shape[-1]), top_p, draws)
    flat = (~whole).nonzero()[:, 0]
    if len(flat):
        token[flat] = _among_likeliest(probabilities[flat], probabilities.shape[-1], top_p, draws[flat])[0]
    return token


def _among_likeliest(
    probabilities: torch.Tensor, count: int, top_p: float, draws: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """A token of each row's nucleus among its `count` likeliest, and whether these hold all of the nucleus."""
    likely, order = probabilities.topk(count, -1)
    reached = likely.double().cumsum(-1)
    # The nucleus is the smallest set whose mass reaches top_p: a token stays if the mass before it does not.
    inside = torch.where(reached - likely < top_p, reached, 0.0).cummax(-1).values
    token = order.gather(-1, _place(inside, draws)[:, None])[:, 0]
    return token, (reached[:, -1] >= top_p) | (count == probabilities.shape[-1])


def _place(reached: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Where a uniform draw falls among cumulated masses (rows, places), which need not reach 1: inverse transform."""
    drawn = draws.double()[:, None] * reached[:, -1:]
    return torch.searchsorted(reached, drawn, right=True)[:, 0].clamp(max=reached.shape[-1] - 1)


def prefill(model: Any, job: DecodingJob) -> tuple[torch.Tensor, Rows]:
    """Reads the left-padded prompts once: their last logits (rows, vocabulary), and the rows that continue them."""
    device, longest = next(model.parameters()).device, max(map(len, job.prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in job.prompts], device=device)
    lengths = torch.tensor([len(prompt) for prompt in job.prompts], device=device)
    places, padding = torch.arange(longest, device=device), longest - lengths[:, None]
    mask = (places >= padding).long() if bool((lengths < longest).any()) else None
    rows = Rows(
        origin=torch.arange(len(job.prompts), device=device),
        mask=mask,
        positions=lengths,
        limits=torch.tensor(job.limits, device=device),
        draws=None if job.draws is None else job.draws.to(device),
        cache=roomy_cache(model.config),
    )
    logits = _forward(model, ids, (places - padding).clamp(min=0), rows)
    return _copied(model, logits, rows, job.params.copies)


def _copied(model: Any, logits: torch.Tensor, rows: Rows, copies: int) -> tuple[torch.Tensor, Rows]:
    """The same with `copies` rows a prompt, which share the prompt's keys and values where the model can."""
    if copies == 1:
        return logits, rows
    logits, rows.positions, rows.limits = (
        each.repeat_interleave(copies, 0) for each in (logits, rows.positions, rows.limits)
    )
    rows.origin = torch.arange(len(logits), device=logits.device)
    if can_share(model, rows.cache):
        rows.prefix = Prefix.of(rows.cache, rows.mask, copies)
        rows.cache, rows.mask = roomy_cache(model.config), None
        return logits, rows
    rows.cache.batch_repeat_interleave(copies)
    rows.mask = None if rows.mask is None else rows.mask.repeat_interleave(copies, 0)
    return logits, rows


def advance(model: Any, token: torch.Tensor, rows: Rows) -> torch.Tensor:
    """Gives each row its next token (rows,), and returns the logits (rows, vocabulary) after it."""
    if rows.mask is not None:
        rows.mask = torch.cat([rows.mask, rows.mask.new_ones(len(rows.mask), 1)], 1)
    logits = _forward(model, token[:, None], rows.positions[:, None], rows)
    rows.positions = rows.positions + 1
    return logits


def _forward(model: Any, ids: torch.Tensor, positions: torch.Tensor, rows: Rows) -> torch.Tensor:
    """Logits (rows, vocabulary) after the last token. Architectures without position ids derive them from the mask."""
    known, options = accepted(type(model).forward), dict[str, Any]()
    if "position_ids" in known:
        options["position_ids"] = positions
    if "logits_to_keep" in known:
        options["logits_to_keep"] = 1
    if rows.prefix is not None:
        options["shared_prefix"] = rows.prefix
    out = model(input_ids=ids, attention_mask=rows.mask, past_key_values=rows.cache, use_cache=True, **options)
    logits: torch.Tensor = out.logits[:, -1]
    return logits


@lru_cache(maxsize=32)
def accepted(forward: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(forward).parameters)
