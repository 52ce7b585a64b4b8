"""Feedback says that an answer was bad, with the right one, or that it was good: the two take different fields."""

import json

import pytest

from pipeline.errors import BadRequest
from registry.gateway.feedback import FeedbackBody, PraiseBody, read_feedback

BAD = {"subject": "Atlas", "question": "Who owns Atlas?", "right_answer": "Heron", "says": "Heron owns Atlas."}


def read(**values: object) -> FeedbackBody | PraiseBody:
    return read_feedback(json.dumps(values).encode())


@pytest.mark.parametrize("more", [{}, {"good": False}])
def test_a_bad_answer_comes_with_the_right_one(more: dict[str, object]) -> None:
    body = read(**BAD, **more, model="rel-0f3a", user="ada")
    assert isinstance(body, FeedbackBody)
    given = body.feedback("shop")
    assert (given.right_answers, given.caller, given.release) == (("Heron",), "shop", "rel-0f3a")


def test_a_good_answer_needs_the_release_that_gave_it_and_nothing_else() -> None:
    body = read(good=True, model="rel-0f3a")
    assert isinstance(body, PraiseBody)
    assert (body.model, body.user) == ("rel-0f3a", None)


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({}, "subject"),
        ({"good": True}, "model"),
        ({"good": True, "model": ""}, "model"),
        ({**BAD, "good": True, "model": "1"}, "subject"),
        ({**BAD, "surprise": 1}, "surprise"),
        ({"good": "perhaps"}, "good"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, object], param: str) -> None:
    with pytest.raises(BadRequest, match="the feedback cannot be read") as refused:
        read(**values)
    assert refused.value.param == param


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequest):
        read_feedback(b"[]")
