"""Steps without padding are the padded ones, whatever the architecture; one that cannot go without is padded."""

import random
from typing import Any

import pytest
import torch
import transformers

from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.stack import shapes_of, stack_of, start_of
from pipeline.chat import Encoded
from pipeline.errors import BadInput
from pipeline.training import TokenLayout, attention, objective
from pipeline.training.attention import can_be_ragged
from pipeline.training.lora_linear import adapters_on
from pipeline.training.objective import Objective
from pipeline.training.sequences import Sequences, make_sequences
from tests.unit.training.architectures import PADDED, RAGGED, SIZES, adapters, model_of, step

BATCH = [[0, 1, 5], [2], [3, 4]]


def some_sequences() -> Sequences:
    draw = random.Random(1)
    lengths = (3, 17, 9, 30, 5, 2)
    encoded = [
        Encoded(ids=tuple(draw.randrange(3, 64) for _ in range(n)), loss=(False,) * (n // 2) + (True,) * (n - n // 2))
        for n in lengths
    ]
    return make_sequences(encoded, 64, torch.device("cpu"))


@pytest.mark.parametrize("kind", RAGGED)
def test_a_step_without_padding_has_the_losses_and_gradients_of_a_padded_one(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(RAGGED[kind])
    before = model.config._attn_implementation
    assert can_be_ragged(model)
    flat, padded = adapters(model, 3), adapters(model, 3)
    losses = step(model, Objective(model, some_sequences()), BATCH, flat)
    monkeypatch.setattr(objective, "can_be_ragged", lambda model: False)
    assert torch.allclose(step(model, Objective(model, some_sequences()), BATCH, padded), losses, atol=1e-4)
    assert torch.allclose(flat.gradients, padded.gradients, atol=1e-4, rtol=1e-3)
    assert flat.gradients.abs().max() > 1e-3
    assert model.config._attn_implementation == before


@pytest.mark.parametrize("kind", [*RAGGED, *PADDED])
def test_each_adapter_of_a_step_has_the_loss_and_gradient_it_has_alone(kind: str) -> None:
    model = model_of({**RAGGED, **PADDED}[kind])
    objective, together = Objective(model, some_sequences()), adapters(model, 3)
    losses = step(model, objective, BATCH, together)
    for adapter, rows in enumerate(BATCH):
        alone = adapters(model, 3).keep([adapter])
        assert torch.allclose(step(model, objective, [rows], alone)[0], losses[adapter], atol=1e-4)
        assert torch.allclose(alone.gradients[0], together.gradients[adapter], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("kind", PADDED)
def test_an_attention_of_its_own_kind_is_left_to_the_model(kind: str) -> None:
    assert not can_be_ragged(model_of(PADDED[kind]))


def test_rounding_is_no_reason_to_pad(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a card, where the states of a sequence in a row and alone differ by rounding."""
    model, whole = model_of(RAGGED["llama"]).bfloat16(), attention._states
    monkeypatch.setattr(
        attention, "_states", lambda model, *rows: whole(model, *rows) * (1.02 if len(rows) == 1 else 1.0)
    )
    assert can_be_ragged(model)
    assert not can_be_ragged(model.float())


@pytest.mark.parametrize("scale", [0.02, 0.2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_architecture_that_mixes_tokens_outside_its_attention_is_padded(dtype: torch.dtype, scale: float) -> None:
    sizes = {**SIZES, "initializer_range": scale}
    mixing = transformers.Lfm2Config(**sizes, num_key_value_heads=1, full_attn_idxs=[1])
    assert not can_be_ragged(model_of(mixing).to(dtype))


def test_an_architecture_that_mixes_tokens_with_those_before_them_in_the_row_is_padded() -> None:
    """One that knows where sequences begin, so that each has the states it has alone, but not where two fork."""
    model = model_of(RAGGED["llama"])

    def mix(_: Any, given: Any, options: dict[str, Any], states: torch.Tensor) -> torch.Tensor:
        return states + 0.5 * states.roll(1, 1) * (options["position_ids"] > 0)[..., None]

    model.model.layers[0].register_forward_hook(mix, with_kwargs=True)
    first, second = torch.arange(1, 5), torch.arange(5, 9)
    with attention.ragged_attention(model):
        together = attention._states(model, first, second)
    assert torch.allclose(together[4:], attention._states(model, second), atol=1e-4)
    assert not can_be_ragged(model)


def test_bfloat16_learns_what_float32_learns() -> None:
    model = model_of(RAGGED["llama"])
    shapes = shapes_of(linear_layers(model), 3)
    plain, half = (stack_of(torch.stack([start_of(shapes, seed, None) for seed in range(3)]), shapes) for _ in range(2))
    losses = step(model, Objective(model, some_sequences()), BATCH, plain)
    model.to(torch.bfloat16)
    coarse = step(model, Objective(model, some_sequences()), BATCH, half)
    assert torch.allclose(losses, coarse, atol=0.1)
    assert half.gradients.dtype == torch.float32
    agreement = torch.nn.functional.cosine_similarity(plain.gradients, half.gradients, dim=1)
    assert float(agreement.min()) > 0.98


def test_a_layer_that_sees_only_some_tokens_is_told() -> None:
    model = model_of(RAGGED["llama"])
    with adapters_on(model, adapters(model, 3), scale=1.0, targets=()) as adapted:
        adapted.tokens = TokenLayout(3, 4)
        with pytest.raises(BadInput, match="sees only some of a batch's tokens"):
            model.model.layers[0].mlp.up_proj(torch.randn(7, 32))
