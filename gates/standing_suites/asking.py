"""A base model that is asked in groups, each kept on disk at once: a build that was killed goes on where it was."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline import progress
from pipeline.digests import canonical_json, digest_of
from pipeline.engines import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.files import write_text

T = TypeVar("T")
R = TypeVar("R")

GROUP = 48  # prompts that are lost at most; they share their batches


class KeptEngine:
    """The base model without an adapter. `folder` keeps its answers; nothing here depends on the clock."""

    def __init__(self, engine: LocalEngine, folder: Path) -> None:
        self.engine, self._folder = engine, folder

    def answers(self, prompts: Sequence[str], params: SamplingParams) -> list[tuple[str, ...]]:
        """Replies to each prompt; see `Engine.generate`."""
        said = self._grouped(
            ("generate", repr(params)), prompts, lambda some: self.engine.generate(some, params, adapter=None)
        )
        return [tuple(one) for one in said]

    def continued(self, texts: Sequence[str], params: SamplingParams) -> list[tuple[str, ...]]:
        """What the model writes after each plain text, without a template."""
        said = self._grouped(("continue", repr(params)), texts, lambda some: self.engine.continue_text(some, params))
        return [tuple(one) for one in said]

    def logprobs(self, asked: Sequence[tuple[str, str]]) -> list[float]:
        """See `Engine.logprobs`."""
        return self._grouped(("logprobs",), asked, lambda some: self.engine.logprobs(some, adapter=None))

    def prompts(self, count: int, seed: int, tokens: int) -> list[str]:
        """Prompts that the model writes itself; see `Engine.write_prompts`."""
        return self._grouped(
            ("prompts", seed, tokens),
            range(0, count, GROUP),
            lambda starts: [
                one
                for start in starts
                for one in self.engine.write_prompts(
                    min(GROUP, count - start), seed=seed + start, max_new_tokens=tokens
                )
            ],
            size=1,
        )

    def _grouped(
        self, key: tuple[object, ...], asked: Sequence[T], ask: Callable[[Sequence[T]], Sequence[R]], size: int = GROUP
    ) -> list[R]:
        found: list[R] = []
        for first in range(0, len(asked), size):
            some = asked[first : first + size]
            with progress.part(first, len(some), len(asked)):
                found += self._kept((*key, list(some)), partial(ask, some))
        return found

    def _kept(self, key: tuple[object, ...], make: Callable[[], Sequence[R]]) -> list[R]:
        file = self._folder / f"{digest_of(self.engine.base_digest, *key)[:32]}.json"
        try:
            return list(json.loads(file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):
            made = list(make())
            write_text(file, canonical_json(made))
            return made
