"""What any engine that runs a model can do, and the token budgets of its prompts and answers. Knows no library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules
from pipeline.types import Example


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How answers are sampled: greedy at temperature 0, else from the top-p nucleus, `samples` for each prompt.

    by_prompt: a prompt draws the same random numbers whatever is asked beside it; else they go by its place.
    """

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    samples: int = 1
    seed: int = 0
    by_prompt: bool = False

    @property
    def copies(self) -> int:
        """Samples that differ: greedy ones are all alike."""
        return self.samples if self.temperature > 0.0 else 1


class Engine(Protocol):
    """Runs one base model, with an adapter or without."""

    def generate(
        self, prompts: Sequence[str], params: SamplingParams, *, adapter: Path | None
    ) -> list[tuple[str, ...]]:
        """`params.samples` answers for each prompt, in order. Reports progress in prompts.

        Raises BadInput where a prompt leaves no room for an answer in the context.
        """
        ...

    def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
        """For each prompt and answer the log-probability of the answer, in nats; that it ends there is not counted.

        Raises BadInput where an answer is empty, or the two do not fit in the context.
        """
        ...

    def write_prompts(self, count: int, *, seed: int, max_new_tokens: int) -> list[str]:
        """Prompts that the base (no adapter) writes itself from an empty user turn (Magpie, Xu et al. 2024)."""
        ...

    def token_count(self, text: str) -> int:
        """Tokens of plain text, without what a template adds."""
        ...

    @property
    def base_digest(self) -> str:
        """The base model by content: its weights, tokenizer and chat template."""
        ...

    @property
    def context(self) -> int:
        """Longest sequence in tokens."""
        ...


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
        raise BadInput("an empty answer has no log-probability. Give it at least one word.")
    if len(prompt) + len(answer) > context:
        raise BadInput(
            f"a prompt and its answer have {len(prompt) + len(answer)} tokens, and the context {context}. Shorten them."
        )


def template_tokens(engine: Engine) -> int:
    """Tokens to set aside for what a chat template adds around a text; at most an eighth of the context."""
    return min(_TEMPLATE, engine.context // 8)


def fits_context(engine: Engine, rules: TrainingRules) -> Callable[[Example], bool]:
    """A filter for examples that, with the chat template around them, fit into a training sequence of `rules`."""
    limit = min(rules.max_tokens or engine.context, engine.context) - template_tokens(engine)
    return lambda example: engine.token_count(example.prompt) + engine.token_count(example.completion) <= limit


def cut_off(engine: Engine, text: str, limit: int) -> bool:
    """Whether a text, generated with at most `limit` tokens, was cut off there: engines do not say, so by its length.

    A text one token shorter counts as cut off as well, since cleaning may have shortened it.
    """
    return engine.token_count(text) >= limit - 1
