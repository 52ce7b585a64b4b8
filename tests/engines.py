"""A scripted engine for tests of what asks one, and the contract that every engine must keep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline import progress
from pipeline.digests import digest_of, seed_from
from pipeline.engines.engine import Engine, SamplingParams, check_scored
from pipeline.errors import BadInput


@dataclass
class ScriptedEngine:
    """Answers by `script(prompt, seed)`; a token is a word. `asked` holds the prompts of each call, `adapters`
    the adapter of each.

    `chance(prompt, answer)`: how likely an answer is, in nats.
    """

    script: Callable[[str, int], str] = lambda prompt, seed: f"{prompt.split()[-1]} {seed}"
    chance: Callable[[str, str], float] = lambda prompt, answer: -float(len(answer.split()))
    context: int = 400
    asked: list[tuple[str, ...]] = field(default_factory=list)
    adapters: list[Path | None] = field(default_factory=list)

    @property
    def base_digest(self) -> str:
        return digest_of("scripted")

    def token_count(self, text: str) -> int:
        return len(text.split())

    def write_prompts(self, count: int, *, seed: int, max_new_tokens: int) -> list[str]:
        return [f"prompt {seed_from(seed, number)}" for number in range(count)]

    def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
        for prompt, answer in asked:
            check_scored(prompt.split(), answer.split(), self.context)
        return [self.chance(prompt, answer) for prompt, answer in asked]

    def generate(
        self,
        prompts: Sequence[str],
        params: SamplingParams,
        *,
        adapter: Path | None,
    ) -> list[tuple[str, ...]]:
        self.asked.append(tuple(prompts))
        self.adapters.append(adapter)
        progress.report(len(prompts), len(prompts))
        seeds = [seed_from(params.seed, number) if params.temperature else 0 for number in range(params.samples)]
        return [tuple(self.script(prompt, drawn) for drawn in seeds) for prompt in prompts]


def check_engine(engine: Engine) -> None:
    """Fails where `engine` breaks what callers build on: order, counts, repeatability, independence of the batch."""
    prompts = ["Who owns the Cinder service?", "Which port?", "Where does it run, and since when?"]
    greedy = engine.generate(prompts, SamplingParams(max_new_tokens=6), adapter=None)
    assert [len(texts) for texts in greedy] == [1, 1, 1]
    assert greedy == [
        engine.generate([prompt], SamplingParams(max_new_tokens=6), adapter=None)[0] for prompt in prompts
    ]
    sampled = engine.generate(
        prompts, SamplingParams(max_new_tokens=6, temperature=1.0, top_p=0.95, samples=3, seed=5), adapter=None
    )
    again = engine.generate(
        prompts, SamplingParams(max_new_tokens=6, temperature=1.0, top_p=0.95, samples=3, seed=5), adapter=None
    )
    assert sampled == again
    assert [len(texts) for texts in sampled] == [3, 3, 3]
    assert len(set(sampled[0])) > 1, "samples of one prompt must differ"
    other = engine.generate(
        prompts, SamplingParams(max_new_tokens=6, temperature=1.0, top_p=0.95, samples=3, seed=6), adapter=None
    )
    assert other != sampled, "another seed must give other samples"
    assert engine.generate([], SamplingParams(max_new_tokens=6), adapter=None) == []
    assert engine.token_count("") == 0
    assert 0 < engine.token_count("one word") < engine.token_count("one word " * 20) < engine.context
    reports: list[tuple[int, int]] = []
    with progress.watched_by(lambda _, *said: reports.append(said)), progress.step("generating"):
        engine.generate(prompts, SamplingParams(max_new_tokens=2), adapter=None)
    assert reports[-1] == (3, 3)
    assert reports == sorted(reports)
    pairs = [(prompt, answer) for prompt in prompts for answer in ("Heron", "Heron, since the beginning")]
    chances = engine.logprobs(pairs, adapter=None)
    assert all(chance < 0.0 for chance in chances)
    assert all(more < less for less, more in zip(chances[::2], chances[1::2], strict=True)), "more words, less likely"
    alone = [engine.logprobs([pair], adapter=None)[0] for pair in pairs]
    assert chances == pytest.approx(alone, abs=1e-3)
    assert engine.logprobs([], adapter=None) == []
    for unfit in ("", "word " * 20_000):
        with pytest.raises(BadInput):
            engine.logprobs([("Which port?", unfit)], adapter=None)
    assert len(engine.write_prompts(2, seed=1, max_new_tokens=6)) == 2
    assert engine.write_prompts(2, seed=1, max_new_tokens=6) == engine.write_prompts(2, seed=1, max_new_tokens=6)
