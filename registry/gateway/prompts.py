"""Makes generations of requests: prompts as token ids by the base's own template, and how many tokens they may get."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.chat import Message, encode_messages, encode_plain
from pipeline.engines.engine import SamplingParams, room_for
from pipeline.errors import BadInput, BadRequest
from registry.gateway.requests import ChatBody, TextBody
from registry.servers.server import Generation

_LONGEST_TOKEN = 64  # characters: a longer text than this for each token of the context is refused unread


@dataclass(frozen=True)
class Prompts:
    """The base's tokenizer, and its vocabulary and context in tokens.

    `temperature`: of a request that names none. The gates ask greedy answers of every suite, so these are the default.
    """

    tokenizer: Any
    vocabulary: int
    context: int
    temperature: float = 0.0

    def chat(self, body: ChatBody) -> tuple[Generation, ...]:
        """A generation for each choice. Raises BadRequest."""
        messages = body.conversation
        self._check_length(sum(len(message.content) for message in messages), "messages")
        return self._generations(body, self._encoded(messages), body.wanted or self.context, "messages")

    def text(self, body: TextBody) -> tuple[Generation, ...]:
        """A generation for each choice. Raises BadRequest."""
        return self._generations(body, self._ids(body.prompt), body.wanted, "prompt")

    def _encoded(self, messages: Sequence[Message]) -> list[int]:
        try:
            return encode_messages(self.tokenizer, messages)
        except BadInput as error:
            raise BadRequest(str(error), param="messages") from error

    def _ids(self, prompt: str | list[int] | list[str]) -> list[int]:
        given = prompt[0] if isinstance(prompt, list) and isinstance(prompt[0], str) else prompt
        if isinstance(given, str):
            self._check_length(len(given), "prompt")
            return encode_plain(self.tokenizer, given)
        ids = [int(one) for one in given]
        if any(one >= self.vocabulary for one in ids):
            raise BadRequest(f"a token id is not below {self.vocabulary}, the size of the vocabulary.", param="prompt")
        return ids

    def _check_length(self, characters: int, param: str) -> None:
        if characters > _LONGEST_TOKEN * self.context:
            raise BadRequest(
                f"{characters:,} characters cannot fit into a context of {self.context} tokens. Send less.", param=param
            )

    def _generations(
        self, body: ChatBody | TextBody, ids: list[int], wanted: int, param: str
    ) -> tuple[Generation, ...]:
        if not ids:
            raise BadRequest("the prompt is empty. Send at least one word.", param=param)
        try:
            limit = room_for(ids, wanted, self.context)
        except BadInput as error:
            raise BadRequest(str(error), param=param) from error
        first = Generation(ids=tuple(ids), params=self._params(body, limit), stop=body.stops)
        seeds = range(first.params.seed, first.params.seed + (body.n or 1))
        return tuple(replace(first, params=replace(first.params, seed=seed)) for seed in seeds)

    def _params(self, body: ChatBody | TextBody, limit: int) -> SamplingParams:
        return SamplingParams(
            max_new_tokens=limit,
            temperature=self.temperature if body.temperature is None else body.temperature,
            top_p=body.top_p or 1.0,
            seed=secrets.randbits(31) if body.seed is None else body.seed & (2**31 - 1),
        )
