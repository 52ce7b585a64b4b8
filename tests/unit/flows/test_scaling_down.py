"""Each scaled adapter is judged as one of its own: by its own try in the serving engine, on the run's one case."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.steps import scaling
from gates.evidence import Case
from gates.served import Served
from gates.suite import Suites
from pipeline.types import Checkpoint, GateReport, GateResult, ModelRef, Trained, Update, UpdatePlan, Verdict
from tests.ledgers import BASE, manifest_of

WHOLE = Update(parent=BASE, self_edits=(), examples_digest="e", recipe="r", seed=0)


def trained(update: Update) -> Trained:
    return Trained(manifest=manifest_of(update), steps=1, final_loss=1.0, tokens=1)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """The cases that are judged, of which all pass; nothing is scaled or loaded."""
    cases, whole = (
        list[Case](),
        Case(
            update=WHOLE.id,
            manifest=manifest_of(WHOLE),
            candidate=Checkpoint(BASE),
            production=Checkpoint(BASE),
            examples=(),
            suites=Suites(),
            served=Served(engine="local", seconds=99.0),
        ),
    )
    built = iter([whole])  # a second one would be built for nothing

    def evaluate(_base: object, scaled: Case, *_: object) -> tuple[GateReport, None]:
        cases.append(scaled)
        passed = GateResult(gate="serving", verdict=Verdict.PASS, sentence="serving: fine")
        ref = scaled.candidate.ref
        return GateReport(update=scaled.update, candidate=ref, production=ref, policy="p", results=(passed,)), None

    def tried(_workspace: object, candidate: Checkpoint, manifest: object) -> Served:
        return Served(engine=f"tried {candidate.ref.adapter}")

    monkeypatch.setattr(scaling, "stored_plan", lambda *_: UpdatePlan(update=WHOLE, examples=()))
    monkeypatch.setattr(scaling, "case_of", lambda *_: next(built))
    monkeypatch.setattr(scaling, "warm_start", lambda *_: None)
    monkeypatch.setattr(scaling, "scale_adapter", lambda _base, _trained, update, *_, **__: trained(update))
    monkeypatch.setattr(scaling, "evaluate", evaluate)
    monkeypatch.setattr(scaling, "try_serving", tried)
    return cases


def test_each_scaled_adapter_is_tried_in_the_serving_engine(judged: list[Case]) -> None:
    settings = SimpleNamespace(cache=Path("cache"))
    workspace = SimpleNamespace(base=None, settings=settings, folder_of=Path)
    recipe: Any = SimpleNamespace(training=None, policy=None)
    context: Any = SimpleNamespace(workspace=workspace, recipe=recipe)
    run: Any = SimpleNamespace(documents=("d",))
    steps, found = scaling.scale_down(context, run, trained(WHOLE))
    assert found is not None
    assert found.plan.update.scale == max(step.factor or 0.0 for step in steps)
    refs = [ModelRef(base=BASE.base, adapter=one.manifest.adapter) for one in judged]
    assert [one.candidate.ref for one in judged] == refs
    assert [one.served and one.served.engine for one in judged] == [f"tried {ref.adapter}" for ref in refs]
