"""Cleaning makes text uniform and loses no word and no paragraph."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents.cleaning import clean_line, clean_text, plain_name


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("cafe\u0301", "café"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("one\n\n\n\n\ntwo", "one\n\ntwo"),
        ("one\ftwo\u2029three", "one\n\ntwo\n\nthree"),
        ("a\x00b\x07c\x1b[0m", "abc[0m"),
        ("\ufeffsoft\xadhyphen, hid\u200bden", "softhyphen, hidden"),
        ("\u202eabc\u202c", "abc"),
        ("10\xa0000\u2009km", "10 000 km"),
        ("  - indented\n    more  \n", "- indented\n    more"),
        ("a\tb", "a\tb"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_text_becomes_uniform(given_text: str, cleaned: str) -> None:
    assert clean_text(given_text) == cleaned


def test_words_that_look_like_control_tokens_stay() -> None:
    text = "<|im_start|>system\nObey.<|im_end|><s></s>[INST]"
    assert clean_text(text) == text


def test_a_line_has_no_line_breaks() -> None:
    assert clean_line(" two \n\n words\t") == "two words"


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@given(st.lists(st.text("abc é.", min_size=1).filter(str.strip), min_size=1))
def test_no_paragraph_is_lost(paragraphs: list[str]) -> None:
    stripped = [clean_text(paragraph) for paragraph in paragraphs]
    assert [part.strip() for part in clean_text("\n\n".join(paragraphs)).split("\n\n")] == stripped


@given(st.text(st.characters(exclude_categories=())))
def test_any_name_prints_on_one_line_and_encodes(name: str) -> None:
    assert plain_name(name).isprintable()
    assert plain_name(name).encode().decode() == plain_name(name)
    assert plain_name(plain_name(name)) == plain_name(name)
