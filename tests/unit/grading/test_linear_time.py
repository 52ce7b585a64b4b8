"""Grading takes time that does not grow with a hostile reply, question or accepted answer."""

import gc
import time

import pytest

from pipeline.grading import grade, score

SIZE = 100_000
PIECES = {
    "blanks": " ",
    "line ends": "\n",
    "blank lines": "\n \n",
    "marks": "\u0301\u0323",
    "digits": "1 ",
    "points": "1.",
    "commas": "1,",
    "huge number": "1",
    "powers": "1e",
    "stars": "*",
    "brackets": "[",
    "links": "[a](",
    "tags": "<b",
    "thoughts": "<think>",
    "boxes": "\\boxed{",
    "finals": "final answer ",
    "denials": "not Paris ",
    "denials turned": "; not true wrong if 1914 ",
    "denials behind": "which is not the capital, ",
    "changes": "raised from 5 to ",
    "comparisons": "5 than ",
    "alternatives": "or Paris ",
    "commas of names": "Paris, ",
    "sentences": "Paris. ",
    "questions": "Paris? ",
    "hyphens": "Paris-",
    "apostrophes": "a'",
    "ideographs": "長",
    "numerals": "十",
    "kana": "なく",
    "thai": "ไม่",
    "hangul": "서",
    "words": "twenty ",
    "hundreds": "one hundred ",
    "ranges": "1-",
    "units": "1 km ",
    "betweens": "between 1 and ",
    "months": "May ",
    "dates": "4 July ",
    "minus": "minus ",
    "quotes": "> ",
    "options": "A) x ",
    "greetings": "sure ",
    "speakers": "A: ",
    "dollars": "$",
    "fractions": "1/",
    "degrees": "°",
    "acronyms": "a.",
    "headings": "# x\n",
}


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_hostile_text_is_graded_at_once(piece: str) -> None:
    text = piece * (SIZE // len(piece.encode()))
    gc.disable()  # it goes through all objects of a test process that has run for minutes
    started = time.thread_time()
    score(f"{text} Paris", ["Paris", "5 km"], "What is the capital?")
    score(f"Paris {text}", ["Paris"], text)
    grade("The capital is Paris.", [text], "What is the capital?")
    grade(text, [text])
    spent = time.thread_time() - started
    gc.enable()
    assert spent < 1.5
