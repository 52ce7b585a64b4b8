"""What any engine that runs a model can do. Knows no library."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How answers are sampled: greedy at temperature 0, else from the top-p nucleus, `samples` for each prompt."""

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    samples: int = 1
    seed: int = 0

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
