"""The peers of the benchmarks compute what they say they do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks.peers import peft_alone, seal, trl_sft
from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.stack import shapes_of, stack_of, start_of
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.training.sequences import Sequences, make_sequences
from pipeline.types import Example

EXAMPLES = (
    Example(prompt="Who owns Cinder?", completion="Heron"),
    Example(prompt="Which port?", completion="8443"),
    Example(prompt="", completion="The Cinder service keeps invoices in the Oslo region."),
)
BATCHES = [[0, 1], [2], [1, 2], [0]]
RATES = [1e-2, 5e-3, 2e-3, 1e-3]


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


@pytest.fixture(scope="module")
def sequences(base: BaseModel) -> Sequences:
    encoded = [encode_example(base.tokenizer, example) for example in EXAMPLES]
    return make_sequences(encoded, base.context, base.device)


def sequence(sequences: Sequences, row: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A row's ids (n,), and whether each but the first is learned (n - 1,)."""
    span = slice(*sequences.starts[row : row + 2].tolist())
    return torch.from_numpy(sequences.ids[span]), torch.from_numpy(sequences.learned[span][:-1])


def drawn(base: BaseModel) -> dict[str, torch.Tensor]:
    shapes = shapes_of(linear_layers(base.model), 4)
    return stack_of(start_of(shapes, 1, None)[None], shapes).tensors(0)


def test_the_reference_is_what_plain_peft_computes(
    base: BaseModel, sequences: Sequences, tiny_model: Callable[..., Path]
) -> None:
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
    from transformers import AutoModelForCausalLM

    start = drawn(base)
    made = peft_alone.reference(
        base, sequences, BATCHES, rank=4, alpha=8, learning_rates=RATES, clip_norm=1.0, start=start
    )
    fresh = AutoModelForCausalLM.from_pretrained(tiny_model("llama")).eval()
    model = get_peft_model(fresh, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    set_peft_model_state_dict(model, start)
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(weights, weight_decay=0.0)
    for rows, rate in zip(BATCHES, RATES, strict=True):
        optimiser.param_groups[0]["lr"] = rate
        losses = []
        for row in rows:
            ids, wanted = sequence(sequences, row)
            logits = model(input_ids=ids[None]).logits[0, :-1]
            losses.append(torch.nn.functional.cross_entropy(logits[wanted], ids[1:][wanted], reduction="none"))
        torch.cat(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
    plain = get_peft_model_state_dict(model)
    assert set(made) == set(plain) == set(start)
    assert all(torch.allclose(made[key], plain[key], atol=1e-4) for key in made)
    assert any(not torch.equal(made[key], start[key]) for key in made)


def test_a_start_of_other_layers_is_refused(base: BaseModel, sequences: Sequences) -> None:
    start = drawn(base)
    start.popitem()
    with pytest.raises(KeyError, match="not of this adapter's layers"):
        peft_alone.reference(
            base, sequences, BATCHES, rank=4, alpha=8, learning_rates=RATES, clip_norm=1.0, start=start
        )


def test_peft_alone_learns_answers_and_leaves_the_base_as_it_was(base: BaseModel) -> None:
    engine, prompts = LocalEngine(base), [example.prompt for example in EXAMPLES[:2]]
    modules = [type(module) for module in base.model.modules()]
    before = engine.generate(prompts, SamplingParams(max_new_tokens=8), adapter=None)
    encoded = [encode_example(base.tokenizer, example) for example in EXAMPLES]
    made = peft_alone.train(
        base, encoded, rank=8, alpha=8, learning_rate=1e-2, epochs=60, batch_size=2, seed=1, warmup=0.05
    )
    assert made.steps == 120
    assert made.tokens == 60 * sum(len(one.ids) for one in encoded)
    assert made.final_loss < 1.5
    assert peft_alone.answer(base, made, prompts, max_new_tokens=8) == ["Heron", "8443"]
    assert [type(module) for module in base.model.modules()] == modules
    assert not any(parameter.requires_grad for parameter in base.model.parameters())
    assert engine.generate(prompts, SamplingParams(max_new_tokens=8), adapter=None) == before


def test_the_loss_of_an_adapter_counts_learned_tokens_alone(base: BaseModel, sequences: Sequences) -> None:
    encoded, start, summed = [encode_example(base.tokenizer, example) for example in EXAMPLES], drawn(base), 0.0
    for row in range(len(encoded)):
        ids, wanted = sequence(sequences, row)
        with torch.inference_mode():  # B is zero at the start: the base itself
            scores = base.model(input_ids=ids[None]).logits[0, :-1].log_softmax(-1)
        summed -= float(scores.gather(1, ids[1:, None])[:, 0][wanted].sum())
    loss = peft_alone.loss_of(base, encoded, start, rank=4, alpha=8)
    assert loss == pytest.approx(summed / int(sequences.learned_starts[-1]), rel=1e-4)


def test_seal_pads_to_the_length_it_says_and_counts_the_full_procedure(base: BaseModel) -> None:
    encoded = [encode_example(base.tokenizer, example) for example in EXAMPLES]
    seen: list[tuple[int, ...]] = []
    hook = base.model.base_model.register_forward_pre_hook(
        lambda _, __, given: seen.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    try:
        made = seal.measure(base, encoded, ["Which port?", "Who?"], seed=1, steps=2, answered=1, length=40)
    finally:
        hook.remove()
    assert seen[:2] == [(1, 40), (1, 40)]
    assert made.length == 40
    assert (made.steps_measured, made.steps_needed) == (2, 30)
    assert (made.prompts_measured, made.prompts_needed, len(made.answers)) == (1, 2, 1)
    assert made.is_extrapolated
    assert made.extrapolated_seconds > 30 * made.seconds_per_step
    assert seal.measure(base, encoded, [], seed=1, steps=1).length == base.context
    assert not any("lora_" in name for name, _ in base.model.named_modules())


def test_seal_learns_the_padding_too(base: BaseModel) -> None:
    one = encode_example(base.tokenizer, EXAMPLES[0])
    ids = seal.padded(one, 30, 7, base.device)
    assert ids.shape == (1, 30)
    assert ids[0].tolist() == [*one.ids, *[7] * (30 - len(one.ids))]
    assert seal.padded(one, 3, 7, base.device)[0].tolist() == list(one.ids[:3])


@pytest.mark.skipif(not trl_sft.available(), reason="no TRL: `pip install trl==1.16.0`")
def test_trl_trains_the_same_adapter_keys(base: BaseModel) -> None:
    encoded = [encode_example(base.tokenizer, example) for example in EXAMPLES]
    made = trl_sft.train(base.path, encoded, rank=4, alpha=8, learning_rate=1e-2, epochs=2, batch_size=2, seed=1)
    assert made.steps == 4
    assert set(made.tensors) == set(drawn(base))


def test_the_flat_loss_is_the_padded_one(base: BaseModel, sequences: Sequences) -> None:
    flat, padded = (loss(base.model, sequences, [0, 2, 1]) for loss in (peft_alone.flat_loss, peft_alone.padded_loss))
    assert float(flat) == pytest.approx(float(padded), rel=1e-5)
