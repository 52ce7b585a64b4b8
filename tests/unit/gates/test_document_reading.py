"""A model is asked with a document before it, as far as both fit: no document ends a run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from gates.document_reading import answers_in
from gates.known_answers import KnownAnswer
from pipeline.engines import SamplingParams, room_for
from pipeline.prompts import DELIMITED
from pipeline.types import Document, EvalItem
from tests.engines import ScriptedEngine

FRANCE = EvalItem(question="What is the capital of France?", answers=("Paris",), group="capital: France")
LONG = EvalItem(question=f"What is the capital of France {'now ' * 900}?", answers=("Paris",), group="capital: France")
FACT = "The capital of France is Lyon."


class Strict(ScriptedEngine):
    """Each character is a token, and a prompt that leaves no room is refused, as by an engine that runs a model."""

    def token_count(self, text: str) -> int:
        return len(text)

    def generate(
        self, prompts: Sequence[str], params: SamplingParams, *, adapter: Path | None
    ) -> list[tuple[str, ...]]:
        for prompt in prompts:
            room_for(prompt, params.max_new_tokens, self.context)
        return super().generate(prompts, params, adapter=adapter)


def asked(body: str, *items: EvalItem) -> tuple[list[str], tuple[str, ...]]:
    """The questions that were asked, and the prompts."""
    engine = Strict(script=lambda prompt, seed: "Lyon", context=2_000)
    known = [KnownAnswer(suite="retention/facts", item=item) for item in items]
    said = answers_in(engine, Document(title="Travel", body=body), known, adapter=None, tokens=24, frame=DELIMITED)
    return [one.item.question for one, _ in said], engine.asked[0] if engine.asked else ()


@pytest.mark.parametrize("row", [0, 3, 350, 500, 600, 5_000])
def test_no_row_of_backticks_makes_a_prompt_that_does_not_fit(row: int) -> None:
    questions, prompts = asked(f"{FACT} {'`' * row} {'It is so. ' * 400}", FRANCE)
    assert questions == ([FRANCE.question] if row <= 500 else [])
    assert all(FACT in prompt for prompt in prompts)


def test_a_question_without_room_is_not_asked_and_takes_no_other_one_along() -> None:
    assert asked(FACT, LONG, FRANCE)[0] == [FRANCE.question]


def test_nothing_to_read_is_asked_nothing() -> None:
    assert asked(FACT) == asked("", FRANCE) == ([], ())
