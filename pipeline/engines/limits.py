"""What every engine refuses before it runs anything, and whether it had to stop. Knows numbers only."""

from collections.abc import Sequence

from pipeline.engines.engine import Engine, SamplingParams
from pipeline.errors import BadInput

_TEMPLATE = 64  # tokens for roles, turns, a short system message


def check_params(params: SamplingParams) -> None:
    """Raises BadInput for parameters that no engine can sample with."""
    if params.max_new_tokens < 1 or params.samples < 1:
        raise BadInput(f"max_new_tokens ({params.max_new_tokens}) and samples ({params.samples}) must be 1 or more.")
    if params.temperature < 0.0 or not 0.0 < params.top_p <= 1.0:
        raise BadInput(
            f"temperature ({params.temperature}) must be 0 or more, top_p ({params.top_p}) above 0 and at most 1."
        )


def room_for(prompt: Sequence[int], wanted: int, context: int) -> int:
    """New tokens that `prompt` leaves room for, at most `wanted`. Raises BadInput where it leaves none."""
    if len(prompt) >= context:
        raise BadInput(
            f"a prompt of {len(prompt)} tokens leaves no room for an answer in a context of {context}. "
            "Shorten it, or split the document."
        )
    return min(wanted, context - len(prompt))


def check_scored(prompt: Sequence[int], answer: Sequence[int], context: int) -> None:
    """Raises BadInput where an answer has no token, or it and its prompt are longer than the context."""
    if not answer:
        raise BadInput("an empty answer has no chance that could be told. Give it words.")
    if len(prompt) + len(answer) > context:
        raise BadInput(
            f"a prompt and its answer have {len(prompt) + len(answer)} tokens, and the context {context}. Shorten them."
        )


def template_tokens(engine: Engine) -> int:
    """Tokens to set aside for what a chat template adds around a text; at most an eighth of the context."""
    return min(_TEMPLATE, engine.context // 8)


def cut_off(engine: Engine, text: str, limit: int) -> bool:
    """Whether a text that might have `limit` tokens was not at its end there, by its length: engines do not tell.

    One token less is taken for cut off as well: what was written may have been cleaned since.
    """
    return engine.token_count(text) >= limit - 1
