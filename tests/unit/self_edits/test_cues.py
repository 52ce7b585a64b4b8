"""A sentence is asked for by words that mean something, without one of the things that it tells."""

from random import Random

import pytest

from pipeline.self_edits.common_words import NONE, common_words
from pipeline.self_edits.cues import cue

ENGLISH = "The team that is on call has the phone, and it was with them for all of the time that there was."
OPENED = "The gate at Westerquay was opened by Rosalind Achebe-Storm at 4:25, and 64,000 euros were paid."
THINGS = ({"Westerquay"}, {"Rosalind", "Achebe-Storm"}, {"4:25"}, {"64,000"})


def cues(sentence: str, size: int, common: frozenset[str] = NONE) -> list[list[str]]:
    return [cue(sentence, size, common, Random(seed)).split(", ") for seed in range(60)]


def test_a_cue_leaves_out_one_name_or_number_as_a_question_does() -> None:
    left_out = {thing for drawn in cues(OPENED, 99) for thing in map(frozenset, THINGS) if not thing & {*drawn}}
    assert left_out == {frozenset(thing) for thing in THINGS}
    assert all(sum(thing <= {*drawn} for thing in THINGS) == len(THINGS) - 1 for drawn in cues(OPENED, 99))


def test_a_cue_has_as_many_words_as_asked_for_in_the_sentences_order() -> None:
    for size in (1, 3, 5):
        for drawn in cues(OPENED, size):
            assert len(drawn) == size
            assert [OPENED.index(word) for word in drawn] == sorted(OPENED.index(word) for word in drawn)


def test_words_that_any_text_has_cue_nothing() -> None:
    common = common_words(ENGLISH)
    assert {"the", "that", "was", "there", "with"} <= common
    assert not {word.lower() for drawn in cues(OPENED, 5, common) for word in drawn} & common


def test_but_a_sentence_of_such_words_is_asked_for_by_them() -> None:
    assert cue("They were there with them.", 3, common_words(ENGLISH), Random(1)) != ""


def test_a_word_that_stands_twice_is_named_once() -> None:
    for drawn in cues("Purchases above 750 euros and those above 20,000 euros need offers.", 9):
        assert len(drawn) == len({*drawn})


@pytest.mark.parametrize("sentence", ["", "It is so as it is.", "天气很好。", "?!"])
def test_what_has_no_words_long_enough_is_not_asked_for(sentence: str) -> None:
    assert cue(sentence, 3, NONE, Random(1)) == ""


@pytest.mark.parametrize(
    ("text", "common"),
    [
        ("Der Herr ging am Abend nach Hause und hatte vergessen, dass die Tür offen war.", "dass"),
        ("Le chat est sur la table et il mange une souris avec les enfants.", "avec"),
        ("Он родился в Москве, и там он жил до конца войны.", "там"),
    ],
)
def test_the_language_is_told_by_the_words_themselves(text: str, common: str) -> None:
    assert common in common_words(text)


def test_a_table_of_codes_has_no_common_words() -> None:
    assert common_words("QX-17 4711 BRK 0x3F zzkw") == NONE
    assert common_words("") == NONE
