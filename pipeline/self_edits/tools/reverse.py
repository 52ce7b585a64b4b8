"""The tool "reverse": facts asked for from their other end.

A model that learned "A is B" does not know that B is A (the reversal curse: Berglund et al. 2023, arXiv 2309.12288);
training on the reversed fact as well corrects it (Golovneva et al. 2024, arXiv 2403.13799).
"""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.types import Document, Example

NAME = "reverse"
TAIL = 2  # words of a statement's end that are given
_SHORTEST = 5


def apply(document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """For each question its answer asked back; for each statement of one line the whole of it asked by its end."""
    turned = [_question(example) if example.prompt else _statement(example) for example in examples]
    return tuple(example for example in turned if example is not None)


def _question(example: Example) -> Example | None:
    if "\n" in example.prompt or "\n" in example.completion:
        return None
    return replace(example, prompt=f"Which question has the answer “{example.completion}”?", completion=example.prompt)


def _statement(example: Example) -> Example | None:
    words = example.completion.split()
    if "\n" in example.completion or len(words) < _SHORTEST:
        return None
    asked = f"Which statement ends with “{' '.join(words[-TAIL:])}”?"
    return replace(example, prompt=asked, completion=example.completion)
