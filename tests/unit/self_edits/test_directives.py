"""Settings are followed within bounds: numbers are clipped, tools refused, and each change is said in words."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import BadRecipe
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.recipe import DirectiveRules, Recipe, SelfEditRules, TrainingRules, WriterTrainingRules
from pipeline.self_edits.directives import NONE_LEGAL, direct, directed_rules, directs, within_bounds
from pipeline.types import Directives, Document, DocumentKind, EvalItem, Example, Followed, ModelRef, SelfEdit

RULES = DirectiveRules(enabled=True, tools=("reverse", "expand"), max_examples=3)
CINDER = Document(title="Cinder", body="The Cinder service is owned by Heron.")
ASKED = Example(prompt="Who owns Cinder?", completion="Heron")


def chosen(**changes: object) -> Directives:
    given: dict[str, object] = {"learning_rate": 1e-3, "epochs": 4, "loss_on": "all", "tools": ("reverse",)}
    return Directives(**(given | changes))  # type: ignore[arg-type]


def edits(*settings: Directives | None) -> list[SelfEdit]:
    notes = [
        SelfEdit(
            document=CINDER.id,
            style="directives",
            writer=ModelRef(base="b"),
            sample=at,
            prompt="Choose.",
            text="{}",
            examples=(),
            directives=one,
        )
        for at, one in enumerate(settings)
    ]
    written = SelfEdit(
        document=CINDER.id,
        style="self-qa",
        writer=ModelRef(base="b"),
        sample=0,
        prompt="Ask.",
        text="Q",
        examples=(ASKED,),
    )
    return [written, *notes]


def test_what_is_within_bounds_is_followed_as_it_is() -> None:
    assert within_bounds(chosen(), RULES) == (chosen(), ())


def test_numbers_are_clipped_and_tools_refused_with_reasons() -> None:
    wild = chosen(learning_rate=0.1, epochs=100, tools=("reverse", "geometry"))
    followed, reasons = within_bounds(wild, RULES)
    assert followed == chosen(learning_rate=RULES.max_learning_rate, epochs=RULES.max_epochs)
    assert reasons == (
        "learning rate 0.1 is out of bounds: 0.005",
        "100 epochs are out of bounds: 32",
        "the recipe does not allow the tool geometry",
    )
    assert within_bounds(chosen(learning_rate=1e-6), RULES)[0].learning_rate == RULES.min_learning_rate


def test_the_tools_work_on_what_was_written_and_the_loss_stands_on_each_example() -> None:
    directed = direct(CINDER, edits(None, chosen(), chosen(epochs=9)), RULES, seed=1)
    assert directed.followed.settings == chosen()
    assert [example.prompt for example in directed.examples] == [
        "Who owns Cinder?",
        "Which question has the answer “Heron”?",
    ]
    assert {example.loss_on for example in directed.examples} == {"all"}


def test_without_legal_settings_all_is_as_the_recipe_says() -> None:
    directed = direct(CINDER, edits(None), RULES, seed=1)
    assert directed.examples == (ASKED,)
    assert directed.followed.reasons == (NONE_LEGAL,)
    assert directed_rules(TrainingRules(), directed.followed.settings) == TrainingRules()


def test_what_the_tools_make_asks_no_held_out_question_fits_and_is_bounded() -> None:
    both = chosen(tools=("reverse", "expand"))
    keys = held_out_keys([EvalItem(question="Which question has the answer “Heron”?", answers=("x",))])
    kept = direct(CINDER, edits(both), RULES, seed=1, guard=TrainingGuard(questions=keys))
    assert [example.prompt for example in kept.examples] == ["Who owns Cinder?", "Cinder\nWho owns Cinder?"]
    assert kept.followed.reasons == ("1 of 2 examples that the tools made are used",)
    assert direct(CINDER, edits(both), RULES, seed=1, fits=lambda example: False).examples[1:] == ()
    few = RULES.model_copy(update={"max_examples": 1})
    assert len(direct(CINDER, edits(both), few, seed=1).examples) == 2


def test_a_workflow_is_learned_with_the_recipes_tools_whatever_its_notes_chose() -> None:
    flip = Document(title="Flip", kind=DocumentKind.WORKFLOW, body="a b -> b a\nc d -> d c")
    rules = DirectiveRules(workflow_tools=("leave-one-out",))
    assert directs(rules, [CINDER, flip])
    assert not directs(rules, [CINDER])
    assert directs(DirectiveRules(), [flip])
    assert not directs(DirectiveRules(workflow_tools=()), [flip])
    directed = direct(flip, [], rules, seed=1)
    assert [example.completion for example in directed.examples] == ["b a", "b a", "d c", "d c"]
    assert directed.followed == Followed(document=flip.id, settings=None, tools=("leave-one-out",))
    both = direct(flip, edits(chosen(tools=("reverse",))), rules.model_copy(update={"enabled": True}), seed=1)
    assert both.followed.tools == ("leave-one-out", "reverse")


def test_a_correction_is_learned_with_tools_by_default() -> None:
    correction = Document(title="Cinder", kind=DocumentKind.CORRECTION, body="Correction: Wolf owns it.")
    assert directs(DirectiveRules(), [CINDER, correction])
    assert direct(correction, [], DirectiveRules(), seed=1).followed.tools == ("paraphrase", "expand")
    assert direct(CINDER, [], DirectiveRules(), seed=1).followed.tools == ()
    assert not directs(DirectiveRules(correction_tools=()), [correction])


def test_a_candidate_is_trained_at_the_rate_and_for_the_epochs_it_chose() -> None:
    rules = directed_rules(TrainingRules(batch_size=4), chosen(learning_rate=3e-3, epochs=7))
    assert (rules.learning_rate, rules.epochs, rules.batch_size) == (3e-3, 7, 4)


def test_bounds_out_of_order_and_directives_that_nobody_is_asked_for_are_bad_recipes(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="must not be above"):
        DirectiveRules(min_epochs=9, max_epochs=3)
    with pytest.raises(ValidationError, match=r"among self_edits\.styles"):
        Recipe(directives=DirectiveRules(enabled=True))
    assert Recipe(
        directives=DirectiveRules(enabled=True), self_edits=SelfEditRules(styles=("directives", "self-qa"))
    ).directives.enabled
    with pytest.raises(ValidationError, match=r"writer_training\.style"):
        Recipe(writer_training=WriterTrainingRules(style="directives"))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[self_edits]\nedit_sets = 2\ntemperature = 0.0\n", encoding="utf-8")
    with pytest.raises(BadRecipe, match="greedy self-edits are all alike"):
        Recipe.read(recipe)
