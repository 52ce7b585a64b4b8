from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks.peers import peft_alone
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.local import LocalEngine
from pipeline.types import Example
from pipeline.updates.sequences import Sequences, make_sequences
from pipeline.updates.stack import shapes_of, stack_of, start_of
from pipeline.updates.targets import linear_layers

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
            ids = sequences.ids[row, : sequences.lengths[row]]
            wanted = sequences.learned[row, : len(ids) - 1]
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
    before = engine.generate(prompts, adapter=None, max_new_tokens=8)
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
    assert engine.generate(prompts, adapter=None, max_new_tokens=8) == before
