"""The engine of this process answers as transformers does, alone and in a batch."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline import progress
from pipeline.chat import encode_prompt
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.cache import roomy_cache
from pipeline.engines.decoding import choose
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.engines.prefix import can_share
from pipeline.errors import BadInput

KINDS = ["llama", "qwen3", "gpt2"]
PROMPTS = ["Who owns it?", "A", "Which port does the Cinder service listen on at run? " * 2, "Who owns it?", "Port?"]


@pytest.fixture(scope="module")
def bases(tiny_model: Callable[..., Path]) -> dict[str, BaseModel]:
    return {kind: load_base(str(tiny_model(kind)), device="cpu") for kind in KINDS}


def plainly(base: BaseModel, prompt: str, limit: int) -> str:
    """Transformers' own greedy generation, one prompt at a time."""
    ids = torch.tensor([encode_prompt(base.tokenizer, prompt)])
    out = base.model.generate(ids, max_new_tokens=limit, attention_mask=torch.ones_like(ids), do_sample=False)
    return str(base.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_answers_are_those_of_transformers_one_by_one(bases: dict[str, BaseModel], kind: str) -> None:
    bases[kind].model.generation_config.pad_token_id = 0
    answers = LocalEngine(bases[kind]).generate(PROMPTS, SamplingParams(max_new_tokens=12), adapter=None)
    assert answers == [(plainly(bases[kind], prompt, 12),) for prompt in PROMPTS]


@pytest.mark.parametrize("kind", KINDS)
def test_sampled_answers_depend_on_the_seed_and_not_on_the_batch(
    bases: dict[str, BaseModel], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(bases[kind])

    def sample(seed: int) -> list[tuple[str, ...]]:
        return engine.generate(
            PROMPTS, SamplingParams(max_new_tokens=9, temperature=1.0, top_p=0.9, samples=3, seed=seed), adapter=None
        )

    together = sample(1)
    assert [len(answers) for answers in together] == [3] * len(PROMPTS)
    assert together == sample(1)
    assert together != sample(2)
    assert len(set(together[0])) > 1
    monkeypatch.setattr("pipeline.engines.local._MAX_ROWS", 1)
    assert sample(1) == together


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
@pytest.mark.parametrize("limit", [1, 40])
def test_samples_that_share_their_prompts_cache_are_those_of_rows_with_a_cache_each(
    bases: dict[str, BaseModel], kind: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sample() -> list[tuple[str, ...]]:
        engine = LocalEngine(bases[kind])
        return engine.generate(
            PROMPTS, SamplingParams(max_new_tokens=limit, temperature=1.3, samples=5, seed=4), adapter=None
        )

    implementation = bases[kind].model.config._attn_implementation
    assert can_share(bases[kind].model, roomy_cache(bases[kind].model.config))
    sharing = sample()
    assert bases[kind].model.config._attn_implementation == implementation
    monkeypatch.setattr("pipeline.engines.decoding.can_share", lambda model, cache: False)
    assert sample() == sharing


def test_sampling_follows_the_nucleus() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().repeat(4000, 1)
    draws = (torch.arange(4000) + 0.5) / 4000
    whole = SamplingParams(max_new_tokens=1, temperature=1.0)
    everything = choose(logits, whole, draws).bincount(minlength=4) / 4000
    assert torch.allclose(everything, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=1e-3)
    nucleus = choose(logits, replace(whole, top_p=0.75), draws).bincount(minlength=4) / 4000
    assert torch.allclose(nucleus, torch.tensor([0.625, 0.375, 0.0, 0.0]), atol=1e-3)
    assert choose(logits, replace(whole, temperature=0.0), draws).eq(0).all()


def test_greedy_samples_are_all_alike(bases: dict[str, BaseModel]) -> None:
    (answers,) = LocalEngine(bases["llama"]).generate(
        ["Who?"], SamplingParams(max_new_tokens=4, samples=3), adapter=None
    )
    assert len(answers) == 3
    assert len(set(answers)) == 1


def test_an_answer_ends_where_the_context_does(bases: dict[str, BaseModel]) -> None:
    engine = LocalEngine(bases["gpt2"])
    word = "z " * ((engine.context - 8) // 2)
    assert engine.token_count(word) == engine.context - 8
    (answer,) = engine.generate([word], SamplingParams(max_new_tokens=500, temperature=1.0, seed=3), adapter=None)
    assert 0 < engine.token_count(answer[0]) < 16
    with pytest.raises(BadInput, match="leaves no room"):
        engine.generate(["fine", word * 2], SamplingParams(max_new_tokens=5), adapter=None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_writes_prompts_from_an_empty_user_turn(bases: dict[str, BaseModel], kind: str) -> None:
    engine = LocalEngine(bases[kind])
    written = engine.write_prompts(6, seed=5, max_new_tokens=10)
    assert written == engine.write_prompts(6, seed=5, max_new_tokens=10)
    assert written != engine.write_prompts(6, seed=6, max_new_tokens=10)
    assert len(set(written)) > 2


def test_progress_counts_prompts(bases: dict[str, BaseModel]) -> None:
    seen: list[tuple[int, int]] = []
    with progress.watched_by(lambda _, *said: seen.append(said)), progress.step("generating"):
        LocalEngine(bases["llama"]).generate(PROMPTS, SamplingParams(max_new_tokens=2), adapter=None)
    assert seen[-1] == (5, 5)


def test_nothing_asked_is_nothing_answered(bases: dict[str, BaseModel]) -> None:
    assert LocalEngine(bases["llama"]).generate([], SamplingParams(max_new_tokens=2), adapter=None) == []
    with pytest.raises(BadInput, match="temperature"):
        LocalEngine(bases["llama"]).generate(["a"], SamplingParams(max_new_tokens=2, temperature=-1.0), adapter=None)
