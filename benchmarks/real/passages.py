"""Draws runs of passages with their human questions: choosing and reporting on different titles."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

from pipeline.digests import digest_of
from pipeline.documents import clean_text
from pipeline.types import Document, EvalItem

PER_RUN = 8
CHOOSING, REPORTED = 0, 1  # the halves of the titles
_QUESTIONS = 8  # at most, of a passage
_FEWEST = 5
_LENGTHS = (400, 1_300)  # characters


def run_of(data: Path, seed: int, count: int = PER_RUN) -> tuple[Document, ...]:
    """`count` passages of different titles, drawn by the seed from the titles that are reported on.

    Half of the titles, by their digests: the recipe was chosen on the other half.
    """
    passages = json.loads(data.read_text(encoding="utf-8"))
    _, reported = halves(passages)
    draw = Random(seed)
    return tuple(document_of(draw.choice(usable(passages, title))) for title in draw.sample(reported, count))


def plain_of(data: Path, seed: int) -> tuple[Document, ...]:
    """`PER_RUN` passages of titles that nothing is reported on: no run learns them."""
    passages = json.loads(data.read_text(encoding="utf-8"))
    draw = Random(seed)
    titles = [title for title in halves(passages)[0] if usable(passages, title)]
    return tuple(document_of(draw.choice(usable(passages, title))) for title in draw.sample(titles, PER_RUN))


def runs_of(data: Path, seed: int, runs: int, half: int = REPORTED) -> list[tuple[Document, ...]]:
    """Runs of `PER_RUN` passages in a row; no passage comes twice, and in one run no title does."""
    passages = json.loads(data.read_text(encoding="utf-8"))
    draw = Random(seed)
    left = {title: draw.sample(found := usable(passages, title), len(found)) for title in halves(passages)[half]}
    drawn = []
    for _ in range(runs):
        titles = draw.sample([title for title, own in left.items() if own], PER_RUN)
        drawn.append(tuple(document_of(left[title].pop()) for title in titles))
    return drawn


def items_of(documents: Sequence[Document]) -> tuple[EvalItem, ...]:
    """Their questions, in their order."""
    return tuple(item for document in documents for item in document.eval_items)


def halves(passages: list[dict[str, object]]) -> tuple[list[str], list[str]]:
    """The titles that recipes are chosen on, and those that are reported on, in the order of their digests."""
    titles = sorted({str(one["title"]) for one in passages}, key=lambda title: digest_of("title", title))
    return titles[: len(titles) // 2], titles[len(titles) // 2 :]


def usable(
    passages: list[dict[str, object]], title: str, lengths: tuple[int, int] = _LENGTHS
) -> list[dict[str, object]]:
    """The title's passages between these lengths, in characters, that have enough questions."""
    shortest, longest = lengths
    return [
        one
        for one in passages
        if one["title"] == title
        and shortest < len(str(one["context"])) < longest
        and isinstance(one["questions"], list)
        and len(one["questions"]) >= _FEWEST
    ]


def document_of(passage: dict[str, object]) -> Document:
    """A passage with its human questions, a few at most."""
    title, body = clean_text(str(passage["title"])), clean_text(str(passage["context"]))
    asked: dict[str, list[str]] = {}
    questions = passage["questions"]
    for one in questions if isinstance(questions, list) else ():
        asked.setdefault(clean_text(one["question"]), []).append(clean_text(one["answer"]))
    items = tuple(
        EvalItem(question=question, answers=tuple(dict.fromkeys(answers)), group=title, title=title)
        for question, answers in list(asked.items())[:_QUESTIONS]
    )
    return Document(title=title, body=body, eval_items=items)
