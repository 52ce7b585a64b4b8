"""A model as the lm-eval command asks it: plain text without a chat template, token for token as its `hf` model.

What does not fit is an error here, where the command would cut it. Knows no suite.
"""

from collections.abc import Sequence
from pathlib import Path

from lm_eval.defaults import DEFAULT_MAX_GEN_TOKS
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text

from gates.evaluated import Request, must_fit
from pipeline import progress
from pipeline.engines.base import BaseModel, with_adapter
from pipeline.engines.likelihood import likelihoods
from pipeline.engines.local import LocalEngine
from pipeline.errors import MeasurementFailed


class PlainModel:
    """The base with one adapter, for `lm_eval.evaluate`."""

    rank = 0
    world_size = 1

    def __init__(self, base: BaseModel, adapter: Path | None) -> None:
        self._base, self._adapter, self._tokenizer = base, adapter, base.tokenizer

    def generate_until(self, requests: Sequence[Request]) -> list[str]:
        """Greedy answers, cut at the task's stop texts. Raises MeasurementFailed on a prompt that does not fit."""
        eos = self._tokenizer.decode(self._tokenizer.eos_token_id)
        settings = [normalize_gen_kwargs(dict(request.args[1]), DEFAULT_MAX_GEN_TOKS) for request in requests]
        rows = [self._ids(str(request.args[0])) for request in requests]
        limits = [int(one["max_gen_toks"]) for one in settings]
        for row, limit, request in zip(rows, limits, requests, strict=True):
            must_fit(len(row) + limit, self._base.context, str(request.args[0]))
        with progress.step("answers"):
            said = LocalEngine(self._base).complete(rows, limits, stops=self._stops, adapter=self._adapter)
        stops = [handle_stop_sequences(one.get("until"), eos) for one in settings]
        return [postprocess_generated_text(text, stop, None) for text, stop in zip(said, stops, strict=True)]

    def loglikelihood(self, requests: Sequence[Request]) -> list[tuple[float, bool]]:
        """For each (context, continuation): its log-probability in nats, and whether greedy decoding gives it."""
        encoded = [self._pair(str(request.args[0]), str(request.args[1])) for request in requests]
        with progress.step("choices, tokens"), with_adapter(self._base, self._adapter) as model:
            return likelihoods(model, encoded)

    def _pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        """Token ids of both; blanks between them belong to the continuation. Without a context BOS, or EOS, is one."""
        if context:
            blanks = len(context) - len(context.rstrip())
            prompt = self._ids(context[: len(context) - blanks])
            said = self._ids(context + continuation)[len(prompt) :]
        else:
            said, prefix = self._tokenizer.encode(continuation, add_special_tokens=False), self._prefix
            prompt, said = ([prefix], said) if said[:1] != [prefix] else (said[:1], said[1:])
        if not prompt or not said:
            raise MeasurementFailed(f"an empty choice for “{context[:80]}” cannot be scored. Correct the task's items.")
        must_fit(len(prompt) + len(said), self._base.context, context)
        return prompt, said

    def _ids(self, text: str) -> list[int]:
        """With what this tokenizer adds by itself, unless the text begins with it."""
        begins = text.startswith(self._tokenizer.decode(self._prefix))
        return list(self._tokenizer.encode(text, **({"add_special_tokens": False} if begins else {})))

    @property
    def _prefix(self) -> int:
        bos = self._tokenizer.bos_token_id
        return int(self._tokenizer.eos_token_id if bos is None else bos)

    @property
    def _stops(self) -> frozenset[int]:
        named = getattr(self._base.model.generation_config, "eos_token_id", None)
        found = named if isinstance(named, list) else [] if named is None else [named]
        return frozenset([*found, self._tokenizer.eos_token_id])
