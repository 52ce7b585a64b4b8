"""A model as lm-eval asks it: prompts are rendered exactly as in training, and one that does not fit is an error.

Knows no suite and no task.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from pipeline import progress
from pipeline.chat import encode_prompt, encode_text
from pipeline.digests import digest_of
from pipeline.engines import SamplingParams
from pipeline.engines.base import BaseModel, with_adapter
from pipeline.engines.likelihood import HOW, likelihoods
from pipeline.engines.local import LocalEngine
from pipeline.errors import MeasurementFailed
from pipeline.grading import GRADER
from pipeline.recipe import PolicyRules
from pipeline.rendering import template_day

REFUSAL_TOKENS = 24  # a refusal is known by its opening


class Request(Protocol):
    """The part of lm-eval's Instance that a model reads: (context, settings) or (context, continuation)."""

    @property
    def args(self) -> tuple[Any, ...]: ...


class EvaluatedModel:
    """The base with one adapter, for `lm_eval.evaluate`. Every model of a comparison is run in the same batch size."""

    rank = 0
    world_size = 1

    def __init__(self, base: BaseModel, adapter: Path | None, policy: PolicyRules) -> None:
        self._base, self.adapter, self._max_tokens = base, adapter, policy.max_answer_tokens
        self.question_prompt = policy.question_prompt
        self._engine = LocalEngine(base)

    @property
    def settings(self) -> str:
        """A digest of whatever else than model and suite could change an answer or its score."""
        model, identity = self._base.model, self._base.identity
        return digest_of(
            "settings",
            self._max_tokens,
            self.question_prompt,
            GRADER,
            HOW,
            REFUSAL_TOKENS,
            version("lm-eval"),
            str(model.dtype),
            model.device.type,
            identity.model,
            identity.tokenizer,
            identity.chat_template,
            *([day] if (day := template_day(self._base.tokenizer)) else []),
        )

    def generate_until(self, requests: Sequence[Request]) -> list[str]:
        """Greedy answers, cut at the task's stop texts. Raises MeasurementFailed on a prompt that does not fit."""
        prompts = [request.args[0] for request in requests]
        limits = [min(int(r.args[1].get("max_gen_toks", self._max_tokens)), self._max_tokens) for r in requests]
        for prompt, limit in zip(prompts, limits, strict=True):
            must_fit(len(encode_prompt(self._base.tokenizer, prompt)) + limit, self._engine.context, prompt)
        answers: dict[int, str] = {}
        with progress.step("answers"):
            for limit in sorted(set(limits)):
                chosen = [at for at, one in enumerate(limits) if one == limit]
                with progress.part(len(answers), len(chosen), len(requests)):
                    texts = self._greedy([prompts[at] for at in chosen], limit)
                answers |= dict(zip(chosen, texts, strict=True))
        return [_until(answers[at], request.args[1].get("until", [])) for at, request in enumerate(requests)]

    def _greedy(self, prompts: Sequence[str], limit: int) -> list[str]:
        params = SamplingParams(max_new_tokens=limit)
        return [text for (text,) in self._engine.generate(prompts, params, adapter=self.adapter)]

    def loglikelihood(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """For each (context, continuation): its log-probability in nats, and whether greedy decoding gives it."""
        encoded = [self._encode(str(request.args[0]), str(request.args[1])) for request in requests]
        with progress.step("choices, tokens"), with_adapter(self._base, self.adapter) as model:
            return likelihoods(model, encoded)

    def _encode(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Token ids of both. The prompt ends where the answer begins, so lm-eval's blank before a choice is dropped."""
        prompt = encode_prompt(self._base.tokenizer, context)
        said = encode_text(self._base.tokenizer, continuation.lstrip())
        if not said:
            raise MeasurementFailed(f"an empty choice for “{context[:80]}” cannot be scored. Correct the task's items.")
        must_fit(len(prompt) + len(said), self._engine.context, context)
        return prompt, said


def must_fit(tokens: int, context: int, prompt: str) -> None:
    """Raises MeasurementFailed where so many tokens do not fit: what was cut would be another question."""
    if tokens > context:
        raise MeasurementFailed(
            f"a question and its answer need {tokens} tokens and the model has {context}: “{prompt[:80]}”. "
            "Shorten the question, or lower advanced.policy.max_answer_tokens."
        )


def _until(text: str, stops: str | Sequence[str]) -> str:
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.split(stop)[0] if stop else text
    return text
