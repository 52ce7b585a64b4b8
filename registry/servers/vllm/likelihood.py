"""How likely a vLLM server finds the next token of a text. Knows no adapter and no release.

Not by `prompt_logprobs`: beside other requests these end the engine of a server with LoRA (vLLM 0.32, CPU build).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from pipeline.engines.http_calls import Calls
from pipeline.errors import EngineFailed

MOST_TOKENS = 128  # that one request may ask about
_FLOOR = -9000.0  # nats: what vLLM says for minus infinity is below


def next_logprobs(
    job: Calls, model: str, ids: Sequence[int], tokens: Sequence[int], *, salt: str | None = None
) -> list[float]:
    """The log-probability, in nats, of each of `tokens` as the one after `ids`; -inf for what is no number there.

    `salt`: parts what the server keeps of this text from what it kept before; a text of a new one is computed anew.
    Raises EngineFailed.
    """
    body: dict[str, Any] = {"model": model, "prompt": list(ids), "max_tokens": 1, "n": 1, "temperature": 0.0}
    body |= {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "stop_token_ids": []}
    body |= {"presence_penalty": 0.0, "frequency_penalty": 0.0, "cache_salt": salt or uuid4().hex}
    body |= {"logprobs": 1, "logprob_token_ids": list(tokens), "return_tokens_as_token_ids": True}
    answer = job.json("/v1/completions", body)
    try:
        if answer["model"] != model:
            raise EngineFailed(f"{job.server.name} answered as {answer['model']!r} where {model!r} was asked.")
        (choice,) = answer["choices"]
        (found,) = choice["logprobs"]["top_logprobs"]
        return [_number(found, token) for token in tokens]
    except (TypeError, KeyError, ValueError) as error:
        raise EngineFailed(
            f"{job.server.name} does not say how likely a token is, so no adapter can be proved to be applied. "
            "Use vLLM 0.32, whose /v1/completions take `logprob_token_ids`."
        ) from error


def _number(found: Mapping[str, Any], token: int) -> float:
    said = found[f"token_id:{token}"]
    value = -math.inf if said is None else float(said)
    return value if value > _FLOOR or math.isnan(value) else -math.inf
