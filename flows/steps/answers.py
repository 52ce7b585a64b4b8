"""Asks the production model, or a named release, a question. Each answer names the release that gave it."""

from dataclasses import dataclass

from flows.wiring import Workspace
from pipeline.engines.engine import SamplingParams
from pipeline.errors import BadInput, PolicyError


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A question, the answer, and the number of the release that answered."""

    question: str
    text: str
    release: int


def ask(workspace: Workspace, questions: tuple[str, ...], release: int | None = None) -> tuple[Answer, ...]:
    """Greedy answers without any document in the prompt. Raises PolicyError if the release's adapter is gone.

    Raises BadInput where a question is blank: a model says something to that as well.
    """
    if not all(question.strip() for question in questions):
        raise BadInput("a question is blank. Put each question in quotes of its own.")
    asked = workspace.ledger.releases.production() if release is None else workspace.ledger.releases.get(release)
    if asked.number and not workspace.folder_of(asked.update).is_dir():
        raise PolicyError(
            f"the adapter of release {asked.number} is no longer held here: only production, the three before it "
            "and candidates are. Download it from MLflow to use it."
        )
    texts = workspace.engine.generate(
        questions,
        SamplingParams(max_new_tokens=workspace.recipe.policy.max_answer_tokens),
        adapter=workspace.held_adapter(asked),
    )
    return tuple(
        Answer(question=question, text=samples[0], release=asked.number)
        for question, samples in zip(questions, texts, strict=True)
    )
