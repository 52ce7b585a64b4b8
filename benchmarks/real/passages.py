"""Draws runs of passages with their human questions: choosing and reporting on different titles."""

import json
from pathlib import Path
from random import Random

from pipeline.digests import digest_of
from pipeline.documents import clean_text
from pipeline.types import Document, EvalItem

PER_RUN = 8
_QUESTIONS = 8  # at most, of a passage
_FEWEST = 5
_LENGTHS = (400, 1_300)  # characters


def run_of(data: Path, seed: int, count: int = PER_RUN) -> tuple[Document, ...]:
    """`count` passages of different titles, drawn by the seed from the titles that are reported on.

    Half of the titles, by their digests: the recipe was chosen on the other half.
    """
    passages = json.loads(data.read_text(encoding="utf-8"))
    titles = sorted({one["title"] for one in passages}, key=lambda title: digest_of("title", title))
    draw = Random(seed)
    chosen = draw.sample(titles[len(titles) // 2 :], count)
    return tuple(_document(draw.choice(_usable(passages, title))) for title in chosen)


def _usable(passages: list[dict[str, object]], title: str) -> list[dict[str, object]]:
    shortest, longest = _LENGTHS
    return [
        one
        for one in passages
        if one["title"] == title
        and shortest < len(str(one["context"])) < longest
        and isinstance(one["questions"], list)
        and len(one["questions"]) >= _FEWEST
    ]


def _document(passage: dict[str, object]) -> Document:
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
