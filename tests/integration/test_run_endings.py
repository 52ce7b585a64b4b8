"""How runs end on a real Prefect server: named states with their sentence, an artifact, and killed runs put down."""

import getpass
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.states import Completed, Pending, Running, State
from prefect.testing.utilities import prefect_test_harness

from flows.nightly import nightly
from flows.outcome import STATES, Ended, RunOutcome
from flows.rebuild import rebuild
from flows.runs import ends_named
from flows.services.diagnosis import Finding, examine
from flows.services.initialisation import init_workspace
from flows.services.scheduler import crash_dead_runs
from flows.wiring import Workspace
from flows.writer_training import train_writer
from pipeline.errors import BadInput
from pipeline.files import write_text
from pipeline.sandbox import model_path
from pipeline.types import DocumentState
from registry import Reconciled
from tests.ledgers import Ledger

LATER = timedelta(minutes=11)


@pytest.fixture(scope="module")
def prefect() -> Iterator[SyncPrefectClient]:
    """A client of a Prefect server of our own, which flows and `crash_dead_runs` then use as well."""
    no_beat = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})  # its thread ends a second after each run
    with prefect_test_harness(server_startup_timeout=120), no_beat, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", str(PREFECT_API_URL.value()))
        with get_client(sync_client=True) as client:
            yield client


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = init_workspace(tmp_path_factory.mktemp("endings") / "workspace", str(model_path()), actor="test")
    yield made
    made.ledger.close()


def newest(prefect: SyncPrefectClient) -> FlowRun:
    return prefect.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]


def artifacts(prefect: SyncPrefectClient, run: FlowRun) -> list[dict[str, Any]]:
    """Of a run, as the server tells them; its events likewise below."""
    wanted = {"artifacts": {"flow_run_id": {"any_": [str(run.id)]}}}
    return list(prefect._client.post("/artifacts/filter", json=wanted).json())


def events(prefect: SyncPrefectClient, run: FlowRun) -> set[str]:
    wanted = {"filter": {"resource": {"id": [f"prefect.flow-run.{run.id}"]}}}
    return {event["event"] for event in prefect._client.post("/events/filter", json=wanted).json()["events"]}


@flow(name="any outcome")
@ends_named
def any_outcome(outcome: RunOutcome) -> RunOutcome:
    """Ends as it is told to."""
    return outcome


@pytest.mark.parametrize(
    ("ended", "verdict", "name"),
    [*((ended, None, name) for ended, name in STATES.items()), (Ended.REFUSED, "INCONCLUSIVE", "Inconclusive")],
)
def test_every_outcome_is_a_state_of_its_own_with_its_sentence_and_an_artifact(
    ended: Ended, verdict: str | None, name: str, prefect: SyncPrefectClient
) -> None:
    outcome = RunOutcome(ended=ended, sentence=f"it is {ended}: 412 items", verdict=verdict)
    assert any_outcome(outcome) == outcome
    run = newest(prefect)
    assert run.state is not None
    assert run.state.is_completed()
    assert (run.state.name, run.state.message) == (name, outcome.sentence)
    (left,) = artifacts(prefect, run)
    assert (left["key"], left["data"]) == ("outcome", f"**{ended}**: {outcome.sentence}")


def test_an_automation_hears_the_name_of_the_state(prefect: SyncPrefectClient) -> None:
    any_outcome(RunOutcome(ended=Ended.REFUSED, sentence="retention: -9 points", verdict="FAIL"))
    run, deadline = newest(prefect), time.monotonic() + 60
    while "prefect.flow-run.Rejected" not in events(prefect, run):
        assert time.monotonic() < deadline, events(prefect, run)
        time.sleep(0.5)


def test_the_automation_of_the_operators_guide_is_one_that_prefect_takes() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```yaml\n(name: .*?)```", guide, flags=re.DOTALL)
    automation = AutomationCore.model_validate(yaml.safe_load(written.replace("BLOCK", str(uuid4()))))
    assert isinstance(automation.trigger, EventTrigger)
    heard = {event.removeprefix("prefect.flow-run.") for event in automation.trigger.expect}
    assert heard == {"Rejected", "Inconclusive", "NothingToTrainOn", "NotTestable", "Failed"}
    assert all(f"| `{name}` |" in guide for name in (*STATES.values(), "Inconclusive"))


def test_runs_with_nothing_to_do_end_empty_and_are_named_by_number_and_date(
    parts: Workspace, prefect: SyncPrefectClient
) -> None:
    workspace = parts.settings.workspace
    for number in (1, 2):
        assert nightly(workspace).ended is Ended.NOTHING_NEW
        run = newest(prefect)
        assert run.state is not None
        assert run.state.name == "Empty"
        assert run.name == f"nightly-{number} {run.start_time:%Y-%m-%d}"
    assert parts.ledger.runs.get(2).proposer == getpass.getuser()
    assert rebuild(workspace).ended is Ended.NOTHING_NEW
    assert newest(prefect).name.startswith("rebuild-3 ")
    assert train_writer(workspace).ended is Ended.NOTHING_NEW
    assert newest(prefect).name.startswith("writer-training-3 ")


def test_documents_without_test_questions_wait_and_no_run_begins(tmp_path: Path, prefect: SyncPrefectClient) -> None:
    parts = init_workspace(tmp_path / "workspace", str(model_path()), actor="test")
    write_text(parts.settings.incoming / "tides.md", "# Tides\n\nThe sea rises twice a day.\n")
    outcome = nightly(parts.settings.workspace)
    assert (outcome.ended, outcome.exit_code, outcome.run) == (Ended.NOT_TESTABLE, 3, None)
    assert "a run can take 0 with 0 questions" in outcome.sentence
    run = newest(prefect)
    assert run.state is not None
    assert (run.state.name, run.state.message) == ("NotTestable", outcome.sentence)
    assert parts.ledger.runs.listed() == ()
    (record,) = parts.ledger.documents.listed()
    assert (record.state, record.attempts) == (DocumentState.QUEUED, 0)
    parts.ledger.close()


def test_a_run_beside_another_ends_busy(parts: Workspace, prefect: SyncPrefectClient) -> None:
    with parts.ledger.session():
        outcome = nightly(parts.settings.workspace)
    run = newest(prefect)
    assert run.state is not None
    assert (outcome.ended, run.state.name, run.state.message) == (Ended.BUSY, "Busy", outcome.sentence)


def test_a_run_before_a_review_ends_held_back(
    parts: Workspace, prefect: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "reconcile", lambda _: Reconciled())
    waiting = Ledger(parts.ledger.database).candidate("atlas")
    assert nightly(parts.settings.workspace).release == waiting.number
    run = newest(prefect)
    assert run.state is not None
    assert run.state.name == "HeldBack"
    assert "still waits for review" in str(run.state.message)


def test_a_failure_stays_one_with_its_sentence(parts: Workspace, prefect: SyncPrefectClient, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder"):
        nightly(parts.settings.workspace, tmp_path / "nowhere")
    run = newest(prefect)
    assert run.state is not None
    assert run.state.name == "Failed"
    assert "Give the folder that holds the run's documents." in str(run.state.message)


def test_where_there_is_no_ledger_a_run_has_a_name_all_the_same(prefect: SyncPrefectClient, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a sealed workspace"):
        nightly(tmp_path)
    assert newest(prefect).name == f"nightly {datetime.now(UTC):%Y-%m-%d}"


@flow(name="nightly")
def killed(workspace: Path) -> None:
    """Stands for a nightly run whose process is gone."""


def left(prefect: SyncPrefectClient, workspace: Path, state: State[Any]) -> FlowRun:
    """A run as a killed process leaves it, and another workspace's beside it."""
    run = prefect.create_flow_run(killed, parameters={"workspace": workspace}, state=Pending())
    prefect.set_flow_run_state(run.id, state, force=True)
    return run


def state_of(prefect: SyncPrefectClient, run: FlowRun) -> str:
    found = prefect.read_flow_run(run.id).state
    return found.name if found else ""


@pytest.mark.parametrize("state", [Running, Pending])
def test_doctor_ends_the_runs_that_no_process_works_on(
    state: Any, parts: Workspace, prefect: SyncPrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.services import scheduler

    dead, young = (left(prefect, parts.settings.workspace, state()) for _ in range(2))
    elsewhere = left(prefect, tmp_path, state())
    assert crash_dead_runs(parts, settle=0.0) == ()
    assert set(crash_dead_runs(parts, settle=0.0, at=datetime.now(UTC) + LATER)) == {dead.name, young.name}
    for run in (dead, young):
        assert state_of(prefect, run) == "Crashed"
        assert "the next run goes on where it stopped" in str(prefect.read_flow_run(run.id).state.message)  # type: ignore[union-attr]
    assert state_of(prefect, elsewhere) == state().name
    again = left(prefect, parts.settings.workspace, state())
    monkeypatch.setattr(scheduler, "SETTLE_SECONDS", 0.0)
    for spared in ("PENDING_FOR", "RUNNING_FOR"):
        monkeypatch.setattr(scheduler, spared, timedelta(0))
    assert again.name in found_by_doctor(parts).sentence
    assert state_of(prefect, again) == "Crashed"
    assert found_by_doctor(parts).sentence == "each run under way has its process"


def found_by_doctor(parts: Workspace) -> Finding:
    return next(one for one in examine(parts.settings.workspace) if one.part == "Prefect")


def test_the_run_of_whoever_holds_the_lease_is_left_alone(parts: Workspace, prefect: SyncPrefectClient) -> None:
    run = left(prefect, parts.settings.workspace, Running())
    with parts.ledger.session():
        assert crash_dead_runs(parts, settle=0.0, at=datetime.now(UTC) + LATER) == ()
    assert state_of(prefect, run) == "Running"
    prefect.set_flow_run_state(run.id, Completed(), force=True)


def test_a_run_that_says_its_own_ending_meanwhile_keeps_it(
    parts: Workspace, prefect: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.services import scheduler

    run = left(prefect, parts.settings.workspace, Running())
    monkeypatch.setattr(
        scheduler.time, "sleep", lambda _: prefect.set_flow_run_state(run.id, Completed(name="Rejected"), force=True)
    )
    assert crash_dead_runs(parts, at=datetime.now(UTC) + LATER) == ()
    assert state_of(prefect, run) == "Rejected"


def test_the_next_run_ends_a_killed_one_and_not_itself(
    parts: Workspace, prefect: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.services import scheduler

    monkeypatch.setattr(Workspace, "reconcile", lambda _: Reconciled())
    monkeypatch.setattr(scheduler, "RUNNING_FOR", timedelta(0))
    monkeypatch.setattr(scheduler, "SETTLE_SECONDS", 0.0)
    run = left(prefect, parts.settings.workspace, Running())
    assert nightly(parts.settings.workspace).ended is Ended.HELD
    assert state_of(prefect, run) == "Crashed"
    assert newest(prefect).state.name == "HeldBack"  # type: ignore[union-attr]


def test_a_server_that_does_not_answer_is_a_finding_and_stops_no_run(
    parts: Workspace, prefect: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    finding = found_by_doctor(parts)
    assert not finding.ok
    assert "does not answer" in finding.sentence
    monkeypatch.delenv("PREFECT_API_URL")
    assert found_by_doctor(parts).ok
