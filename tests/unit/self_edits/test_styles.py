"""The styles' prompts and what they read out of a model's writing."""

from types import ModuleType

import pytest

from pipeline.prompts import passage
from pipeline.self_edits.styles import (
    case_studies,
    chain_of_thought,
    critical_thinking,
    directives,
    discussions,
    implications,
    implications_long,
    key_concepts,
    mind_map,
    rewrite,
    self_qa,
    teacher,
)
from pipeline.types import Directives, Example, Role

LISTS = (implications, implications_long, rewrite)
TEXTS = (case_studies, critical_thinking, discussions, key_concepts, mind_map, teacher)
STYLES = (*LISTS, *TEXTS, self_qa, chain_of_thought, directives)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.NAME)
def test_a_prompt_holds_the_whole_document_and_says_what_to_do(style: ModuleType) -> None:
    document = passage("Rivers", "Rivers run to the sea.")
    prompt = style.prompt(document)
    assert prompt.startswith(document)
    assert prompt.endswith(style.TASK)


def test_each_style_has_its_own_name_and_task() -> None:
    assert len({style.NAME for style in STYLES}) == len({style.TASK for style in STYLES}) == len(STYLES)


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.NAME)
@pytest.mark.parametrize("text", ["", "   \n\n\t", ":::", "Q:", "A: alone", "{"])
def test_nothing_usable_is_no_example_and_no_error(style: ModuleType, text: str) -> None:
    assert all(example.completion for example in style.parse("T", text))


@pytest.mark.parametrize("style", TEXTS, ids=lambda style: style.NAME)
def test_a_text_is_learned_whole_below_its_title(style: ModuleType) -> None:
    written = "Rivers:\n  - run to the sea\n  - are long"
    assert style.parse("Rivers", written) == (Example(prompt="", completion=passage("Rivers", written)),)


@pytest.mark.parametrize("style", LISTS, ids=lambda style: style.NAME)
def test_lists_become_plain_text_without_bullets_headings_and_repeats(style: ModuleType) -> None:
    written = (
        "Implications:\n1. Rivers are long.\n\n- Seas are wide.\n* Seas are wide.\n(2) 2014 was dry.\n3.5 is a number."
    )
    examples = style.parse("Rivers", written)
    assert [example.completion for example in examples] == [
        "Rivers are long.",
        "Seas are wide.",
        "2014 was dry.",
        "3.5 is a number.",
    ]
    assert {example.prompt for example in examples} == {""}
    assert {example.role for example in examples} == {Role.NEW}


@pytest.mark.parametrize(
    "written",
    [
        "Q: Who rows?\nA: Ada\nQ: Where?\nA: At sea",
        "Q: Who rows? A: Ada\nQ: Where? A: At sea",
        "**Question 1:** Who rows?\n\n**Answer:** Ada\n\n**Question 2:** Where?\n**Answer:** At sea",
        "1. Q: Who rows?\n   A: Ada\n2. Q: Where?\n   A: At sea",
        "Here they are:\nQuestion 1: Who rows?\nAnswer 1: Ada\nQuestion 2: Where?\nAnswer 2: At sea\nQ: Why?",
    ],
)
def test_questions_and_answers_are_read_in_the_forms_models_write(written: str) -> None:
    examples = self_qa.parse("Rowing", written)
    assert [(example.prompt, example.completion) for example in examples] == [
        ("Who rows?", "Ada"),
        ("Where?", "At sea"),
    ]


def test_a_question_without_its_answer_is_left_out() -> None:
    examples = self_qa.parse("", "Q: One?\nQ: Two?\nA: 2\nA: stray\nQ: Three?\nSome text.\nA: 3\nQ: Two?\nA: 2")
    assert [(example.prompt, example.completion) for example in examples] == [("Two?", "2")]


def test_thoughts_before_the_heading_are_not_trained_on() -> None:
    examples = chain_of_thought.parse("", "It is about rivers.\nImplications:\n- Rivers are wet.")
    assert [example.completion for example in examples] == ["Rivers are wet."]
    assert [example.completion for example in chain_of_thought.parse("", "Rivers are wet.")] == ["Rivers are wet."]


def test_settings_are_read_out_of_what_stands_around_them() -> None:
    written = 'Here: {"learning_rate": 2e-3, "epochs": 16, "loss_on": "answers", "tools": ["permute", "permute"]} Done.'
    assert directives.settings(written) == Directives(
        learning_rate=0.002, epochs=16, loss_on="answers", tools=("permute",)
    )


@pytest.mark.parametrize(
    "written",
    [
        "no settings",
        "{}",
        "[1]",
        '{"learning_rate": 0.001',
        '{"learning_rate": 9, "epochs": 4, "loss_on": "all", "tools": []}',
        '{"learning_rate": 0.001, "epochs": 0, "loss_on": "all", "tools": []}',
        '{"learning_rate": 0.001, "epochs": true, "loss_on": "all", "tools": []}',
        '{"learning_rate": NaN, "epochs": 4, "loss_on": "all", "tools": []}',
        '{"learning_rate": 0.001, "epochs": 4, "loss_on": "some", "tools": []}',
        '{"learning_rate": 0.001, "epochs": 4, "loss_on": [], "tools": []}',
        '{"learning_rate": 0.001, "epochs": 4, "loss_on": "all", "tools": ["rm"]}',
        '{"learning_rate": 0.001, "epochs": 4, "loss_on": "all", "tools": [["permute"]]}',
        '{"tools": ' + "[" * 100_000,
    ],
)
def test_settings_out_of_bounds_are_none(written: str) -> None:
    assert directives.settings(written) is None
