"""The tool "paraphrase": what was written in other words, by rule.

Facts that are trained on in one wording are not answered in others (Allen-Zhu and Li 2023, arXiv 2309.14316); SEAL's
self-edits gain from rewriting (arXiv 2506.10943, section 4.1). A rule changes less than a model would: questions are
put within other phrases, and the sentences of a text come in another order.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipeline.types import Document, Example

NAME = "paraphrase"
FRAMES = (
    "Tell me: {question}",
    "Please answer: {question}",
    "I would like to know: {question}",
    "Here is a question. {question}",
    "{question} Answer in a few words.",
)
WORDINGS = 2  # for each question
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def apply(document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
    """For each question two other wordings; for each text of several sentences another order of them."""
    rng = Random(seed)
    made: list[Example] = []
    for example in examples:
        if example.prompt:
            frames = rng.sample(FRAMES, WORDINGS)
            made += [replace(example, prompt=_framed(example.prompt, frame)) for frame in frames]
        elif (turned := _turned(example.completion, rng)) != example.completion:
            made.append(replace(example, completion=turned))
    return tuple(made)


def _framed(prompt: str, frame: str) -> str:
    """The last line is the question; a document above it stays as it is."""
    above, newline, question = prompt.rpartition("\n")
    return f"{above}{newline}{frame.format(question=question)}"


def _turned(text: str, rng: Random) -> str:
    """The first line is left where it is if there are more: it is a title."""
    head, newline, body = text.rpartition("\n")
    sentences = _SENTENCE.split(body)
    return f"{head}{newline}{' '.join(rng.sample(sentences, len(sentences)))}"
