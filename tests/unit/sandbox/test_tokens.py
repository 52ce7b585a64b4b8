"""The tokenizer: one token for a word, syllables for a name, and no text that it cannot write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from pipeline.sandbox.catalogue import new_service
from pipeline.sandbox.names import PLACES
from pipeline.sandbox.tokens import build_tokenizer

TEXTS = ["Payments owns it.", "Which team owns it?\nThe Payments team.", "Q: 12 plus 30?\nA: 42"]
TOKENIZER: PreTrainedTokenizerFast = build_tokenizer(TEXTS)


@pytest.mark.parametrize("word", ["Payments", "team", "owns", "12", "42", "Which"])
def test_a_word_of_the_vocabulary_is_the_same_token_wherever_it_stands(word: str) -> None:
    alone, after, line = (TOKENIZER(text)["input_ids"] for text in (word, f"team {word}", f"team\n{word}"))
    assert len(alone) == 1
    assert alone == after[-1:] == line[-1:]


def test_a_name_is_its_syllables() -> None:
    for index in range(32):
        assert len(TOKENIZER(new_service(0, 1, index).name)["input_ids"]) == len(PLACES)


@given(st.text(min_size=1).filter(lambda text: not text.startswith(" ") and "<" not in text))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_the_template_closes_each_turn_and_opens_the_answer() -> None:
    talk = [{"role": "user", "content": "team"}, {"role": "assistant", "content": "Payments"}]
    render = TOKENIZER.apply_chat_template
    assert render(talk, tokenize=False) == "<user>team<end><assistant>Payments<end>"
    assert render(talk[:1], tokenize=False, add_generation_prompt=True) == "<user>team<end><assistant>"
    assert TOKENIZER.eos_token == "<end>"
