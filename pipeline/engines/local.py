"""The engine that runs a transformers model in this process. Knows ids and batches, not what the prompts are for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline import progress
from pipeline.chat import encode_plain, encode_prompt, encode_text, open_user_turn, stop_ids, written_prompt
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel, with_adapter
from pipeline.engines.cache import token_bytes
from pipeline.engines.decoding import DecodingJob, decode
from pipeline.engines.engine import SamplingParams, check_params, check_scored, room_for
from pipeline.engines.likelihood import likelihoods

_MAX_ROWS = 256
_CACHE_BYTES = 512 * 2**20  # what keys, values and logits of one batch may take


class LocalEngine:
    """Answers prompts with one base model and, call by call, one verified adapter."""

    def __init__(self, base: BaseModel) -> None:
        self._base = base

    @property
    def context(self) -> int:
        """Longest sequence in tokens."""
        return self._base.context

    @property
    def base_digest(self) -> str:
        """The base model by content: its weights, tokenizer and chat template."""
        return self._base.identity.digest

    def token_count(self, text: str) -> int:
        """Tokens of plain text, without what a template adds."""
        return len(encode_text(self._base.tokenizer, text))

    def generate(
        self, prompts: Sequence[str], params: SamplingParams, *, adapter: Path | None
    ) -> list[tuple[str, ...]]:
        """See `Engine.generate`. A seed's samples do not depend on how the prompts are batched."""
        check_params(params)
        tokenizer = self._base.tokenizer
        rows = [encode_prompt(tokenizer, prompt) for prompt in prompts]
        limits = [room_for(row, params.max_new_tokens, self.context) for row in rows]
        stops = frozenset(stop_ids(tokenizer, self._base.model))
        with with_adapter(self._base, adapter) as model:
            written = self._decode_all(model, rows, limits, stops, params)
        return [tuple(map(self._text, copies)) * (params.samples // params.copies) for copies in written]

    def continue_text(self, texts: Sequence[str], params: SamplingParams) -> list[tuple[str, ...]]:
        """What the base (no adapter) writes after each plain text, without a template."""
        check_params(params)
        rows = [encode_plain(self._base.tokenizer, text) for text in texts]
        limits = [room_for(row, params.max_new_tokens, self.context) for row in rows]
        stops = frozenset(stop_ids(self._base.tokenizer, self._base.model))
        written = self._decode_all(self._base.model, rows, limits, stops, params)
        return [tuple(map(self._text, copies)) * (params.samples // params.copies) for copies in written]

    def complete(
        self, rows: Sequence[list[int]], limits: Sequence[int], *, stops: frozenset[int], adapter: Path | None
    ) -> list[str]:
        """Greedy continuations of token ids, without a template; a row ends at one of `stops` or after its limit."""
        params = SamplingParams(max_new_tokens=max(limits, default=1))
        with with_adapter(self._base, adapter) as model:
            written = self._decode_all(model, rows, limits, stops, params)
        return [self._text(ids) for (ids,) in written]

    def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
        """See `Engine.logprobs`."""
        tokenizer = self._base.tokenizer
        rows = [(encode_prompt(tokenizer, prompt), encode_text(tokenizer, answer)) for prompt, answer in asked]
        for prompt, answer in rows:
            check_scored(prompt, answer, self.context)
        with with_adapter(self._base, adapter) as model:
            return [logprob for logprob, _ in likelihoods(model, rows)]

    def write_prompts(self, count: int, *, seed: int, max_new_tokens: int) -> list[str]:
        """See `Engine.write_prompts`: sampled at temperature 1, adapter off; some may be empty or alike."""
        if count == 0:
            return []
        turn = open_user_turn(self._base.tokenizer)
        rows = [list(turn.ids)] * count
        limits = [room_for(row, max_new_tokens, self.context) for row in rows]
        stops = turn.stops | stop_ids(self._base.tokenizer, self._base.model)
        params = SamplingParams(max_new_tokens=max_new_tokens, temperature=1.0, seed=seed)
        written = self._decode_all(self._base.model, rows, limits, stops, params)
        return [written_prompt(turn, self._text(ids)) for (ids,) in written]

    def _decode_all(
        self,
        model: Any,
        rows: Sequence[list[int]],
        limits: Sequence[int],
        stops: frozenset[int],
        params: SamplingParams,
    ) -> list[list[list[int]]]:
        """Continuations by row and copy. Rows of similar length share a batch, so that little is padded."""
        copies = params.copies
        draws = _draws(rows, max(limits, default=0), params) if params.temperature else None
        written: list[list[list[int]]] = [[] for _ in rows]
        order = sorted(range(len(rows)), key=lambda index: (len(rows[index]), index))
        done = 0
        for batch in self._batches(order, rows, limits, copies):
            chosen = [index * copies + copy for index in batch for copy in range(copies)]
            job = DecodingJob(
                prompts=[rows[index] for index in batch],
                limits=[limits[index] for index in batch],
                stops=stops,
                params=params,
                draws=None if draws is None else draws[chosen],
            )
            with progress.part(done, len(batch), len(rows)):
                out = decode(model, job)
            for place, index in enumerate(batch):
                written[index] = out[place * copies : (place + 1) * copies]
            done += len(batch)
        return written

    def _batches(
        self, order: Sequence[int], rows: Sequence[list[int]], limits: Sequence[int], copies: int
    ) -> list[list[int]]:
        """Cuts the sorted order so that a batch's keys, values and logits stay within _CACHE_BYTES."""
        per_token, config = token_bytes(self._base.model), self._base.model.config.get_text_config()
        batches: list[list[int]] = []
        for index in order:
            row_bytes = copies * (per_token * (len(rows[index]) + max(limits)) + 16 * config.vocab_size)
            room = max(1, min(_MAX_ROWS // copies, _CACHE_BYTES // row_bytes))
            # Much longer prompts open a new batch: the short ones would be mostly padding.
            if not batches or len(batches[-1]) >= room or len(rows[index]) > 2 * len(rows[batches[-1][0]]) + 16:
                batches.append([])
            batches[-1].append(index)
        return batches

    def _text(self, ids: list[int]) -> str:
        text = self._base.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return str(text)


def _draws(rows: Sequence[list[int]], longest: int, params: SamplingParams) -> torch.Tensor:
    """The random numbers of each copy of each row, one a token."""
    if not params.by_prompt:
        generator = torch.Generator().manual_seed(params.seed)
        return torch.rand(len(rows) * params.copies, longest, generator=generator)
    size = (params.copies, params.max_new_tokens)
    seeds = (seed_from(params.seed, row) for row in rows)
    return torch.cat([torch.rand(size, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
