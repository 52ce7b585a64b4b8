"""What is taught is worded as it will be asked, and its rows keep lessons apart."""

from random import Random

import numpy as np

from pipeline.sandbox import lessons
from pipeline.sandbox.lessons import Lesson
from pipeline.sandbox.packing import pack, pieces, visible
from pipeline.sandbox.tokens import build_tokenizer

CHANCE = Random(4)
LESSONS = [lessons.lesson(CHANCE) for _ in range(300)]
TOKENIZER = build_tokenizer(lessons.sample_texts(1, 300))


def whole(one: Lesson, number: int) -> str:
    """A lesson's beginning with one of its branches, as a chat template writes it."""
    branch = one.branches[number]
    asked = f"{branch.user}<end><assistant>" if one.beginning else ""
    return f"{one.beginning}{asked}{branch.model}<end>"


def test_a_branch_after_its_beginning_is_cut_as_the_whole_text_is() -> None:
    for one, piece in zip(LESSONS, pieces(TOKENIZER, LESSONS), strict=True):
        for number in range(len(one.branches)):
            mine = [token for token, at in zip(piece.ids, piece.branch, strict=True) if at in (0, number + 1)]
            assert mine == TOKENIZER(whole(one, number))["input_ids"]


def test_the_lessons_are_the_same_for_the_same_seed() -> None:
    assert [lessons.lesson(Random(seed)) for seed in range(9)] == [lessons.lesson(Random(seed)) for seed in range(9)]


def test_all_kinds_of_lessons_occur() -> None:
    kinds = {one.kind for one in LESSONS}
    assert kinds >= {"writing", "knowing", "telling", "manner", "story", "plain", "sorting", "comparing", "category"}


def test_a_place_sees_its_own_branch_and_beginning_and_nothing_else() -> None:
    rows = pack(pieces(TOKENIZER, LESSONS), rows=2, length=384)
    seen = visible(rows)
    row, at, back = np.nonzero(seen)
    assert (back <= at).all()
    assert (rows.lesson[row, at] == rows.lesson[row, back]).all()
    assert ((rows.branch[row, back] == 0) | (rows.branch[row, back] == rows.branch[row, at])).all()
    assert seen.sum(axis=2).max() > 50


def test_the_place_that_foretells_a_token_stands_right_before_it_in_its_own_lesson() -> None:
    rows = pack(pieces(TOKENIZER, LESSONS), rows=2, length=384)
    seen, position = visible(rows), rows.position.reshape(-1)
    ids = rows.ids.reshape(-1)
    for source, target in zip(rows.source.tolist(), rows.target.tolist(), strict=True):
        row, column = divmod(source, 384)
        followers = [
            at for at in np.nonzero(seen[row, :, column])[0] if position[row * 384 + at] == position[source] + 1
        ]
        assert target in {int(ids[row * 384 + at]) for at in followers}


def test_rows_are_nearly_full() -> None:
    rows = pack(pieces(TOKENIZER, LESSONS), rows=2, length=384)
    assert (rows.lesson >= 0).mean() > 0.95
