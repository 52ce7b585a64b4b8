"""Asks the live model, or a named release, a question. Each answer names the release that gave it."""

from dataclasses import dataclass

from flows.wiring import House
from pipeline.errors import BadInput, Refused
from registry.store import releases


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question, the answer, and the number of the release that answered."""

    question: str
    text: str
    release: int


def ask(house: House, questions: tuple[str, ...], release: int | None = None) -> tuple[Answer, ...]:
    """Greedy answers without any document in the prompt. Raises Refused if the release's adapter is gone.

    Raises BadInput where a question is blank: a model says something to that as well.
    """
    if not all(question.strip() for question in questions):
        raise BadInput("a question is blank. Put each question in quotes of its own.")
    asked = releases.production(house.store) if release is None else releases.get(house.store, release)
    if asked.number and not house.folder_of(asked.update).is_dir():
        raise Refused(
            f"the adapter of release {asked.number} is no longer held here: only production, the three before it "
            "and candidates are. Download it from MLflow to use it."
        )
    texts = house.engine.generate(
        questions, adapter=house.held_adapter(asked), max_new_tokens=house.recipe.policy.max_answer_tokens
    )
    return tuple(
        Answer(question=question, text=samples[0], release=asked.number)
        for question, samples in zip(questions, texts, strict=True)
    )
