"""The engine that asks an OpenAI-compatible server, vLLM in production. Prompts travel as token ids, never as text.

A server that parses text would turn words of a document into control tokens. So /v1/completions must take token ids,
`n`, `stop_token_ids`, `seed` and `prompt_logprobs`, as vLLM's does; a server that does not is refused by its answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline import progress
from pipeline.adapters.format import verify_adapter
from pipeline.chat import encode_prompt, encode_text, open_user_turn, stop_ids, written_prompt
from pipeline.digests import seed_from
from pipeline.engines.base import ModelMetadata
from pipeline.engines.engine import SamplingParams, check_params, check_scored, room_for
from pipeline.engines.http_calls import Calls, Found, RequestRefused, Server, calls
from pipeline.engines.responses import check_served, logprob_of, samples_of, served_models, without_logprobs
from pipeline.errors import EngineFailed


@dataclass(frozen=True, kw_only=True)
class Names:
    """Under which names the server knows the base as it is, and an adapter by its digest."""

    base: str
    adapter: str = "rel-{digest}"


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """One request: a prompt's ids and its room."""

    ids: list[int]
    limit: int


class OpenAIEngine:
    """Answers prompts with a model that a server already serves, under the digest of the adapter that is asked for."""

    def __init__(
        self, metadata: ModelMetadata, server: Server, names: Names, *, concurrency: int = 8, seeded: bool = True
    ) -> None:
        """`concurrency`: requests in flight. `seeded`: whether the server is asked to sample by our seed."""
        self._metadata, self._server, self._names = metadata, server, names
        self._concurrency, self._seeded = concurrency, seeded

    @cached_property
    def context(self) -> int:
        """Longest sequence in tokens, of the model and of the server that may allow less."""
        with calls(self._server) as job:
            listed = served_models(job.server.name, job.json("/v1/models")).get(self._names.base)
        return min(self._metadata.context, (listed and listed.context) or self._metadata.context)

    @property
    def base_digest(self) -> str:
        """The base model by content: its weights, tokenizer and chat template."""
        return self._metadata.identity.digest

    def token_count(self, text: str) -> int:
        """Tokens of plain text, without what a template adds."""
        return len(encode_text(self._metadata.tokenizer, text))

    def generate(
        self, prompts: Sequence[str], params: SamplingParams, *, adapter: Path | None
    ) -> list[tuple[str, ...]]:
        """See `Engine.generate`. All samples of a prompt are one request, so that the server reads the prompt once.

        Raises EngineFailed where the server does not serve the adapter, or does not answer as asked; CorruptAdapter or
        WrongBase where the adapter's folder is not what its manifest says.
        """
        check_params(params)
        if not prompts:
            return []
        rows = [encode_prompt(self._metadata.tokenizer, prompt) for prompt in prompts]
        asked = self._asked(rows, params.max_new_tokens)
        stops = stop_ids(self._metadata.tokenizer, self._metadata)
        settings = self._settings(adapter, stops, params)
        return [texts * (params.samples // params.copies) for texts in self._ask(asked, settings, params)]

    def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
        """See `Engine.logprobs`. The server must generate one more token, which is dropped: it needs room as well.

        Raises EngineFailed as `generate` does, and where the server returns no log-probabilities of a prompt.
        """
        if not asked:
            return []
        tokenizer = self._metadata.tokenizer
        rows = [(encode_prompt(tokenizer, prompt), encode_text(tokenizer, answer)) for prompt, answer in asked]
        for prompt, answer in rows:
            check_scored(prompt, answer, self.context - 1)
        settings = self._settings(adapter, set(), SamplingParams(max_new_tokens=1))
        settings |= {"prompt_logprobs": 0, "max_tokens": 1}

        def score(place: int, job: Calls) -> float:
            prompt, answer = rows[place]
            try:
                found = job.json("/v1/completions", settings | {"prompt": [*prompt, *answer]})
            except RequestRefused as error:
                raise EngineFailed(f"{error} {without_logprobs(job.server.name)}") from error
            return logprob_of(job.server.name, found, answer, model=settings["model"])

        return self._each(score, len(rows), settings["model"])

    def write_prompts(self, count: int, *, seed: int, max_new_tokens: int) -> list[str]:
        """See `Engine.write_prompts`: sampled at temperature 1, adapter off; some may be empty or alike."""
        if count == 0:
            return []
        turn = open_user_turn(self._metadata.tokenizer)
        stops = turn.stops | stop_ids(self._metadata.tokenizer, self._metadata)
        params = SamplingParams(max_new_tokens=max_new_tokens, temperature=1.0, seed=seed)
        settings = self._settings(None, stops, params)
        found = self._ask(self._asked([list(turn.ids)] * count, max_new_tokens), settings, params)
        return [written_prompt(turn, text) for (text,) in found]

    def _asked(self, rows: Sequence[list[int]], wanted: int) -> list[_Asked]:
        return [_Asked(ids=ids, limit=room_for(ids, wanted, self.context)) for ids in rows]

    def _settings(
        self, adapter: Path | None, stops: set[int] | frozenset[int], params: SamplingParams
    ) -> dict[str, Any]:
        """What all requests of a call have in common. Defaults of the server's own configuration are switched off."""
        name = self._names.base
        if adapter is not None:
            name = self._names.adapter.format(digest=verify_adapter(adapter, self._metadata.identity).adapter)
        return {
            "model": name,
            "n": params.copies,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "stop_token_ids": sorted(stops),
            "top_k": -1,
            "repetition_penalty": 1.0,
        }

    def _ask(self, asked: Sequence[_Asked], settings: dict[str, Any], params: SamplingParams) -> list[tuple[str, ...]]:
        def complete(place: int, job: Calls) -> tuple[str, ...]:
            body = settings | {"prompt": asked[place].ids, "max_tokens": asked[place].limit}
            if self._seeded and settings["temperature"] > 0.0:
                body["seed"] = seed_from(params.seed, asked[place].ids if params.by_prompt else place)
            answer = job.json("/v1/completions", body)
            return samples_of(job.server.name, answer, model=body["model"], count=body["n"])

        return self._each(complete, len(asked), settings["model"])

    def _each(self, work: Callable[[int, Calls], Found], count: int, model: str) -> list[Found]:
        """The results of `work` for places 0 to `count` - 1, in order; some run at once. `model` must be served."""
        found: dict[int, Found] = {}
        with calls(self._server) as job:
            check_served(job.server.name, model, job.json("/v1/models"))
            results = job.bounded(lambda place: (place, work(place, job)), range(count), self._concurrency)
            for done, (place, one) in enumerate(results, start=1):
                found[place] = one
                progress.report(done, count)
        return [found[place] for place in range(count)]
