"""What a run does otherwise once writer training is behind the release that it stands on."""

from pathlib import Path

import pytest

from flows.run_context import RunContext
from flows.services.status import overview
from flows.steps import updates
from flows.wiring import Workspace
from gates.wording import in_words
from pipeline.config import Settings
from pipeline.recipe import Recipe
from pipeline.types import Example, ModelRef, RunKind, RunState, Update, UpdatePlan, WriterTrainingRequest
from tests.ledgers import BASE, RECIPE, Ledger, practised, rebuilt


def open_workspace(ledger: Ledger, folder: Path) -> Workspace:
    names = ("model", "base_model", "base_tokenizer", "base_chat_template")
    (folder / "recipe.toml").touch()
    return Workspace(Settings.at(folder, dict.fromkeys(names, "x")), ledger)


def test_a_release_descends_from_writer_training_until_a_rebuild(ledger: Ledger) -> None:
    nightly, training, rebuild = RunKind.NIGHTLY, RunKind.WRITER_TRAINING, RunKind.REBUILD

    def behind() -> set[RunKind]:
        return set(ledger.releases.kinds_behind(ledger.releases.production().number))

    assert behind() == set()
    ledger.release("borea")
    assert behind() == {nightly}
    practised(ledger, "atlas")
    ledger.release("cinder")
    assert behind() == {nightly, training}
    rebuilt(ledger)
    assert behind() == {rebuild}
    ledger.release("delta")
    assert behind() == {nightly, rebuild}


@pytest.mark.parametrize(("warm", "held"), [(True, ("rehearsal", "generative", "reading", "replay")), (False, None)])
def test_only_what_is_trained_on_a_trained_writer_is_not_distilled_to_how_the_base_writes(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: bool, held: tuple[str, ...] | None
) -> None:
    practised(ledger, "atlas")
    # What is trained is not looked at: only how it is held.
    monkeypatch.setattr("flows.steps.updates.train_lora", lambda *given, **_: given[2].rehearsal.distilled)
    monkeypatch.setattr(Workspace, "held_adapter", lambda self, release: None)
    parts, recipe = open_workspace(ledger, tmp_path), Recipe()
    vars(parts)["base"] = None
    parent = ledger.releases.production().model if warm else ModelRef(base=BASE.base)
    lessons = (Example(prompt="", completion="A lesson."),)
    update = Update(parent=parent, self_edits=(), examples_digest="e", recipe=RECIPE, seed=0)
    with ledger.session() as session:
        run = session.runs.begin_rebuild(proposer="sealed", recipe=RECIPE)
        context = RunContext(parts, session, recipe)
        session.runs.move(run.number, RunState.TRAINING)
        updates.store_plan(context, run, UpdatePlan(update=update, examples=lessons), basis="any")
        trained: object = updates.train_adapter(context, run, update.id)
    assert trained == (held or recipe.rehearsal.distilled)


@pytest.mark.parametrize("refused", [RunState.REJECTED_BY_GATES, RunState.FAILED])
def test_status_says_what_was_refused_of_a_writer_training_and_why_and_what_to_do(
    ledger: Ledger, tmp_path: Path, refused: RunState
) -> None:
    parts, asked = open_workspace(ledger, tmp_path), WriterTrainingRequest(folder="/split")
    with ledger.session() as session:
        run = session.runs.begin_writer_training(proposer="sealed", recipe=RECIPE, asked=asked)
        session.runs.finish(run.number, refused, "FAIL: writer_improvement: -1.0 points")
    seen = overview(parts)
    assert (
        seen.last_run
        == f"run 1, a writer-training on /split: {in_words(refused)}. FAIL: writer_improvement: -1.0 points"
    )
    assert seen.next_step.startswith("the writer stays as it was")
    ledger.release("atlas")
    seen = overview(parts)
    assert seen.last_run.startswith("run 2: ")
    assert "the writer stays" not in seen.next_step
