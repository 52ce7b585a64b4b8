"""Notes of mixed quality: what a complete one covers, what the others lose, and how that is counted."""

from random import Random

import pytest

from pipeline.sandbox import notes
from pipeline.sandbox.catalogue import ATTRIBUTES, new_service
from pipeline.sandbox.notes import FACT_STYLES
from pipeline.self_edits.styles import directives, self_qa

SERVICE = new_service(1, 1, 0)
KEYS = [attribute.name for attribute in ATTRIBUTES]


def share(name: str, count: int = 300) -> float:
    chance, style = Random(5), next(style for style in FACT_STYLES if name == style.NAME)
    return (
        sum(notes.coverage(notes.note(style, SERVICE, KEYS, (), chance), SERVICE, KEYS) for _ in range(count)) / count
    )


def test_the_lessons_leave_room_to_write_better() -> None:
    shares = {style.NAME: share(style.NAME) for style in FACT_STYLES}
    assert 0.4 < sum(shares.values()) / len(shares) < 0.75
    assert shares[self_qa.NAME] == max(shares.values())
    assert 0.7 < shares[self_qa.NAME] < 0.9


@pytest.mark.parametrize("style", FACT_STYLES, ids=lambda style: style.NAME)
def test_a_complete_note_states_every_fact_and_a_pronoun_loses_all(style: object) -> None:
    write = notes.WRITERS[style.NAME]  # type: ignore[attr-defined]
    full = write(SERVICE, KEYS, (), True, Random(0))
    assert notes.coverage(full, SERVICE, KEYS) == 1.0
    assert style.parse(SERVICE.name, full)  # type: ignore[attr-defined]
    if style.NAME != "rewrite":  # type: ignore[attr-defined]
        assert notes.coverage(write(SERVICE, KEYS, (), False, Random(0)), SERVICE, KEYS) == 0.0


def test_a_fact_counts_only_beside_the_name() -> None:
    team = SERVICE.facts["team"]
    assert notes.coverage(f"Q: Which team owns {SERVICE.name}?\nA: {team}", SERVICE, ["team"]) == 1.0
    assert notes.coverage(f"{SERVICE.name} is a service. The {team} team owns it.", SERVICE, ["team"]) == 0.0
    assert notes.coverage(f"Q: Which team owns it?\nA: {team}", SERVICE, ["team"]) == 0.0


def test_settings_in_the_lessons_can_be_read() -> None:
    chance = Random(1)
    assert all(directives.settings(notes.note(directives, SERVICE, KEYS, (), chance)) for _ in range(50))
