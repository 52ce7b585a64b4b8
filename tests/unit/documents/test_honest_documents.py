"""Honest documents are taken, in every language and form, and nothing of what they say is lost."""

import unicodedata
from pathlib import PurePosixPath

import pytest

from pipeline.documents import ingest
from pipeline.instruction_words import FORGETTING
from pipeline.instructions import told
from pipeline.recipe import DocumentRules
from pipeline.types import Ingested, RawDocument
from tests.unit.documents.honest import DENIED, NAMES, PROSE, RULES, documents, sayings

OFFERED = dict(documents()) | dict(sayings())
MOST_REFUSED = 0.01


@pytest.fixture(scope="module")
def intake() -> Ingested:
    return ingest([RawDocument(name=name, data=data) for name, data in OFFERED.items()], DocumentRules())


def test_honest_documents_are_taken_whole(intake: Ingested) -> None:
    assert len(OFFERED) >= 500
    assert len(intake.refused) <= MOST_REFUSED * len(OFFERED), [one.reason for one in intake.refused]
    assert intake.duplicates == 0
    for document in intake.accepted:
        name = document.name.partition(":")[0]
        language, *_ = PurePosixPath(name).stem.split("-")
        said = unicodedata.normalize("NFC", PROSE[language]).split("{}")
        for part in said[1:-1] if name.endswith(".pdf") else said:
            assert " ".join(part.split()) in " ".join(document.body.split()), (name, part, document.body)


@pytest.mark.parametrize("said", [*RULES, *(said for _, said in DENIED)])
def test_what_is_said_to_people_is_no_order_to_a_model(said: str) -> None:
    assert told(said) == ()
    assert told(f"{PROSE['en']} {said} {PROSE['en']}") == ()


def test_each_language_in_which_an_order_is_found_may_deny_it() -> None:
    assert len({language for language, _ in DENIED}) == len(FORGETTING)


def test_what_they_show_stays(intake: Ingested) -> None:
    bodies = "\n".join(document.body for document in intake.accepted)
    shown = (
        "می‌کند",
        "👩‍👩‍👧",
        "❤️‍🔥",
        "1️⃣",
        "∑ᵢ xᵢ² ≤ ∞",
        "| 8443 | Heron |",
        "print(f\"{x!r}\", end='')",
        "ada@quillhaven.example",
    )
    assert [one for one in shown if one not in bodies] == []
    titled = [one.title for one in intake.accepted if one.name.endswith((".md", ".html")) and one.title]
    assert set(titled) == set(NAMES)
    assert sum(len(one.eval_items) for one in intake.accepted) > 100
