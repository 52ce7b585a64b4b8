"""A text is cut into its sentences, and nothing of it is lost."""

import time

import pytest

from pipeline.documents import sentences


def test_a_text_is_cut_where_a_sentence_ends() -> None:
    text = "Heron owns the Cinder service. It keeps invoices for seven years! Who asked for them last week?"
    assert sentences(text) == (
        "Heron owns the Cinder service.",
        "It keeps invoices for seven years!",
        "Who asked for them last week?",
    )


def test_a_short_piece_stays_with_the_next_sentence() -> None:
    assert sentences("Dr. Ada Quill leads the Heron team since 2019.") == (
        "Dr. Ada Quill leads the Heron team since 2019.",
    )
    assert sentences("Heron owns the Cinder service. Ask Ada.") == ("Heron owns the Cinder service. Ask Ada.",)


def test_a_number_with_a_point_and_a_lower_case_word_end_nothing() -> None:
    text = "Version 2.4 of Cinder costs about 3.5 percent more, e.g. in Oslo and Bergen."
    assert sentences(text) == (text,)


def test_scripts_without_spaces_are_cut_at_their_own_full_stop() -> None:
    assert sentences("図書館は九時に開きます。日曜日は休みです。") == ("図書館は九時に開きます。", "日曜日は休みです。")


def test_a_paragraph_ends_a_sentence_and_a_line_does_not() -> None:
    assert sentences("The handbook of the\nHeron team\n\nInvoices are kept in Oslo.") == (
        "The handbook of the Heron team",
        "Invoices are kept in Oslo.",
    )


@pytest.mark.parametrize("text", ["", "   \n\n  "])
def test_nothing_is_cut_into_nothing(text: str) -> None:
    assert sentences(text) == ()


def test_a_long_hostile_text_is_cut_in_linear_time() -> None:
    began = time.process_time()
    sentences('." ' * 200_000)
    sentences("\n \t" * 200_000)
    assert time.process_time() - began < 5
