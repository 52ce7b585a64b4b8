"""Causal attention within sequences that lie one after another in one row, without padding. Knows no adapter.

All of a model but its attention works token by token, so a batch is one long row of tokens; only here its sequences are
put side by side, in buckets of similar lengths, and back. What sequences begin with in common may stand in the row
once: only attention sees it again for each of them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag, scaled_dot_product_attention

from pipeline.engines.prefix import replaced_attention

Numbers = Any  # a numpy array of integers or booleans
_NAME = "sealed_ragged"
_UNSUPPORTED = ("softcap", "s_aux", "position_bias")  # arguments of other attentions that this one does not implement
_WASTE = 1.3  # padded places to real ones within a bucket
_BUCKETS = 6
_FORK = 4  # tokens that sequences have in common when sharing is tried


@dataclass(frozen=True, eq=False)
class AttentionLayout:
    """How the sequences of a row of T tokens are put side by side for attention, in buckets of similar lengths.

    A token that several sequences begin with stands once in the row, and in the place of each of them.

    `buckets`: (sequences, length) of each. `taken` (N,): the token at each padded place; padding takes its sequence's
    first token. `places` (T,): the place where each token's output is taken from. `real` (N,): whether a place is one
    of those. `copies`: all places of token after token, each token's from `starts` (T,) on. `widened`: whether
    attention is computed in float32 whatever the model's type is.
    """

    buckets: tuple[tuple[int, int], ...]
    taken: torch.Tensor
    places: torch.Tensor
    real: torch.Tensor
    copies: torch.Tensor
    starts: torch.Tensor
    widened: bool


def layout_of(lengths: Sequence[int], device: torch.device, where: Numbers | None = None) -> AttentionLayout:
    """The layout of sequences of these lengths.

    `where`: the place in the row of each token of sequence after sequence, by default that order itself. Each place of
    the row is named; one that is named more than once is a token that sequences begin with in common.
    """
    sizes = np.asarray(lengths)
    firsts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    shortest_first = np.argsort(sizes, kind="stable")
    buckets, taken, filled = [], [], []
    for members in _buckets(sizes, shortest_first):
        length = int(sizes[members[-1]])
        steps = np.arange(length)
        inside = steps[None, :] < sizes[members][:, None]
        buckets.append((len(members), length))
        taken.append((firsts[members][:, None] + np.where(inside, steps[None, :], 0)).ravel())
        filled.append(inside.ravel())
    tokens = np.concatenate(taken)
    tokens = tokens if where is None else where[tokens]
    copies, starts = _copies(tokens, np.flatnonzero(np.concatenate(filled)))
    real = np.zeros(len(tokens), dtype=bool)
    real[copies[starts]] = True

    def on_device(numbers: Numbers) -> torch.Tensor:
        return torch.from_numpy(numbers).to(device)

    return AttentionLayout(
        buckets=tuple(buckets),
        taken=on_device(tokens),
        places=on_device(copies[starts]),
        real=on_device(real),
        copies=on_device(copies),
        starts=on_device(starts),
        widened=device.type == "cpu",  # whose kernel takes twice as long in bfloat16, forward and back
    )


def _copies(tokens: Numbers, places: Numbers) -> tuple[Numbers, Numbers]:
    """These `places`, where `tokens` says which token stands, by token; and where each token's begin."""
    ordered = tokens[places]
    counts = np.bincount(ordered)
    return places[np.argsort(ordered, kind="stable")], np.cumsum(counts) - counts


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
    grows with depth and is coarse in bfloat16. So must be those of two that share what they begin with.
    """
    device = next(model.parameters()).device
    first, other, second = (torch.arange(*span, device=device) for span in ((1, 5), (5, 9), (9, 16)))
    fork = torch.cat([second[:_FORK], first])
    with torch.no_grad():
        one, two, three = (_states(model, alone) for alone in (first, second, fork))
        with ragged_attention(model):
            together, beside = _states(model, first, second), _states(model, other, second)
            sharing = _sharing_states(model, second, fork)
    if not torch.equal(together[len(first) :], beside[len(other) :]):
        return False
    return _close(torch.cat([one, two]), together) and _close(torch.cat([two, three[_FORK:]]), sharing)


def _close(expected: torch.Tensor, found: torch.Tensor) -> bool:
    """Whether states (tokens, width) are equal up to rounding."""
    apart = (expected.float() - found.float()).norm(dim=-1) / expected.float().norm(dim=-1)
    return bool(apart.max() < torch.finfo(found.dtype).eps ** 0.5 / 2)


def _states(model: Any, *sequences: torch.Tensor) -> torch.Tensor:
    """The last hidden states (tokens, width) of the sequences in one row; of one alone by the model's own attention."""
    ids = torch.cat(sequences)
    if len(sequences) == 1:
        return _row_states(model, ids)
    lengths = tuple(map(len, sequences))
    positions = torch.cat([torch.arange(length, device=ids.device) for length in lengths])[None]
    return _row_states(model, ids, position_ids=positions, layout=_own_type(layout_of(lengths, ids.device)))


def _sharing_states(model: Any, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The same of two sequences whose first _FORK tokens are alike and stand in the row once, as those of `one`."""
    ids, lengths = torch.cat([one, other[_FORK:]]), (len(one), len(other))
    positions = torch.cat([torch.arange(len(one)), torch.arange(_FORK, len(other))]).to(ids.device)[None]
    where = np.concatenate([np.arange(len(one)), np.arange(_FORK), np.arange(len(one), len(ids))])
    layout = _own_type(layout_of(lengths, ids.device, where))
    return _row_states(model, ids, position_ids=positions, layout=layout)


def _own_type(layout: AttentionLayout) -> AttentionLayout:
    """The layout in which attention is computed in the model's own type, as the model's own attention is."""
    return replace(layout, widened=False)


def _row_states(model: Any, ids: torch.Tensor, **layout: Any) -> torch.Tensor:
    states: torch.Tensor = model.base_model(input_ids=ids[None], use_cache=False, **layout).last_hidden_state[0]
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
    heads, groups, own = query.shape[1], query.shape[1] // key.shape[1], query.dtype
    if layout.widened:
        query, key, value = query.float(), key.float(), value.float()
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
    return back.view(1, -1, heads, value.shape[-1]).to(own), None


def _by_token(states: torch.Tensor) -> torch.Tensor:
    """(1, heads, tokens, width) -> (tokens, heads x width)."""
    return states[0].transpose(0, 1).reshape(states.shape[2], -1)


def _window(length: int, window: int, device: torch.device) -> torch.Tensor:
    """The mask (length, length) by which a query (row) attends to itself and the `window` - 1 keys before it."""
    places = torch.arange(length, device=device)
    back = places[:, None] - places[None, :]
    return (back >= 0) & (back < window)


class _Spread(torch.autograd.Function):
    """Tokens (T, width) to padded places (N, width); padding is never attended to.

    Back, the gradients of a token's copies are added up, each time in the same order.
    """

    @staticmethod
    def forward(ctx: Any, tokens: torch.Tensor, layout: AttentionLayout) -> torch.Tensor:
        ctx.layout = layout
        return tokens.index_select(0, layout.taken)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return embedding_bag(ctx.layout.copies, grad.contiguous(), ctx.layout.starts, mode="sum"), None


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
