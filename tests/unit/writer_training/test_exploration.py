"""Where a writer chooses no legal settings, some within the bounds are drawn and written as it would write them."""

from dataclasses import replace
from random import Random

from pipeline.recipe import DirectiveRules
from pipeline.self_edits.styles import directives
from pipeline.types import Directives, ModelRef, SelfEdit
from pipeline.writer_training.samples import as_text, draw, explored

RULES = DirectiveRules(enabled=True, min_learning_rate=1e-3, max_learning_rate=4e-3, max_epochs=8, tools=("permute",))
SILENT = SelfEdit(
    document="d", style="directives", writer=ModelRef(base="b"), sample=0, prompt="Choose.", text="", examples=()
)


def test_drawn_settings_are_within_the_bounds_and_can_be_read_again() -> None:
    rng = Random(1)
    for _ in range(50):
        chosen = draw(RULES, rng)
        assert 1e-3 <= chosen.learning_rate <= 4e-3
        assert chosen.epochs <= 8
        assert set(chosen.tools) <= {"permute"}
        assert directives.settings(as_text(chosen)) == chosen


def test_bounds_without_a_round_number_between_them_still_give_settings() -> None:
    narrow = RULES.model_copy(update={"min_learning_rate": 3e-3, "min_epochs": 7})
    assert draw(narrow, Random(1)).learning_rate == 4e-3


def test_only_silent_notes_are_replaced_and_each_sample_by_its_own_draw() -> None:
    chosen = replace(SILENT, text="{}", directives=Directives(learning_rate=1e-3, epochs=1, loss_on="all"))
    passage = replace(SILENT, prompt="")
    made = explored([SILENT, chosen, passage, *(replace(SILENT, sample=at) for at in range(1, 9))], RULES, 0)
    assert made[1:3] == (chosen, passage)
    assert len({one.text for one in (made[0], *made[3:])}) > 1
    assert all(one.directives for one in (made[0], *made[3:]))
    assert explored([SILENT], RULES, 0)[0] == made[0]


def test_nothing_is_drawn_where_directives_are_off() -> None:
    assert explored([SILENT], RULES.model_copy(update={"enabled": False}), 0) == (SILENT,)
