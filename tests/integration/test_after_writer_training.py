"""What a night does otherwise once a practice is behind the release that it stands on."""

from pathlib import Path

import pytest

from flows.run_context import Shift
from flows.steps.status import overview
from flows.steps.training import train_adapter
from flows.wiring import House
from pipeline.config import Settings
from pipeline.recipe import Recipe
from pipeline.types import Example, ModelRef, NightKind, NightState, PracticeAsk, Update, UpdatePlan
from registry.store import lineage, releases, runs
from tests.ledgers import BASE, RECIPE, Ledger, practised, rebuilt


def house(ledger: Ledger, folder: Path) -> House:
    names = ("model", "base_model", "base_tokenizer", "base_chat_template")
    return House(Settings.at(folder, dict.fromkeys(names, "x")), ledger.store)


def test_a_release_descends_from_a_practice_until_a_rebuild(ledger: Ledger) -> None:
    nightly, practice, rebuild = NightKind.NIGHTLY, NightKind.PRACTICE, NightKind.REBUILD

    def behind() -> set[NightKind]:
        return set(lineage.kinds_behind(ledger.store, releases.production(ledger.store).number))

    assert behind() == set()
    ledger.release("borea")
    assert behind() == {nightly}
    practised(ledger, "atlas")
    ledger.release("cinder")
    assert behind() == {nightly, practice}
    rebuilt(ledger)
    assert behind() == {rebuild}
    ledger.release("delta")
    assert behind() == {nightly, rebuild}


@pytest.mark.parametrize(("warm", "held"), [(True, ("anchor", "generative", "reading", "replay")), (False, None)])
def test_only_what_is_trained_on_a_practised_writer_is_not_held_to_how_the_base_writes(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm: bool, held: tuple[str, ...] | None
) -> None:
    practised(ledger, "atlas")
    # What is trained is not looked at: only how it is held.
    monkeypatch.setattr("pipeline.training.lora.train_lora", lambda *given, rehearsal, **named: rehearsal.distill_on)
    monkeypatch.setattr(House, "held_adapter", lambda self, release: None)
    parts, recipe = house(ledger, tmp_path), Recipe()
    vars(parts)["base"] = None
    parent = releases.production(ledger.store).model if warm else ModelRef(base=BASE.base)
    lessons = (Example(prompt="", completion="A lesson."),)
    update = Update(parent=parent, self_edits=(), examples_digest="e", recipe=RECIPE, seed=0)
    with ledger.working() as lease:
        night = runs.begin_rebuild(ledger.store, lease, proposer="sealed", recipe=RECIPE)
        trained: object = train_adapter(Shift(parts, lease, recipe), night, UpdatePlan(update=update, examples=lessons))
    assert trained == (held or recipe.rehearsal.distill_on)


@pytest.mark.parametrize("refused", [NightState.REJECTED_BY_GATES, NightState.FAILED])
def test_status_tells_what_was_refused_of_a_practice_and_why_and_what_to_do(
    ledger: Ledger, tmp_path: Path, refused: NightState
) -> None:
    parts, asked = house(ledger, tmp_path), PracticeAsk(folder="/ground")
    with ledger.working() as lease:
        night = runs.begin_practice(ledger.store, lease, proposer="sealed", recipe=RECIPE, asked=asked)
        runs.finish(ledger.store, lease, night.number, refused, "FAIL: writes_better: -1.0 points")
    seen = overview(parts)
    assert seen.last_night == f"night 1, a practice on /ground: {refused} FAIL: writes_better: -1.0 points"
    assert seen.next_step.startswith("the writer stays as it was")
    ledger.release("atlas")
    seen = overview(parts)
    assert seen.last_night.startswith("night 2: ")
    assert "practice" not in seen.next_step
