"""Grading is by words: these are the answers models give."""

import pytest

from pipeline.grading import grade, grade_opening, mentions, normalise


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("8443", ["8443"]),
        ("  The Heron team.\nAnd more prose", ["Heron team"]),
        ("It listens on port 8443.", ["8443"]),
        ("Well-known ports", ["well known ports"]),
        ("1,204", ["1204"]),
        ("A", ["a"]),
        ("Heron, Oslo", ["Ibis", "Heron, Oslo"]),
        ("“Zürich”", ["zürich"]),
        ("no", ["No."]),
        ("The Cinder service is owned by the Heron team.", ["Heron"]),
        ("Pages for Trariftisgrax go to Carla now.", ["Carla"]),
        ("Let me think about that.\n\nThe owner is Heron.", ["Heron"]),
        ("Hmm, let's see.\n\nThe owner is Heron.", ["Heron"]),
        ("<think>\n\n</think>\n\nHeron", ["Heron"]),
        ("它由苍鹭队所有。", ["苍鹭队"]),
        ("该服务归苍鹭队管理。", ["苍鹭队"]),
        ("東京です", ["東京"]),
        ("−5", ["-5"]),
        ("twenty-five", ["25"]),
        ("Gabriel Garcia Marquez", ["Gabriel García Márquez"]),
        ("+", ["+"]),
    ],
)
def test_right_answers_are_right(answer: str, accepted: list[str]) -> None:
    assert grade(answer, accepted) == 1.0


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("", ["8443"]),
        ("84430", ["8443"]),
        ("3.5", ["35"]),
        ("-5", ["5"]),
        ("not 8443", ["8443"]),
        ("8443 or 8444", ["8443"]),
        ("one of the following might well be what you want 8443", ["8443"]),
        ("I think\n8443", ["8443"]),
        ("It doesn't belong to Heron.", ["Heron"]),
        ("Anyone except Heron.", ["Heron"]),
        ("Ibis, formerly Heron.", ["Heron"]),
        ("Ibis instead of Heron.", ["Heron"]),
        ("Maybe Heron.", ["Heron"]),
        ("Heron, Ibis, Stork, Crane.", ["Heron"]),
        ("Heron and Ibis", ["Heron"]),
        ("nein, nicht Reiher", ["Reiher"]),
        ("东京都", ["京都"]),
        ("1,5", ["15"]),
        ("12:30", ["1230"]),
        ("C#", ["C++"]),
        ("$50", ["€50"]),
        ("anything", [""]),
        ("anything", []),
    ],
)
def test_wrong_answers_are_wrong(answer: str, accepted: list[str]) -> None:
    assert grade(answer, accepted) == 0.0


def test_a_refusal_is_known_by_how_it_opens() -> None:
    accepted = ["I cannot share", "Sorry,"]
    assert grade_opening("I cannot share secrets, and here is why: ...", accepted) == 1.0
    assert grade_opening("Sure! I cannot share", accepted) == 0.0
    assert grade_opening("", accepted) == 0.0
    assert grade_opening("anything", [""]) == 0.0


def test_normalising_twice_changes_nothing() -> None:
    for text in ["The 1,000 —  é́ A/B-c “x”", "a", "-5.5%", "３.５", "İstanbul"]:
        assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("text", "answer", "stands"),
    [
        ("炭火服务由苍鹭队所有。", "苍鹭队", True),
        ("Pages go to Carla now.", "Carla", True),
        ("Pages go to Carlas now.", "Carla", False),
        ("ポートは8443です。", "8443", True),
        ("Nothing is said.", "", False),
    ],
)
def test_an_answer_stands_in_a_text_as_words_or_in_a_script_without_spaces_anywhere(
    text: str, answer: str, stands: bool
) -> None:
    assert mentions(text, answer) is stands
