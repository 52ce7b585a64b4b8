"""Why a reply does not count, what numbers and dates are equal, and which figures stand beside the grade."""

import pytest

from pipeline.grading import Refusal, exact_match, extract, grade, judge, score, token_f1


@pytest.mark.parametrize(
    ("reply", "accepted", "refusal"),
    [
        ("It was not Newton but Leibniz.", "Newton", Refusal.DENIED),
        ("I am not sure, maybe Paris.", "Paris", Refusal.HEDGED),
        ("Is it Paris?", "Paris", Refusal.ASKED),
        ("If anybody did, Ana did.", "Ana", Refusal.SUPPOSED),
        ("Chen Wei. No, wait: Ana Silva.", "Chen Wei", Refusal.RETRACTED),
        ("New York City Ballet", "New York", Refusal.OTHER_NAME),
        ("80 or 81", "80", Refusal.RIVALS),
        ("Lyon", "Paris", None),
    ],
)
def test_a_refusal_has_its_reason(reply: str, accepted: str, refusal: Refusal | None) -> None:
    judged = judge(reply, [accepted])
    assert not judged.right
    assert judged.refusal == refusal
    assert judged.mentioned == (refusal is not None)


def test_a_question_tells_what_a_number_is_about() -> None:
    assert grade("Founded in 1984, it was closed in 1990.", ["1990"], "When was it closed?") == 1.0
    assert judge("Founded in 1984, it was closed in 1990.", ["1984"], "When was it closed?").refusal == Refusal.BESIDE
    assert grade("5", ["5 km"], "How many kilometres is it?") == 1.0
    assert grade("5", ["5 km"], "How long is it?") == 0.0


def test_any_accepted_answer_will_do() -> None:
    assert grade("the Thames", ["River Thames", "Thames"]) == 1.0


@pytest.mark.parametrize("same", ["1,000", "1 000", "one thousand", "1000", "１０００", "1e3", "١٠٠٠"])
def test_numbers_are_compared_by_value(same: str) -> None:
    assert grade(f"There are {same} of them.", ["1000"]) == 1.0
    assert grade("1000", [same]) == 1.0


@pytest.mark.parametrize("same", ["July 4, 1776", "4th of July 1776", "1776-07-04", "4. Juli 1776", "1776年7月4日"])
def test_dates_are_compared_by_value(same: str) -> None:
    assert grade(same, ["4 July 1776"]) == 1.0
    assert grade(same, ["1776"]) == 1.0
    assert grade("1776", [same]) == 0.0


def test_the_extracted_answer_leaves_out_what_repeats_the_question() -> None:
    assert extract("Sure! The capital of France is **Paris**.", "What is the capital of France?") == "Paris"
    assert extract("Paris", "") == "Paris"
    assert extract("", "What?") == ""


def test_the_figures_of_the_field() -> None:
    assert exact_match("The Paris!", "paris") == 1.0
    assert exact_match("", "") == 0.0
    assert token_f1("Denver Broncos team", "Denver Broncos") == pytest.approx(0.8)
    assert token_f1("Paris", "Lyon") == 0.0
    figures = score("The New York City Ballet", ["New York"], "Which city?")
    assert (figures.grade, figures.containment) == (0.0, 1.0)
    assert score("not New York", ["New York"]).containment == 0.0
