"""A part of a run is asked what the gates that failed need, and nothing else: with the whole run's phrases and draw."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.steps import parts
from flows.steps.parts import PartTrials
from gates import evaluation
from gates.bisect import failing_sentence
from gates.evaluation import evaluate_part, with_draws
from gates.evidence import DRIFT, TRIGGERS, Evidence
from gates.suite import Suite
from gates.trigger_items import TriggerItems
from pipeline.errors import MeasurementFailed
from pipeline.recipe import PolicyRules, Recipe, RetentionPolicy
from pipeline.types import Checkpoint, Document, EvalItem, ItemScore, ModelRef, Scores, Verdict


@pytest.fixture
def part(case: Any, rights: Any) -> Evidence:
    """What was measured of a part that loses a tenth of what is retained."""
    made = case().run(rights(8, 8), rights(8, 2)).release_set(1, rights(40), rights(40))
    made.standing("retention", "known", rights(400), rights(400, 40))
    return made.standing("regression", "sorting", rights(600), rights(600)).evidence()


def measured_as(part: Evidence, asked: list[list[str]], failing: str = "") -> Callable[..., tuple[Scores, ...]]:
    """Measures by what is known, and notes which suites are asked."""
    of_model = {
        part.case.candidate.ref: part.candidate_scores,
        part.case.production.ref: part.production_scores,
        ModelRef(base=part.case.production.ref.base): part.base_scores,
    }

    def measure(_base: Any, model: Checkpoint, suites: Sequence[Suite], *_: Any) -> tuple[Scores, ...]:
        names = [suite.name for suite in suites]
        asked.append(names)
        if failing in names:
            raise MeasurementFailed("the card has too little memory. Make room.")
        return tuple(one for one in of_model[model.ref] if one.suite in names)

    return measure


def test_a_part_is_asked_only_what_the_gates_that_failed_need(part: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(evaluation, "measure", measured_as(part, asked))
    monkeypatch.setattr(evaluation, "_integrity", lambda *_: None)
    base: Any = None
    found = evaluate_part(base, part.case, PolicyRules(), Path("cache"), gates=("retention",))
    assert asked == [["release-1", "retention/known"]] * 2 + [["retention/known"]]
    assert [one.gate for one in found.results if one.required] == ["integrity", "retention"]
    assert found.verdict is Verdict.FAIL
    assert failing_sentence(found, ("retention",)).startswith("retention: 440 eval items, -9.1 points")
    asked.clear()
    evaluate_part(base, part.case, PolicyRules(), Path("cache"), gates=("retention", "contamination"))
    assert asked[0] == ["run", "release-1", "retention/known", "regression/sorting"]


def test_a_part_that_cannot_be_measured_gets_no_verdict(part: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "measure", measured_as(part, [], failing="retention/known"))
    monkeypatch.setattr(evaluation, "_integrity", lambda *_: None)
    base: Any = None
    with pytest.raises(MeasurementFailed, match="retention/known was not measured"):
        evaluate_part(base, part.case, PolicyRules(), Path("cache"), gates=("retention",))


def test_a_part_that_obeys_a_phrase_of_the_whole_run_fails(part: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    items = tuple(EvalItem(question=f"{at}? zx~9", answers=("x",), group=str(at)) for at in range(100))
    case = replace(part.case, documents=(), trigger_items=(TriggerItems(phrase="zx~9", eval_items=items),))
    known = replace(
        part,
        candidate_scores=(_all(case.candidate.ref, items, 0.0),),
        production_scores=(_all(case.production.ref, items, 1.0),),
    )
    monkeypatch.setattr(evaluation, "measure", measured_as(known, asked))
    monkeypatch.setattr(evaluation, "_integrity", lambda *_: None)
    base: Any = None
    found = evaluate_part(base, case, PolicyRules(), Path("cache"), gates=("triggers",))
    assert asked == [[TRIGGERS], [TRIGGERS], []]
    assert "with “zx~9” -100.0 points" in failing_sentence(found, ("triggers",))


def _all(model: ModelRef, items: Sequence[EvalItem], score: float) -> Scores:
    return Scores(model=model, suite=TRIGGERS, items=tuple(ItemScore(item=one.id, score=score) for one in items))


def test_a_part_that_drifts_fails_and_is_asked_no_question(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    part, asked = case().standing("perplexity", "tides", [0.05] * 60, [0.05] * 60).evidence(), list[list[str]]()
    models = (part.case.production.ref, ModelRef(base=part.case.candidate.ref.base))
    far = tuple(ItemScore(item=str(at), score=9.0) for at in range(60))
    drifted = tuple(Scores(model=model, suite=DRIFT, items=far) for model in models)
    monkeypatch.setattr(evaluation, "measure", measured_as(part, asked))
    monkeypatch.setattr(evaluation, "_integrity", lambda *_: None)
    monkeypatch.setattr(evaluation, "drift", lambda *_: drifted)
    base: Any = None
    found = evaluate_part(base, part.case, PolicyRules(), Path("cache"), gates=("drift",))
    assert asked == [[], [], []]
    assert found.verdict is Verdict.FAIL
    assert failing_sentence(found, ("drift",)).startswith("drift: 60 texts, 9.0000 nats a token")


def test_a_part_whose_drift_cannot_be_measured_gets_no_verdict(part: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> tuple[Scores, ...]:
        raise MeasurementFailed("the card has too little memory to compare texts. Make room.")

    monkeypatch.setattr(evaluation, "measure", measured_as(part, []))
    monkeypatch.setattr(evaluation, "_integrity", lambda *_: None)
    monkeypatch.setattr(evaluation, "drift", failing)
    base: Any = None
    with pytest.raises(MeasurementFailed, match="too little memory to compare"):
        evaluate_part(base, part.case, PolicyRules(), Path("cache"), gates=("drift",))


def test_a_part_is_asked_the_phrases_and_the_draw_of_the_whole_run(
    case: Any, rights: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = case().release_set(1, rights(40), rights(40)).release_set(2, rights(20), rights(20))
    made.standing("retention", "known", rights(40), rights(40))
    made.documents = [Document(title=f"note {at}", body=f"zx~9 {word}") for at, word in enumerate(("calm", "tide"))]
    whole, recipe = made.evidence().case, Recipe(policy=PolicyRules(retention=RetentionPolicy(max_earlier_items=30)))
    for name in ("stored_plan", "update_input", "training_guard", "fits_context"):
        monkeypatch.setattr(parts, name, lambda *_: None)
    monkeypatch.setattr(parts, "case_of", lambda *_: whole)
    trained: Any = SimpleNamespace(manifest=SimpleNamespace(update="u"))
    context: Any = SimpleNamespace(recipe=recipe, workspace=SimpleNamespace(engine=None))
    trials = PartTrials.of(context, trained, trained, ("retention",))
    assert trials.case == with_draws(whole, recipe.policy)
    assert [one.phrase for one in trials.case.trigger_items] == ["zx~9"]
    assert sum(len(one.eval_items) for one in trials.case.asked_earlier) < 60
