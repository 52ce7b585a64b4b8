"""The best candidate is kept, ties and missing questions are decided the same way each time, and in words."""

import pytest

from pipeline.self_edits.edit_sets import candidate_sets, choose, common, kept, practice_probes
from pipeline.types import Candidate, Document, Example, ModelRef, Probe, SelfEdit, Split

WRITER = ModelRef(base="b")


def edit(sample: int, style: str = "self-qa", prompt: str = "Write.", document: str = "d") -> SelfEdit:
    return SelfEdit(
        document=document, style=style, writer=WRITER, sample=sample, prompt=prompt, text=f"{style} {sample}",
        examples=(Example(prompt="", completion=f"{style} {sample}"),),
    )  # fmt: skip


def candidate(number: int, reward: float | None = None, examples: int = 3) -> Candidate:
    return Candidate(number=number, self_edits=(f"edit-{number}",), examples=examples, reward=reward)


def test_each_candidate_holds_as_many_samples_of_each_style() -> None:
    edits = [edit(0, style="passage", prompt="")]
    edits += [edit(sample, style) for style in ("self-qa", "rewrite") for sample in range(4)]
    sets = candidate_sets(edits, samples=2)
    assert {number: [(one.style, one.sample) for one in own] for number, own in sets.items()} == {
        0: [("self-qa", 0), ("self-qa", 1), ("rewrite", 0), ("rewrite", 1)],
        1: [("self-qa", 2), ("self-qa", 3), ("rewrite", 2), ("rewrite", 3)],
    }
    assert [one.style for one in common(edits)] == ["passage"]


def test_one_candidate_holds_all_notes() -> None:
    assert list(candidate_sets([edit(sample) for sample in range(3)], samples=3)) == [0]


def test_the_best_reward_wins_and_the_sentence_says_by_how_much() -> None:
    choice = choose("d", [candidate(0, 0.25), candidate(1, 0.75), candidate(2, 0.5)], questions=4)
    assert choice.kept == 1
    assert choice.sentence == (
        "candidate 2 of 3 is kept: its adapter answers 3 of 4 practice questions, the others' 1, 2"
    )


@pytest.mark.parametrize(
    ("candidates", "number", "words"),
    [
        ([candidate(0, 0.5, 2), candidate(1, 0.5, 5), candidate(2, 0.0, 9)], 1, "of 2 equal ones it has the most"),
        ([candidate(0, 0.5, 5), candidate(1, 0.5, 5)], 0, "of 2 equal ones it is the first with the most"),
        ([candidate(0, 0.0, 2), candidate(1, 0.0, 5)], 1, "of 2 equal ones it has the most"),
        ([candidate(0, None, 2), candidate(1, None, 5)], 1, "without practice questions: it has the most"),
        ([candidate(1, None, 5), candidate(3, None, 5)], 1, "without practice questions: it is the first"),
        ([candidate(2)], 2, "candidate 3 is kept: it is the only one"),
    ],
)
def test_ties_and_missing_questions_are_decided_in_words(candidates: list[Candidate], number: int, words: str) -> None:
    choice = choose("d", candidates, questions=4)
    assert choice.kept == number
    assert words in choice.sentence
    assert choose("d", candidates[::-1], questions=4).kept == number


def test_only_the_notes_of_candidates_that_were_not_chosen_are_left_out() -> None:
    edits = [edit(0, style="passage", prompt=""), edit(0), edit(1), edit(2), edit(0, document="other")]
    own = [
        Candidate(number=at, self_edits=tuple(one.id for one in notes), examples=1)
        for at, notes in candidate_sets(edits[:4], samples=1).items()
    ]
    choice = choose("d", own, questions=0)
    assert kept(edits, [choice]) == (edits[0], edits[1], edits[4])
    assert kept(edits, []) == tuple(edits)


def test_no_exam_question_chooses() -> None:
    asked = [("Who owns Cinder?", Split.EXAM), ("who owns cinder", Split.PRACTICE), ("Which port?", Split.PRACTICE)]
    probes = tuple(Probe(question=question, answers=("x",), split=split) for question, split in asked)
    assert [probe.question for probe in practice_probes(Document(title="t", body="b", probes=probes))] == [
        "Which port?"
    ]
