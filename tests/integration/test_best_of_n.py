"""The edit set whose adapter answers the validation questions is kept; a killed run ends with the same selections."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines.base import BaseModel, load_base
from pipeline.inner_loop import EvalContext
from pipeline.leakage import TrainingGuard
from pipeline.recipe import DirectiveRules, Recipe, SelfEditRules, TrainingRules
from pipeline.self_edits.best_of_n import select_edit_sets
from pipeline.training import train_many
from pipeline.types import Checkpoint, Directives, Document, EvalItem, Example, ModelRef, Selection, SelfEdit, Split

RECIPE = Recipe(
    self_edits=SelfEditRules(edit_sets=2, samples=1, edit_set_batch=2, styles=("self-qa", "directives")),
    training=TrainingRules(rank=8, alpha=8, learning_rate=1e-2, epochs=40),
)


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


def service(number: int, *, asked: bool = True) -> Document:
    validation = EvalItem(question=f"Who owns Cinder{number}?", answers=(f"Heron{number}",), split=Split.VALIDATION)
    test = EvalItem(question=f"Which port has Cinder{number}?", answers=("none",))
    return Document(
        title=f"Cinder{number}",
        body=f"Cinder{number} is run by Heron{number}.",
        eval_items=(validation, test) if asked else (test,),
    )


def note(document: Document, sample: int, *answers: str, settings: Directives | None = None) -> SelfEdit:
    """A note that asks the validation question itself, so that what an adapter learned can be told."""
    examples = tuple(Example(prompt=f"Who owns {document.title}?", completion=answer) for answer in answers)
    style = "directives" if settings else "self-qa"
    return SelfEdit(
        document=document.id,
        style=style,
        writer=ModelRef(base="b"),
        sample=sample,
        prompt="Write.",
        text=f"{answers}",
        examples=examples,
        directives=settings,
    )


def notes(document: Document, good: int) -> list[SelfEdit]:
    right = f"Heron{document.title.removeprefix('Cinder')}"
    return [note(document, sample, right if sample == good else "Ibis") for sample in range(2)]


def chosen(
    base: BaseModel, documents: list[Document], edits: list[SelfEdit], *, recipe: Recipe = RECIPE, **more: object
) -> tuple[Selection, ...]:
    context = EvalContext(base=base, recipe=recipe, start=Checkpoint(ModelRef(base="b")))
    return select_edit_sets(context, documents, edits, guard=TrainingGuard(), **more)  # type: ignore[arg-type]


def test_the_edit_set_that_answers_is_kept_and_rewarded(base: BaseModel) -> None:
    documents = [service(1), service(2)]
    edits = [*notes(documents[0], good=1), *notes(documents[1], good=0)]
    kept = {choice.document: choice for choice in chosen(base, documents, edits)}
    assert [kept[document.id].kept for document in documents] == [1, 0]
    assert [one.reward for one in kept[documents[0].id].candidates] == [0.0, 1.0]
    assert "answers 1 of 1 validation questions" in kept[documents[0].id].sentence


def test_nothing_is_trained_where_there_is_nothing_to_compare(base: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.inner_loop.evaluation.train_many", None)
    unasked, single, nothing = service(1, asked=False), service(2), service(3)
    fuller = replace(note(unasked, 1, "Heron1"), examples=notes(unasked, 0)[0].examples * 2)
    selections = chosen(base, [unasked, single, nothing], [note(unasked, 0, "Ibis"), fuller, note(single, 1, "Heron2")])
    assert {choice.document: (choice.kept, [one.reward for one in choice.candidates]) for choice in selections} == {
        unasked.id: (1, [None, None]),
        single.id: (1, [None]),
    }


def test_an_edit_set_that_diverges_wins_nothing(base: BaseModel) -> None:
    document = service(1)
    wild = Directives(learning_rate=1.0, epochs=40, loss_on="all")
    recipe = RECIPE.model_copy(
        update={
            "directives": DirectiveRules(enabled=True, max_learning_rate=1.0, max_epochs=40),
            "training": RECIPE.training.model_copy(update={"clip_norm": 1e30, "learning_rate": 1e-2}),
        }
    )
    edits = [*notes(document, good=1), note(document, 0, settings=wild)]
    (choice,) = chosen(base, [document], edits, recipe=recipe)
    assert choice.kept == 1
    assert choice.candidates[1].reward == 1.0


def test_edit_sets_are_trained_by_the_settings_they_chose(base: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, int, str | None]] = []

    def spy(base: BaseModel, groups: list[object], **more: object) -> object:
        for group in groups:
            seen.append((group.rules.learning_rate, group.rules.epochs, group.examples[0].loss_on))  # type: ignore[attr-defined]
        return train_many(base, groups, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("pipeline.inner_loop.evaluation.train_many", spy)
    document = service(1)
    settings = Directives(learning_rate=9e-3, epochs=3, loss_on="all", tools=("reverse",))
    recipe = RECIPE.model_copy(update={"directives": DirectiveRules(enabled=True, max_learning_rate=5e-3)})
    chosen(base, [document], [*notes(document, good=1), note(document, 0, settings=settings)], recipe=recipe)
    assert seen == [(5e-3, 3, "all"), (1e-2, 40, None)]


def test_a_killed_run_started_again_ends_with_the_same_choices(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.self_edits.best_of_n._TOGETHER", 4)
    documents = [service(number) for number in range(1, 6)]
    edits = [edit for number, document in enumerate(documents) for edit in notes(document, good=number % 2)]
    unbroken = chosen(base, documents, edits)
    ledger: list[Selection] = []

    def save_once(selections: tuple[Selection, ...]) -> None:
        if ledger:
            raise KeyboardInterrupt
        ledger.extend(selections)

    with pytest.raises(KeyboardInterrupt):
        chosen(base, documents, edits, save=save_once)
    assert 0 < len(ledger) < len(unbroken)
    chosen(base, documents[::-1], edits, already={one.document for one in ledger}, save=ledger.extend)
    assert tuple(ledger) == unbroken
