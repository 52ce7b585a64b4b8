"""The best edit set is kept, ties and missing questions are decided the same way each time, and in words."""

import pytest

from pipeline.self_edits.edit_sets import choose, common, edit_sets_of, kept, validation_items
from pipeline.types import Document, EditSet, EvalItem, Example, ModelRef, SelfEdit, Split

WRITER = ModelRef(base="b")


def edit(sample: int, style: str = "self-qa", prompt: str = "Write.", document: str = "d") -> SelfEdit:
    return SelfEdit(
        document=document,
        style=style,
        writer=WRITER,
        sample=sample,
        prompt=prompt,
        text=f"{style} {sample}",
        examples=(Example(prompt="", completion=f"{style} {sample}"),),
    )


def edit_set(number: int, reward: float | None = None, examples: int = 3) -> EditSet:
    return EditSet(number=number, self_edits=(f"edit-{number}",), examples=examples, reward=reward)


def test_each_edit_set_holds_as_many_samples_of_each_style() -> None:
    edits = [edit(0, style="passage", prompt="")]
    edits += [edit(sample, style) for style in ("self-qa", "rewrite") for sample in range(4)]
    sets = edit_sets_of(edits, samples=2)
    assert {number: [(one.style, one.sample) for one in own] for number, own in sets.items()} == {
        0: [("self-qa", 0), ("self-qa", 1), ("rewrite", 0), ("rewrite", 1)],
        1: [("self-qa", 2), ("self-qa", 3), ("rewrite", 2), ("rewrite", 3)],
    }
    assert [one.style for one in common(edits)] == ["passage"]


def test_one_edit_set_holds_all_self_edits() -> None:
    assert list(edit_sets_of([edit(sample) for sample in range(3)], samples=3)) == [0]


def test_the_best_reward_wins_and_the_sentence_says_by_how_much() -> None:
    choice = choose("d", [edit_set(0, 0.25), edit_set(1, 0.75), edit_set(2, 0.5)], questions=4)
    assert choice.kept == 1
    assert choice.sentence == (
        "edit set 2 of 3 is kept: its adapter answers 3 of 4 validation questions, the others' 1, 2"
    )


@pytest.mark.parametrize(
    ("edit_sets", "number", "words"),
    [
        ([edit_set(0, 0.5, 2), edit_set(1, 0.5, 5), edit_set(2, 0.0, 9)], 1, "of 2 equal ones it has the most"),
        ([edit_set(0, 0.5, 5), edit_set(1, 0.5, 5)], 0, "of 2 equal ones it is the first with the most"),
        ([edit_set(0, 0.0, 2), edit_set(1, 0.0, 5)], 1, "of 2 equal ones it has the most"),
        ([edit_set(0, None, 2), edit_set(1, None, 5)], 1, "without validation questions: it has the most"),
        ([edit_set(1, None, 5), edit_set(3, None, 5)], 1, "without validation questions: it is the first"),
        ([edit_set(2)], 2, "edit set 3 is kept: it is the only one"),
    ],
)
def test_ties_and_missing_questions_are_decided_in_words(edit_sets: list[EditSet], number: int, words: str) -> None:
    choice = choose("d", edit_sets, questions=4)
    assert choice.kept == number
    assert words in choice.sentence
    assert choose("d", edit_sets[::-1], questions=4).kept == number


def test_only_the_self_edits_of_sets_that_were_not_selected_are_left_out() -> None:
    edits = [edit(0, style="passage", prompt=""), edit(0), edit(1), edit(2), edit(0, document="other")]
    own = [
        EditSet(number=at, self_edits=tuple(one.id for one in notes), examples=1)
        for at, notes in edit_sets_of(edits[:4], samples=1).items()
    ]
    choice = choose("d", own, questions=0)
    assert kept(edits, [choice]) == (edits[0], edits[1], edits[4])
    assert kept(edits, []) == tuple(edits)


def test_no_held_out_question_chooses() -> None:
    asked = [("Who owns Cinder?", Split.TEST), ("who owns cinder", Split.VALIDATION), ("Which port?", Split.VALIDATION)]
    eval_items = tuple(EvalItem(question=question, answers=("x",), split=split) for question, split in asked)
    assert [
        eval_item.question for eval_item in validation_items(Document(title="t", body="b", eval_items=eval_items))
    ] == ["Which port?"]
