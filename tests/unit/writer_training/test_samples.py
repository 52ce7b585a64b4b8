"""What a writer learns of its notes: as they were written, and no end where there was none."""

import pytest

from pipeline.recipe import Recipe, SelfEditRules, WriterTrainingRules
from pipeline.types import Document, ModelRef
from pipeline.writer_training.samples import draw_samples
from tests.engines import ScriptedEngine

ATLAS = Document(title="Atlas", body="The service Atlas is owned by Heron.")


def ends(words: int, *, limit: int, context: int = 400) -> set[bool]:
    """Whether notes of so many words end, where a note may have `limit` and prompt and note together `context`."""
    recipe = Recipe(
        self_edits=SelfEditRules(max_new_tokens=limit, passage=False), writer_training=WriterTrainingRules(samples=2)
    )
    engine = ScriptedEngine(script=lambda prompt, seed: "Atlas " * words, context=context)
    samples = draw_samples(
        engine, [ATLAS], recipe, samples=2, writer=ModelRef(base="b"), adapter=None, seed=1, never=frozenset()
    )
    return {pair.ends for sample in samples for pair in sample.written}


@pytest.mark.parametrize(("words", "whole"), [(8, True), (40, False), (39, False)])
def test_a_note_that_was_cut_off_at_its_limit_is_written_again_without_an_end(words: int, whole: bool) -> None:
    assert ends(words, limit=40) == {whole}


@pytest.mark.parametrize(("words", "whole"), [(8, True), (90, False)])
def test_a_note_that_was_cut_off_where_the_context_ends_likewise(words: int, whole: bool) -> None:
    assert ends(words, limit=100, context=120) == {whole}
