"""The engine of runs on a vLLM server: it has the server load whichever adapter it is asked for, by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

from pipeline.chat import encode_prompt, encode_text
from pipeline.engines.engine import SamplingParams, check_scored
from pipeline.engines.http_calls import Calls, Server, calls
from pipeline.engines.openai import Names, OpenAIEngine
from registry.servers.vllm.adapters import ServedBase, VllmAdapters
from registry.servers.vllm.likelihood import next_logprobs


@dataclass(frozen=True)
class _Step:
    """A token of the answer at `place`, after `ids`."""

    place: int
    ids: tuple[int, ...]
    token: int

    def score(self, job: Calls, name: str, salt: str) -> float:
        (logprob,) = next_logprobs(job, name, self.ids, [self.token], salt=salt)
        return logprob


class VllmEngine:
    """Keeps the `Engine` protocol. Samples are drawn without a seed, which can end vLLM's CPU build."""

    def __init__(self, base: ServedBase, adapters: VllmAdapters, server: Server, *, concurrency: int = 8) -> None:
        """`concurrency`: requests in flight."""
        self._base, self._adapters, self._server, self._concurrency = base, adapters, server, concurrency

    def on(self, adapters: VllmAdapters) -> "VllmEngine":
        """The same engine with these adapters, and so under the names that they give."""
        return VllmEngine(self._base, adapters, self._server, concurrency=self._concurrency)

    @property
    def base_digest(self) -> str:
        """The base model by content: its weights, tokenizer and chat template."""
        return self._engine.base_digest

    @property
    def context(self) -> int:
        """Longest sequence in tokens, of the model and of the server that may allow less."""
        self._adapters.load(None)
        return self._engine.context

    def token_count(self, text: str) -> int:
        """Tokens of plain text, without what a template adds."""
        return self._engine.token_count(text)

    def generate(
        self, prompts: Sequence[str], params: SamplingParams, *, adapter: Path | None
    ) -> list[tuple[str, ...]]:
        """See `OpenAIEngine.generate`. Raises AdapterNotApplied and OSError as well."""
        self._load(prompts, adapter)
        return self._engine.generate(prompts, params, adapter=adapter)

    def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
        """See `Engine.logprobs`. One request a token, since a server that others use must survive it.

        Raises EngineFailed, AdapterNotApplied, CorruptAdapter, WrongBase, OSError.
        """
        if not asked:
            return []
        name, tokenizer, context = self._adapters.load(adapter), self._base.metadata.tokenizer, self.context
        steps: list[_Step] = []
        for place, (prompt, answer) in enumerate(asked):
            ids, said = encode_prompt(tokenizer, prompt), encode_text(tokenizer, answer)
            check_scored(ids, said, context)
            steps += [_Step(place, (*ids, *said[:at]), token) for at, token in enumerate(said)]
        found, salt = [0.0] * len(asked), uuid4().hex
        with calls(self._server) as job:
            scored = job.bounded(lambda step: (step.place, step.score(job, name, salt)), steps, self._concurrency)
            for place, logprob in scored:
                found[place] += logprob
        return found

    def write_prompts(self, count: int, *, seed: int, max_new_tokens: int) -> list[str]:
        """See `Engine.write_prompts`."""
        self._load(range(count), None)
        return self._engine.write_prompts(count, seed=seed, max_new_tokens=max_new_tokens)

    def _load(self, asked: Sequence[object], adapter: Path | None) -> None:
        if asked:
            self._adapters.load(adapter)

    @cached_property
    def _engine(self) -> OpenAIEngine:
        names = Names(base=self._adapters.identity, adapter=self._adapters.name_of("{digest}"))
        return OpenAIEngine(self._base.metadata, self._server, names, concurrency=self._concurrency, seeded=False)
