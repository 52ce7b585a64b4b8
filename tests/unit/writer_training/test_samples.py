"""What a writer learns of its notes: as they were written, and no end where there was none."""

from collections.abc import Callable

import pytest

from pipeline.leakage import TrainingGuard
from pipeline.prompts import DOCUMENT
from pipeline.recipe import Recipe, SelfEditRules
from pipeline.types import Checkpoint, Document, Example, ModelRef
from pipeline.writer_training.samples import Sample, SamplePlan, Sampler
from tests.engines import ScriptedEngine

ATLAS = Document(title="Atlas", body="The service Atlas is owned by Heron.")


PLAN = SamplePlan(writer=Checkpoint(ModelRef(base="b")), samples=2, number=1)


def drawn(
    words: int, *, limit: int, context: int = 400, fits: Callable[[Example], bool] = lambda example: True
) -> tuple[Sample, ...]:
    """Self-edits of so many words, which may have `limit` and together with their prompt `context` tokens."""
    recipe = Recipe(self_edits=SelfEditRules(max_new_tokens=limit, passage=False, document_prompt=DOCUMENT))
    engine = ScriptedEngine(script=lambda prompt, seed: "Atlas " * words, context=context)
    return Sampler(engine=engine, recipe=recipe, guard=TrainingGuard(), fits=fits).draw([ATLAS], PLAN)


def ends(words: int, *, limit: int, context: int = 400) -> set[bool]:
    """Whether the writing examples of such self-edits have an end."""
    return {pair.ends for sample in drawn(words, limit=limit, context=context) for pair in sample.writing}


@pytest.mark.parametrize(("words", "whole"), [(8, True), (40, False), (39, False)])
def test_a_note_that_was_cut_off_at_its_limit_is_written_again_without_an_end(words: int, whole: bool) -> None:
    assert ends(words, limit=40) == {whole}


@pytest.mark.parametrize(("words", "whole"), [(8, True), (90, False)])
def test_a_note_that_was_cut_off_where_the_context_ends_likewise(words: int, whole: bool) -> None:
    assert ends(words, limit=100, context=120) == {whole}


def test_a_self_edit_too_long_to_be_trained_on_is_not_learned_from() -> None:
    assert [len(one.writing) for one in drawn(8, limit=40)] == [1, 1]
    assert [one.writing for one in drawn(8, limit=40, fits=lambda example: False)] == [(), ()]
    assert [one.examples for one in drawn(8, limit=40, fits=lambda example: False)] == [(), ()]
