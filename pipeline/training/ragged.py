"""Attention among sequences that lie one after another without padding: none sees another. Knows no adapter.

Imported where it is used only: it needs torch and transformers. All of a model but its attention works token by token,
so a batch is one long row of tokens; only here its sequences are put side by side, alike lengths together, and back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from pipeline.training.batch import AttentionLayout

_NAME = "sealed_ragged"
_UNKNOWN = ("softcap", "s_aux", "position_bias")  # what an attention may ask for and this one cannot do


def can_be_ragged(model: Any) -> bool:
    """Whether this model takes its attention from the library's registry, asks nothing unusual of it, and is causal."""
    config = model.config.get_text_config()
    plain = config._attn_implementation == "sdpa" and bool(getattr(model, "_supports_attention_backend", False))
    if not plain or getattr(config, "attn_logit_softcapping", None) is not None:
        return False
    try:
        return _agrees(model)
    except (NotImplementedError, TypeError):  # it asks for more, or does not hand the layout on
        return False


@contextmanager
def ragged_attention(model: Any) -> Iterator[None]:
    """While the context lasts, the model is to be called with `layout` and `position_ids`, and one row of tokens."""
    before = model.config._attn_implementation
    AttentionInterface.register(_NAME, attend)
    model.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _agrees(model: Any) -> bool:
    """Whether two sequences in one row come out as each alone does: some architectures mix tokens elsewhere, too.

    The second must be the same to the bit whatever the first is, and both like alone but for rounding, which grows with
    depth and is coarse in bfloat16.
    """
    device = next(model.parameters()).device
    first, other, second = (torch.arange(*span, device=device) for span in ((1, 5), (5, 9), (9, 16)))
    with torch.no_grad():
        alone = torch.cat([_states(model, part) for part in (first, second)]).float()
        with ragged_attention(model):
            together, beside = _states(model, first, second), _states(model, other, second)
    if not torch.equal(together[len(first) :], beside[len(other) :]):
        return False
    apart = (alone - together.float()).norm(dim=-1) / alone.norm(dim=-1)
    return bool(apart.max() < torch.finfo(together.dtype).eps ** 0.5 / 2)


def _states(model: Any, *parts: torch.Tensor) -> torch.Tensor:
    """(tokens, width): the last hidden states of the sequences in one row; of one alone by the model's attention."""
    from pipeline.training.batch import layout_of

    ids = torch.cat(parts)[None]
    if len(parts) == 1:
        found = model.base_model(input_ids=ids, use_cache=False)
    else:
        lengths = tuple(map(len, parts))
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
    sliding_window: int | None = None,
    **asked: Any,
) -> tuple[torch.Tensor, None]:
    """(1, heads, tokens, width) each -> (1, tokens, heads, width): causal attention within each sequence."""
    if odd := [name for name in _UNKNOWN if asked.get(name) is not None]:
        raise NotImplementedError(f"ragged attention does not know {odd[0]}")
    heads, groups = query.shape[1], query.shape[1] // key.shape[1]
    parts = [_Spread.apply(_by_token(each), layout) for each in (query, key, value)]  # type: ignore[no-untyped-call]
    done, place = [], 0
    for count, length in layout.buckets:
        span = slice(place, place + count * length)
        q, k, v = (
            part[span].view(count, length, -1, each.shape[-1]).transpose(1, 2)
            for part, each in zip(parts, (query, key, value), strict=True)
        )
        if groups > 1:
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        near = sliding_window is not None and length > sliding_window
        mask = _window(length, sliding_window or 0, q.device) if near else None
        made = scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=not near, scale=scaling)
        done.append(made.transpose(1, 2).reshape(count * length, -1))
        place = span.stop
    back = _Gather.apply(torch.cat(done) if len(done) > 1 else done[0], layout)  # type: ignore[no-untyped-call]
    return back.view(1, -1, heads, value.shape[-1]), None


def _by_token(states: torch.Tensor) -> torch.Tensor:
    """(1, heads, tokens, width) -> (tokens, heads x width)."""
    return states[0].transpose(0, 1).reshape(states.shape[2], -1)


def _window(length: int, window: int, device: torch.device) -> torch.Tensor:
    """Which keys (columns) a query (row) sees: itself and the `window` - 1 before it."""
    places = torch.arange(length, device=device)
    back = places[:, None] - places[None, :]
    return (back >= 0) & (back < window)


class _Spread(torch.autograd.Function):
    """Tokens (T, width) to padded places (N, width); what stands in the padding is never looked at."""

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
