"""Scored self-edits from a few numbers."""

from collections.abc import Callable

import pytest

from pipeline.inner_loop import Evaluation
from pipeline.recipe import TrainingRules
from pipeline.types import Document, Example, ModelRef, Role, SelfEdit
from pipeline.writer_training.outer_loop import ScoredSample
from pipeline.writer_training.samples import Sample


@pytest.fixture
def scored() -> Callable[..., ScoredSample]:
    """`scored("cinder", 0, 0.5)`: sample 0 about that document, which gained 0.5 and is worth as much."""

    def make(
        title: str,
        number: int,
        gain: float,
        *,
        reward: float | None = None,
        tokens: int = 10,
        usable: bool = True,
        leaks: bool = False,
        text: str | None = None,
    ) -> ScoredSample:
        document = Document(title=title, body=f"{title} is a service.")
        text = f"{title} note {number}" if text is None else text
        edit = SelfEdit(
            document=document.id,
            style="implications",
            writer=ModelRef(base="b"),
            sample=number,
            prompt=f"On {title}.",
            text=text,
            examples=(Example(prompt="", completion=text),),
        )
        sample = Sample(
            document=document,
            number=number,
            self_edits=(edit,),
            examples=edit.examples,
            writing=(Example(prompt=edit.prompt, completion=text, role=Role.WRITING),) if text else (),
            rules=TrainingRules(),
            usable=usable,
            leaks=leaks,
            tokens=tokens,
        )
        evaluation = Evaluation(before=(0.0,), after=(gain,), tokens=tokens, limit=100)
        return ScoredSample(sample=sample, evaluation=evaluation, reward=gain if reward is None else reward)

    return make
