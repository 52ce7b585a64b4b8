"""Feedback: a bad answer with the right one, as a client sends it. Who delivers it makes a correction of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Line = Annotated[str, Field(min_length=1, max_length=600)]


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


class FeedbackBody(BaseModel):
    """The JSON of POST /feedback."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str, Field(min_length=1, max_length=300)]
    question: _Line
    right_answer: _Line | Annotated[list[_Line], Field(min_length=1, max_length=8)]
    says: Annotated[str, Field(min_length=1, max_length=8000)]
    wrong_answer: Annotated[str, Field(max_length=8000)] | None = None
    model: Annotated[str, Field(max_length=100)] | None = None

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
