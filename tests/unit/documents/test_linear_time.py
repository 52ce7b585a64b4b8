"""Each step that documents and notes meet takes time that grows with their text, whatever stands in it."""

import json
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import ingest
from pipeline.documents.chunking import chunks
from pipeline.documents.demonstrations import with_grids
from pipeline.grading import normalise
from pipeline.leakage import leaked
from pipeline.normal_forms import Form, normal_form
from pipeline.recipe import DocumentRules
from pipeline.self_edits.screening import screen
from pipeline.self_edits.styles import lines, self_qa
from pipeline.self_edits.tools import expand, paraphrase, permute
from pipeline.types import Document, Example, ModelRef, RawDocument, SelfEdit

RULES = DocumentRules()
SAID = "The Cinder service keeps its invoices here."
SIZE, LARGE = 100_000, 300_000  # bytes; the larger where most of a document stands
MOST_A_MB = 3.0  # seconds of this thread; on a quiet machine all stay below one (benchmarks.intake measures it)
PIECES = {
    "blanks": " ",
    "tabs": "\t",
    "both": " \t",
    "wide blanks": "\xa0",
    "line ends": "\n",
    "indents": "\n ",
    "tails": "x  \n",
    "gaps": "\n\n\n",
    "form feeds": "\f",
    "dashes": "-",
    "rules": "---\n",
    "arrows": "->",
    "spaced arrows": " -> ",
    "signs": "#",
    "headings": "# x\n",
    "quotes": '"',
    "stops": '."',
    "questions": "? ",
    "marks": "\u0301",
    "two marks": "\u0301\u0323",
    "hidden marks": "\u0301\u200b\u0323\u200b",
    "tibetan": "\u0f73",
    "runs": "x" * 199 + " ",
    "huge word": "x",
    "digits": "1 ",
    "ligatures": "\ufdfa",
    "ideographs": "長",
    "brackets": "[",
    "braces": "{",
    "keys": "? x\n",
    "lists": "a: [b]\n",
    "comments": "<!--",
    "tags": "<b>",
    "cells": "<td>",
    "paragraphs": "<p>x",
    "unclosed": "<a b=",
    "entities": "&#1",
}


def of(piece: str, size: int) -> str:
    return piece * (size // len(piece.encode()))


def body(text: str) -> tuple[str, str]:
    return "a.txt", f"{SAID}{text}{SAID}"


def heading(text: str) -> tuple[str, str]:
    return "a.md", f"# {text}\n{SAID}"


def front_matter(text: str) -> tuple[str, str]:
    return "a.md", f"---\n{text}\n---\n{SAID}"


def title(text: str) -> tuple[str, str]:
    return "a.md", f'---\ntitle: "{text}"\n---\n{SAID}'


def question(text: str) -> tuple[str, str]:
    asked = [{"question": f"Where{text}", "answers": [f"a{text}b"]}]
    return "a.jsonl", json.dumps({"title": "x", "body": SAID, "questions": asked})


def answer(text: str) -> tuple[str, str]:
    return "a.jsonl", json.dumps({"title": text, "body": SAID, "questions": [{"question": "Q", "answer": f"a{text}b"}]})


def workflow(text: str) -> tuple[str, str]:
    return "a.jsonl", json.dumps({"demonstrations": [{"input": f"a{text}b", "output": "b"}]})


def json_lines(text: str) -> tuple[str, str]:
    return "a.jsonl", text


def page(text: str) -> tuple[str, str]:
    return "a.html", f"<title>x</title><p>{SAID}{text}{SAID}"


SHAPES = (body, heading, front_matter, title, question, answer, workflow, json_lines, page)


def spent(work: Callable[[], object]) -> float:
    """Seconds of this thread, so that a busy machine does not count."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def reading(name: str, text: str) -> float:
    def work() -> None:
        intake = ingest([RawDocument(name=name, data=text.encode())], RULES)
        assert len(intake.accepted) + len(intake.refused) == 1

    return spent(work)


@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES)
def test_a_document_is_accepted_or_refused_in_little_time(piece: str) -> None:
    took = {shape.__name__: reading(*shape(of(piece, LARGE if shape in (body, page) else SIZE))) for shape in SHAPES}
    assert {name: seconds for name, seconds in took.items() if seconds > MOST_A_MB} == {}


def test_two_million_blanks_between_two_sentences_are_read() -> None:
    text = f"The Cinder service keeps its invoices. {' ' * 1_990_000}The end is here now."
    assert reading("a.txt", text) < 2 * MOST_A_MB


@pytest.mark.parametrize("piece", [" ", "\u0301\u0323", " -> ", "<b>", "x "], ids=ascii)
@pytest.mark.parametrize("shape", [body, workflow, page])
def test_twice_the_text_takes_about_twice_the_time(shape: Callable[[str], tuple[str, str]], piece: str) -> None:
    once, twice = (min(reading(*shape(of(piece, size))) for _ in range(3)) for size in (SIZE // 2, SIZE))
    assert twice < 3 * once + 0.05


def note(text: str) -> SelfEdit:
    examples = (Example(prompt=text, completion=text), Example(prompt="", completion=text))
    return SelfEdit(
        document="d",
        style="self-qa",
        writer=ModelRef(base="b" * 64),
        sample=0,
        prompt=text,
        text=SAID,
        examples=examples,
    )


READERS: dict[str, Callable[[str], object]] = {
    "self-qa": lambda text: self_qa.parse("", text),
    "self-qa, a question": lambda text: self_qa.parse("", f"Q{text}x"),
    "self-qa, an answer": lambda text: self_qa.parse("", f"Q: x?\nA{text}x"),
    "lines": lines.items,
    "expand": lambda text: expand.apply(Document(title="C", body=SAID), note(text).examples, 1),
    "paraphrase": lambda text: paraphrase.apply(Document(title="C", body=SAID), note(text).examples, 1),
    "permute": lambda text: permute.apply(Document(title="C", body=SAID), note(text).examples, 1),
    "screen": lambda text: screen(Document(title="C", body=SAID), note(text)),
    "grids": lambda text: with_grids(f"{text}x", lambda grid: grid),
    "normalise": normalise,
    "leaked": lambda text: leaked(Example(prompt=text, completion=text), frozenset()),
    "chunks": lambda text: chunks(Document(title="", body=f"a{text}b"), len, 500),
}
WRITTEN = PIECES | {"signs of doubt": "?", "calls": "!", "answers": "?A ", "gaps": "A   ", "numbers": "1. ", "Q": "Q"}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_what_a_model_wrote_is_read_in_little_time(reader: Callable[[str], object]) -> None:
    took = {name: spent(lambda piece=piece: reader(of(piece, 30_000))) for name, piece in WRITTEN.items()}  # type: ignore[misc]
    assert {name: seconds for name, seconds in took.items() if seconds > 1.5} == {}


MARKS = st.sampled_from("\u0301\u0323\u0344\u0345\u0f71\u0f73\u0f81\u3099\uff9e\uff9fae\u1100\u1161é長\xa8 ")


@pytest.mark.parametrize("form", ["NFC", "NFKC", "NFKD"])
@given(text=st.lists(MARKS, min_size=25, max_size=80).map("".join))
def test_a_normal_form_is_unicodes(form: Form, text: str) -> None:
    assert normal_form(form, text) == unicodedata.normalize(form, text)
