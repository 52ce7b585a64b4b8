"""Causal attention within sequences that lie one after another in one row, without padding. Knows no adapter.

All of a model but its attention works token by token, so a batch is one long row of tokens; only here its sequences are
put side by side, in buckets of similar lengths, and back.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention

from pipeline.engines.prefix import replaced_attention

Numbers = Any  # a numpy array of integers or booleans
_NAME = "sealed_ragged"
_UNSUPPORTED = ("softcap", "s_aux", "position_bias")  # arguments of other attentions that this one does not implement
_WASTE = 1.3  # padded places to real ones within a bucket
_BUCKETS = 6


@dataclass(frozen=True, eq=False)
class AttentionLayout:
    """How the sequences of a row of T tokens are put side by side for attention, in buckets of similar lengths.

    `buckets`: (sequences, length) of each. `taken` (N,): the token at each padded place; padding takes its sequence's
    first token. `real` (N,): whether a place is no padding. `places` (T,): the padded place of each token.
    """

    buckets: tuple[tuple[int, int], ...]
    taken: torch.Tensor
    real: torch.Tensor
    places: torch.Tensor


def layout_of(lengths: Sequence[int], device: torch.device, order: Numbers | None = None) -> AttentionLayout:
    """The layout of sequences of these lengths, whose tokens lie one after another, or in that `order` of those."""
    sizes = np.asarray(lengths)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    shortest_first = np.argsort(sizes, kind="stable")
    buckets, taken, real, place = [], [], [], 0
    places = np.empty(int(sizes.sum()), dtype=np.int64)
    for members in _buckets(sizes, shortest_first):
        length = int(sizes[members[-1]])
        steps = np.arange(length)
        inside = steps[None, :] < sizes[members][:, None]
        tokens = starts[members][:, None] + np.where(inside, steps[None, :], 0)
        places[tokens[inside]] = place + np.flatnonzero(inside)
        buckets.append((len(members), length))
        taken.append(tokens.ravel())
        real.append(inside.ravel())
        place += inside.size
    if order is not None:
        moved = np.empty_like(order)
        moved[order] = np.arange(len(order))
        taken, places = [moved[tokens] for tokens in taken], places[order]
    return AttentionLayout(
        buckets=tuple(buckets),
        taken=torch.from_numpy(np.concatenate(taken)).to(device),
        real=torch.from_numpy(np.concatenate(real)).to(device),
        places=torch.from_numpy(places).to(device),
    )


def _buckets(sizes: Numbers, order: Numbers) -> list[Numbers]:
    """Cuts the sequences, shortest first, where a much longer one would pad its bucket too much."""
    cuts: list[int] = []
    begun, real = 0, 0
    for at, member in enumerate(order):
        size = int(sizes[member])
        if at > begun and len(cuts) < _BUCKETS - 1 and size * (at - begun + 1) > _WASTE * (real + size):
            cuts.append(at)
            begun, real = at, 0
        real += size
    return [members for members in np.split(order, cuts) if len(members)]


def can_be_ragged(model: Any) -> bool:
    """Whether this attention can replace the model's own, which is found out by trying it."""
    config = model.config.get_text_config()
    plain = config._attn_implementation == "sdpa" and bool(getattr(model, "_supports_attention_backend", False))
    if not plain or getattr(config, "attn_logit_softcapping", None) is not None:
        return False
    try:
        return _agrees(model)
    except (NotImplementedError, TypeError):  # it needs more, or does not pass the layout on
        return False


@contextmanager
def ragged_attention(model: Any) -> Iterator[None]:
    """In this context the model must be called with one row of tokens, `position_ids` and `layout`."""
    with replaced_attention(model, _NAME, attend):
        yield


def _agrees(model: Any) -> bool:
    """Whether two sequences in one row have the states each has alone: some architectures also mix tokens elsewhere.

    The second's must be equal to the bit whatever the first is, and both equal to those alone up to rounding, which
    grows with depth and is coarse in bfloat16.
    """
    device = next(model.parameters()).device
    first, other, second = (torch.arange(*span, device=device) for span in ((1, 5), (5, 9), (9, 16)))
    with torch.no_grad():
        alone = torch.cat([_states(model, one) for one in (first, second)]).float()
        with ragged_attention(model):
            together, beside = _states(model, first, second), _states(model, other, second)
    if not torch.equal(together[len(first) :], beside[len(other) :]):
        return False
    apart = (alone - together.float()).norm(dim=-1) / alone.norm(dim=-1)
    return bool(apart.max() < torch.finfo(together.dtype).eps ** 0.5 / 2)


def _states(model: Any, *sequences: torch.Tensor) -> torch.Tensor:
    """The last hidden states (tokens, width) of the sequences in one row; of one alone by the model's own attention."""
    ids = torch.cat(sequences)[None]
    if len(sequences) == 1:
        found = model.base_model(input_ids=ids, use_cache=False)
    else:
        lengths = tuple(map(len, sequences))
        positions = torch.cat([torch.arange(length, device=ids.device) for length in lengths])[None]
        layout = layout_of(lengths, ids.device)
        found = model.base_model(input_ids=ids, position_ids=positions, use_cache=False, layout=layout)
    states: torch.Tensor = found.last_hidden_state[0]
    return states


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    layout: AttentionLayout,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """(1, heads, tokens, width) each -> (1, tokens, heads, width): causal attention within each sequence."""
    if odd := [name for name in _UNSUPPORTED if options.get(name) is not None]:
        raise NotImplementedError(f"ragged attention does not implement {odd[0]}")
    window: int | None = options.get("sliding_window")
    heads, groups = query.shape[1], query.shape[1] // key.shape[1]
    spread = [_Spread.apply(_by_token(each), layout) for each in (query, key, value)]  # type: ignore[no-untyped-call]
    done, place = [], 0
    for count, length in layout.buckets:
        span = slice(place, place + count * length)
        q, k, v = (
            padded[span].view(count, length, -1, each.shape[-1]).transpose(1, 2)
            for padded, each in zip(spread, (query, key, value), strict=True)
        )
        if groups > 1:
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        mask = _window(length, window, q.device) if window is not None and length > window else None
        out = scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, scale=scaling)
        done.append(out.transpose(1, 2).reshape(count * length, -1))
        place = span.stop
    back = _Gather.apply(torch.cat(done) if len(done) > 1 else done[0], layout)  # type: ignore[no-untyped-call]
    return back.view(1, -1, heads, value.shape[-1]), None


def _by_token(states: torch.Tensor) -> torch.Tensor:
    """(1, heads, tokens, width) -> (tokens, heads x width)."""
    return states[0].transpose(0, 1).reshape(states.shape[2], -1)


def _window(length: int, window: int, device: torch.device) -> torch.Tensor:
    """The mask (length, length) by which a query (row) attends to itself and the `window` - 1 keys before it."""
    places = torch.arange(length, device=device)
    back = places[:, None] - places[None, :]
    return (back >= 0) & (back < window)


class _Spread(torch.autograd.Function):
    """Tokens (T, width) to padded places (N, width); padding is never attended to."""

    @staticmethod
    def forward(ctx: Any, tokens: torch.Tensor, layout: AttentionLayout) -> torch.Tensor:
        ctx.layout = layout
        return tokens.index_select(0, layout.taken)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad.index_select(0, ctx.layout.places), None


class _Gather(torch.autograd.Function):
    """Padded places (N, width) back to tokens (T, width)."""

    @staticmethod
    def forward(ctx: Any, padded: torch.Tensor, layout: AttentionLayout) -> torch.Tensor:
        ctx.layout = layout
        return padded.index_select(0, layout.places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        spread = grad.index_select(0, ctx.layout.taken)
        return spread.mul_(ctx.layout.real[:, None].to(spread.dtype)), None
