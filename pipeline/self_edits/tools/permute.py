"""The tool "permute": the demonstrations that an example shows, in another order.

A workflow does not depend on the order in which it is shown: test-time training permutes demonstrations for it (Akyürek
et al. 2024, arXiv 2411.07279; SEAL, arXiv 2506.10943, section 3.2).
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipeline.documents.demonstrations import demonstration
from pipeline.types import Document, Example

NAME = "permute"
ORDERS = 2  # for each example


def apply(document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """Each example that shows two demonstrations or more, in other orders; its other lines stay where they are."""
    rng = Random(seed)
    turned = [
        replace(example, prompt=_shuffled(example.prompt, rng), completion=_shuffled(example.completion, rng))
        for example in examples
        for _ in range(ORDERS)
    ]
    known = {example.id for example in examples}
    return tuple(example for example in turned if example.id not in known)


def _shuffled(text: str, rng: Random) -> str:
    lines = text.splitlines()
    places = [place for place, line in enumerate(lines) if demonstration(line)]
    for place, line in zip(places, rng.sample([lines[place] for place in places], len(places)), strict=True):
        lines[place] = line
    return "\n".join(lines)
