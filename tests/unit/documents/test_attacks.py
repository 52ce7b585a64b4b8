"""Every attack and every bad file ends as the table says: with its code and message, in time, by no traceback."""

import time

import pytest

from pipeline.documents import ingest
from pipeline.errors import BadDocument
from pipeline.recipe import DocumentRules
from pipeline.types import RawDocument
from tests.unit.documents.attacks import REFUSED, attacks

ATTACKS = attacks()
MOST_SECONDS = 10.0


def test_there_are_many() -> None:
    assert len(ATTACKS) >= 200


@pytest.mark.parametrize("name", ATTACKS)
def test_it_ends_as_it_should(name: str) -> None:
    attack = ATTACKS[name]
    good = RawDocument(name="good.txt", data=b"One good document is taken beside it.")
    started = time.thread_time()
    intake = ingest([RawDocument(name=attack.name, data=attack.data), good], DocumentRules())
    assert time.thread_time() - started < MOST_SECONDS
    *found, last = intake.accepted
    assert last.name == "good.txt"
    code = BadDocument.exit_code if intake.refused else 0
    said = "".join(refusal.reason for refusal in intake.refused) or found[0].body
    assert (code, attack.said in said) == (attack.code, True), said[:300]
    assert attack.unsaid not in said
    if attack.code != REFUSED and attack.title is not None:
        assert found[0].title == attack.title
