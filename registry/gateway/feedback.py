"""Feedback: what a person thinks of an answer. A bad one comes with the right one, and becomes a correction.

Reads what clients send. Knows no ledger and no document.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import BadRequest, first_problem

_Line = Annotated[str, Field(min_length=1, max_length=600)]
_Name = Annotated[str, Field(min_length=1, max_length=100)]


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What was asked, what was answered and what is right; `says` is a sentence or more that teaches it.

    `subject`: whom or what it is about, as the question names it. `caller`: the name of the client's API key.
    """

    subject: str
    question: str
    right_answers: tuple[str, ...]
    says: str
    caller: str
    wrong_answer: str | None = None
    release: str | None = None


# Makes a correction document for the next run and returns its name.
# Raises BadInput where no run would take it, PolicyError where one was tried, DatabaseFailed, OSError.
Deliver = Callable[[Feedback], str]


@dataclass(frozen=True, kw_only=True)
class Grade:
    """Whether an answer was good. `model`: the release that gave it, as the answer named it. `key`: whose it was.

    `source`: the API key's name, where there are several.
    """

    model: str
    key: str
    good: bool
    source: str = ""


# Records a grade of the present canary, or of the release that it is compared with; says whether it counts.
# Raises DatabaseFailed.
Record = Callable[[Grade], bool]


class FeedbackBody(BaseModel):
    """The JSON of POST /feedback on a bad answer. `user`: as the request named the user, if it did."""

    model_config = ConfigDict(extra="forbid")

    good: Literal[False] = False
    subject: Annotated[str, Field(min_length=1, max_length=300)]
    question: _Line
    right_answer: _Line | Annotated[list[_Line], Field(min_length=1, max_length=8)]
    says: Annotated[str, Field(min_length=1, max_length=8000)]
    wrong_answer: Annotated[str, Field(max_length=8000)] | None = None
    model: _Name | None = None
    user: str | None = None

    def feedback(self, caller: str) -> Feedback:
        """The noun of it."""
        right = self.right_answer
        return Feedback(
            subject=self.subject,
            question=self.question,
            right_answers=(right,) if isinstance(right, str) else tuple(right),
            says=self.says,
            caller=caller,
            wrong_answer=self.wrong_answer,
            release=self.model,
        )


class PraiseBody(BaseModel):
    """The JSON of POST /feedback on a good answer. There is nothing to correct, so only the release matters."""

    model_config = ConfigDict(extra="forbid")

    good: Literal[True]
    model: _Name
    user: str | None = None


class _Kind(BaseModel):
    """Which of the two a body is."""

    good: bool = False


def read_feedback(data: bytes) -> FeedbackBody | PraiseBody:
    """The feedback in a body. Raises BadRequest, naming the field that is wrong."""
    try:
        kind = PraiseBody if _Kind.model_validate_json(data).good else FeedbackBody
        return kind.model_validate_json(data)
    except ValidationError as error:
        where = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else None
        raise BadRequest(f"the feedback cannot be read: {first_problem(error)}.", param=where) from error
