"""Whatever bytes come, each parser gives documents or refusals and raises nothing else."""

import json
import os
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.documents import ingest
from pipeline.documents.front_matter import split_front_matter
from pipeline.documents.json_texts import load_json
from pipeline.documents.pages.html import read_html
from pipeline.documents.pages.pdf import read_pdf
from pipeline.documents.pages.visibility import Shown, sheet_of, shown
from pipeline.documents.sensitive import PERSONAL_RULES, personal_data, redacted, secrets
from pipeline.errors import BadDocument
from pipeline.recipe import DocumentRules
from pipeline.types import RawDocument
from tests.unit.documents.attacks import attacks
from tests.unit.documents.honest import documents
from tests.unit.documents.pdfs import pdf_of
from tests.unit.documents.pdfs import shown as drawn

SEEDS = [*(one.data[:3_000] for one in attacks().values()), *(data for _, data in documents())]
PIECES = [
    b"---\n",
    b"+++\n",
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b":",
    b"\x00",
    b"\xff",
    b"\n",
    b"<p>",
    b"</",
    b"<!--",
    b"&#x",
    b"obj",
    b"%PDF-",
]
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Of each parser, where the slow tests run; SEALED_FUZZ_EXAMPLES=12500 makes a hundred thousand of all together.
MANY = int(os.environ.get("SEALED_FUZZ_EXAMPLES", "300"))
LONG = settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A seed, cut, with pieces put into it and bytes of it changed."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=6))
        data[at : at + draw(st.integers(0, 12))] = piece
    return bytes(data)


def text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def front_matter(data: bytes) -> None:
    split_front_matter(text(data))


def json_text(data: bytes) -> None:
    load_json(text(data), "broken JSON")


def html(data: bytes) -> None:
    read_html(text(data))


def pdf(data: bytes) -> None:
    read_pdf(data, 100_000)


def styles(data: bytes) -> None:
    said = text(data)
    shown(Shown(), "p", {"class": said, "style": said, "id": said}, sheet_of([said, f".a {{ {said} }}"]))


def disclosures(data: bytes) -> None:
    said = text(data)
    for found in (secrets(said), personal_data(said, PERSONAL_RULES)):
        assert all(0 <= one.start < one.end <= len(said) for one in found)
        redacted(said, found)


def lines(data: bytes) -> None:
    ingest([RawDocument(name="a.jsonl", data=data)], DocumentRules())


def markdown(data: bytes) -> None:
    ingest([RawDocument(name="a.md", data=data)], DocumentRules())


SHEETS = [
    b".a, #b > p.c { display: none; color: #fff }",
    b"font: 0/0 a; clip: rect(0,0,0,0)",
    b"@media x { p { a: b } }",
]
JSONS = [
    json.dumps(
        {"title": "x", "body": "one two three four five", "questions": [{"question": "Q", "answer": 1}]}
    ).encode()
]
PDFS = [
    pdf_of(drawn("One two.", "Three.")),
    pdf_of("q 1 0 0 1 5 5 cm BT /F 9 Tf 3 Tr [(a) 3 (b)] TJ ET Q 1 g", "BT T* ET"),
]
PARSERS = {
    front_matter: SEEDS,
    json_text: [*JSONS, *SEEDS],
    html: SEEDS,
    pdf: PDFS,
    styles: SHEETS,
    disclosures: SEEDS,
    lines: [*JSONS, *SEEDS],
    markdown: SEEDS,
}


def run(parser: str, rules: settings) -> None:
    reader, seeds = next((reader, seeds) for reader, seeds in PARSERS.items() if reader.__name__ == parser)

    @rules
    @given(mutated(seeds))
    def inner(data: bytes) -> None:
        with suppress(BadDocument):
            reader(data)

    inner()


@pytest.mark.parametrize("parser", [reader.__name__ for reader in PARSERS])
def test_a_parser_raises_typed_errors_alone(parser: str) -> None:
    run(parser, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("parser", [reader.__name__ for reader in PARSERS])
def test_a_parser_raises_typed_errors_alone_on_many_more(parser: str) -> None:
    run(parser, LONG)
