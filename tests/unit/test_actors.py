"""Names of people: which are refused, and which two are taken for one."""

import getpass

import pytest

from pipeline.actors import against_name, proposer_named, skeleton
from pipeline.errors import BadInput


@pytest.mark.parametrize(
    "spelled",
    [
        " Nightly ",
        "nightly.",
        "night-ly",
        "n.i.g.h.t.l.y!",
        "nіghtly",  # Cyrillic і
        "nıghtly",  # without its dot
        "n1ght1y",
        "nightIy",  # a capital i
        "night\u200bly",  # zero-width space
        "nightly\u2060\ufe0f",
        "night\u3164ly",  # a letter that prints nothing
        "ｎｉｇｈｔｌｙ",  # full width
        "𝐧𝐢𝐠𝐡𝐭𝐥𝐲",
        "nìghtlý",
        "\u202enightly\u202c",
    ],
)
def test_every_spelling_of_a_name_is_that_name(spelled: str) -> None:
    assert skeleton(spelled) == skeleton("nightly")


@pytest.mark.parametrize(("one", "other"), [("ада", "aдa"), ("сор", "cop"), ("ΟΤΤΟ", "otto"), ("Иван", "иван")])
def test_letters_of_another_alphabet_that_look_alike_are_one(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(("one", "other"), [("ada", "grace"), ("user1", "user2"), ("李明", "李华"), ("Иван", "Олег")])
def test_different_names_stay_different(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize("blank", ["", "  ", "\u200b", "\u3164", "\u2800", "...", "🙂"])
def test_a_name_that_prints_no_letter_is_refused(blank: str) -> None:
    assert "letters or digits" in str(against_name(blank))


@pytest.mark.parametrize("mixed", ["nіghtly", "Grаce", "οtto", "ꓮda"])
def test_a_name_that_mixes_alphabets_is_refused(mixed: str) -> None:
    assert "write it in one alphabet" in str(against_name(mixed))


@pytest.mark.parametrize("plain", ["ada", "José Ñ.", "o'brien-2", "svc_nightly@host", "Иван", "山田さくら", "Ωμέγα"])
def test_names_as_people_have_them_are_taken(plain: str) -> None:
    assert against_name(plain) is None


def test_the_proposer_is_the_account_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEALED_PROPOSER", raising=False)
    assert proposer_named() == getpass.getuser()
    monkeypatch.setenv("SEALED_PROPOSER", "svc-nightly")
    assert proposer_named() == "svc-nightly"
    assert proposer_named("ada") == "ada"
    with pytest.raises(BadInput, match="SEALED_PROPOSER"):
        proposer_named("\u200b")


def test_an_account_without_a_name_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.delenv("SEALED_PROPOSER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nameless)
    with pytest.raises(BadInput, match="--as NAME or SEALED_ACTOR"):
        proposer_named()
