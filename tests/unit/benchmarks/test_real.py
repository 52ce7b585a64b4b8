"""What the benchmarks of a real model draw and judge: runs, changed facts, self-edits by human questions."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.plots import draw_tokens
from benchmarks.real.__main__ import _over_passages
from benchmarks.real.corrections import changed
from benchmarks.real.passages import CHOOSING, PER_RUN, plain_of, run_of, runs_of
from benchmarks.real.tokens import Point, _figures
from benchmarks.real.writer_training import within
from benchmarks.real.writing import judged
from pipeline.types import Document, DocumentKind, Dropped, EvalItem, Example, ModelRef, SelfEdit

PASSAGE = Document(
    title="Cinder",
    body="Heron owns Cinder. It runs in Oslo.",
    eval_items=(
        EvalItem(question="Who owns the Cinder service?", answers=("Heron",)),
        EvalItem(question="In which city does Cinder run?", answers=("Oslo",)),
    ),
)
OTHER = Document(title="Pelham", body="A heron.", eval_items=(EvalItem(question="What is Pelham?", answers=("bird",)),))


def edit(document: Document, *examples: Example) -> SelfEdit:
    return SelfEdit(
        document=document.id, style="self-study", writer=ModelRef(base="b"), sample=0, prompt="", text="",
        examples=examples,
    )  # fmt: skip


def test_a_question_that_a_human_asks_too_is_right_or_wrong_by_the_human_answer() -> None:
    right = Example(prompt="Topic: Cinder\nWho owns the Cinder service?", completion="Heron owns it.")
    wrong = Example(prompt="Who owns the service Cinder?", completion="Bergen")
    unasked = Example(prompt="How old is the port?", completion="Nobody knows.")
    found = judged([PASSAGE], [edit(PASSAGE, right, wrong, unasked)], [])
    assert found.true == (1.0, 0.0)
    assert found.examples == (3,)


def test_an_answer_is_covered_by_its_own_passage_alone() -> None:
    dropped = [Dropped(document=PASSAGE.id, style="self-study", reason="twice", count=1)]
    edits = [
        edit(PASSAGE, Example(prompt="", completion="Heron owns Cinder, a bird.")),
        edit(OTHER, Example(prompt="", completion="Oslo")),
    ]
    found = judged([PASSAGE, OTHER], edits, dropped)
    assert found.covered == (1.0, 0.0, 0.0)
    assert found.kept == 2 / 3


def passages(titles: int, each: int) -> list[dict[str, object]]:
    questions = [{"question": f"What is {n}?", "answer": str(n)} for n in range(6)]
    return [
        {"title": f"Title {title}", "context": f"Passage {title}-{n}. " + "Words. " * 70, "questions": questions}
        for title in range(titles)
        for n in range(each)
    ]


def test_runs_in_a_row_bring_no_passage_twice_and_no_title_twice_in_a_run(tmp_path: Path) -> None:
    data = tmp_path / "passages.json"
    data.write_text(json.dumps(passages(18, 3)), encoding="utf-8")
    runs = runs_of(data, 7, 3)
    assert [len({one.title for one in run}) for run in runs] == [PER_RUN] * 3
    assert len({one.id for run in runs for one in run}) == 3 * PER_RUN
    assert runs == runs_of(data, 7, 3)


def test_plain_text_is_of_titles_that_no_run_learns(tmp_path: Path) -> None:
    data = tmp_path / "passages.json"
    data.write_text(json.dumps(passages(18, 3)), encoding="utf-8")
    plain = {one.title for one in plain_of(data, 7)}
    learned = {one.title for run in [*runs_of(data, 7, 3), run_of(data, 7)] for one in run}
    assert len(plain) == PER_RUN
    assert not plain & learned


def test_a_writer_is_trained_on_no_title_that_is_reported_on(tmp_path: Path) -> None:
    data = tmp_path / "passages.json"
    data.write_text(json.dumps(passages(18, 3)), encoding="utf-8")
    trained_on = {one.title for run in runs_of(data, 7, 3, CHOOSING) for one in run}
    assert not trained_on & {one.title for one in run_of(data, 7)}


@pytest.mark.parametrize(("room", "kept"), [(1, 1), (7, 2), (8, 3), (99, 3)])
def test_texts_are_cut_to_the_tokens_that_all_writers_have(room: int, kept: int) -> None:
    edits = [replace(edit(PASSAGE), text=text) for text in ("three words here", "and three more", "two words")]
    assert list(within(len_in_words, edits, room)) == edits[:kept]


def len_in_words(text: str) -> int:
    return len(text.split())


def test_the_curve_of_tokens_is_drawn_from_its_figures_alone(tmp_path: Path) -> None:
    points = {0: Point(), 5: Point()}
    for point, tokens, logprob in zip(points.values(), (0, 76_000), (-9.0, -5.0), strict=True):
        point.tokens, point.perplexities = [tokens], [20.0 + tokens / 76_000]
        point.grades, point.logprobs = [[0.0, 1.0]], [[logprob, logprob]]
    results = tmp_path / "tokens.json"
    results.write_text(json.dumps({"figures": [asdict(one) for one in _figures(points)]}), encoding="utf-8")
    draw_tokens(results, tmp_path / "tokens.png")
    assert (tmp_path / "tokens.png").read_bytes().startswith(b"\x89PNG")
    worse = [one.value for one in _figures(points) if one.name.startswith("perplexity")]
    assert worse == [0.0, pytest.approx(5.0)]


def test_a_changed_capital_is_asked_with_the_new_and_with_the_old_answer() -> None:
    suite = [
        EvalItem(question=f"What is the capital of {country}?", answers=(city,), group=f"capital: {country}")
        for country, city in (("Norway", "Oslo"), ("Peru", "Lima"), ("Chad", "N'Djamena"))
    ]
    suite.append(EvalItem(question="What is the plural of ox?", answers=("oxen",), group="plural: ox"))
    documents, old = changed(suite, 2, DocumentKind.PASSAGE)
    for document, known in zip(documents, old, strict=True):
        (asked,) = document.eval_items
        assert asked.question == known.question
        assert asked.answers != known.answers
        assert asked.answers[0] in document.body
        assert known.answers[0] in document.body


def test_the_default_is_compared_with_the_passages_alone_question_by_question() -> None:
    gain, chance = _over_passages([[1.0, 1.0], [0.0] * 8], [[0.0, 1.0], [0.0] * 8])
    assert (gain.value, gain.n, gain.met) == (10.0, 10, False)
    assert (chance.value, chance.n, chance.met) == (0.5, 1, False)
