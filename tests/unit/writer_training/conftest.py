"""Scored self-edits from a few numbers."""

from collections.abc import Callable

import pytest

from pipeline.inner_loop.reward import Evaluation
from pipeline.recipe import TrainingRules
from pipeline.types import Document, Example, ModelRef, SelfEdit
from pipeline.writer_training.samples import Sample
from pipeline.writer_training.scored import Scored


@pytest.fixture
def scored() -> Callable[..., Scored]:
    """`scored("cinder", 0, 0.5)`: sample 0 about that document, which gained 0.5 and is worth as much."""

    def make(
        title: str,
        number: int,
        gain: float,
        *,
        reward: float | None = None,
        tokens: int = 10,
        usable: bool = True,
        asks: bool = False,
        text: str | None = None,
    ) -> Scored:
        document = Document(title=title, body=f"{title} is a service.")
        text = f"{title} note {number}" if text is None else text
        note = SelfEdit(
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
            notes=(note,),
            examples=note.examples,
            rules=TrainingRules(),
            usable=usable,
            asks=asks,
            tokens=tokens,
        )
        trial = Evaluation(before=(0.0,), after=(gain,), tokens=tokens, limit=100)
        return Scored(sample=sample, trial=trial, reward=gain if reward is None else reward)

    return make
