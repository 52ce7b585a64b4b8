"""The watch on a canary, on a real workspace: its share rises, production is rolled back, and somebody is told."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from prefect.blocks.abstract import NotificationBlock, NotificationError
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness
from typer.testing import CliRunner

from flows.alerts import raise_alert
from flows.cli.app import app
from flows.cli.runs import QUIET
from flows.services import review
from flows.services.canary import ACTOR, promote
from flows.services.canary import look as decide
from flows.services.initialisation import init_workspace
from flows.services.status import overview
from flows.watch import look, show, watch
from flows.wiring import Workspace
from pipeline.actors import running_account
from pipeline.errors import CorruptAdapter, EngineFailed, Overtaken, PolicyError
from pipeline.types import CanaryAction, Identity, Outcome, Release, ReleaseState
from registry import Reconciled
from registry.store.canaries import Canaries
from tests.canaries import begin_canary
from tests.ledgers import KEYS, Ledger

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class Pager(NotificationBlock):
    """Keeps what it is told to say, or fails."""

    heard: ClassVar[list[tuple[str | None, str]]] = []
    broken: bool = False

    def notify(self, body: str, subject: str | None = None) -> None:  # type: ignore[override]
        if self.broken:
            raise NotificationError("the line is dead")
        self.heard.append((subject, body))


@pytest.fixture(scope="module")
def prefect() -> Iterator[SyncPrefectClient]:
    """A Prefect server of our own, with a block that pages on-call, one that fails, and one that notifies nobody."""
    no_beat = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})  # its thread ends a second after each run
    with prefect_test_harness(server_startup_timeout=120), no_beat, get_client(sync_client=True) as client:
        Pager().save("on-call")
        Pager(broken=True).save("dead")
        Secret(value="hush").save("key")
        yield client


@pytest.fixture
def parts(tmp_path: Path, tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace with canaries whose alerts go to the pager, and release 1 in production."""
    monkeypatch.setattr(Workspace, "reconcile", lambda _: Reconciled())
    monkeypatch.setenv("SEALED_ALERT_BLOCK", "pager/on-call")
    monkeypatch.setattr(Pager, "heard", [])
    made = init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada")
    ledger = Ledger(made.ledger.database)
    # The adapters of these releases are only in the ledger.
    for check in ("verify_bytes", "verify_files"):
        monkeypatch.setattr(Workspace, check, lambda _, release: ledger.manifest(release))
    monkeypatch.setattr(Workspace, "keys", property(lambda _: KEYS))
    recipe = made.settings.recipe_file
    recipe.write_text(f"{recipe.read_text()}\n[advanced.policy.canary]\nenabled = true\n", encoding="utf-8")
    ledger.release("atlas")
    yield made
    made.ledger.close()


def grade(parts: Workspace, canary_failed: bool, count: int, begun_at: int = 0) -> None:
    """Eval items put to both releases; the stable one has them right."""
    epoch = parts.ledger.deployments.listed()[-1].epoch
    parts.ledger.canaries.record(
        Outcome(epoch=epoch, key=f"item-{at}", at=NOON, canary_failed=canary_failed, stable_failed=False)
        for at in range(begun_at, begun_at + count)
    )


def artifact(prefect: SyncPrefectClient) -> str:
    """The newest page about a canary."""
    wanted = {"sort": "CREATED_DESC", "artifacts": {"key": {"any_": ["canary"]}}}
    return str(prefect._client.post("/artifacts/filter", json=wanted).json()[0]["data"])


def production(parts: Workspace) -> int:
    return parts.ledger.releases.production().number


def test_a_canary_that_fails_is_rolled_back_with_its_numbers_a_page_and_an_alert(
    parts: Workspace, prefect: SyncPrefectClient
) -> None:
    begin_canary(parts.ledger)
    grade(parts, canary_failed=True, count=20)
    seen = watch(parts.settings.workspace)
    assert seen.canary is not None
    assert seen.canary.action is CanaryAction.ROLL_BACK
    newest = parts.ledger.deployments.listed()[-1]
    assert (newest.release, newest.actor, newest.reason) == (0, ACTOR, seen.canary.sentence)
    assert "the canary alone failed" in newest.reason
    assert parts.ledger.releases.get(1).state is ReleaseState.ROLLED_BACK
    assert Pager.heard == [("sealed: RolledBack", seen.sentence)]
    assert seen.sentence.endswith("roll back. Release 0 is production again.")
    assert "**roll-back** release 1" in artifact(prefect)
    assert "alarm at 100" in artifact(prefect)
    run = prefect.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]
    assert run.state is not None
    assert (run.state.name, run.state.message) == ("RolledBack", seen.sentence)
    assert look(parts).canary is None


def test_a_good_canary_gets_the_next_share_and_somebody_hears_of_it(
    parts: Workspace, prefect: SyncPrefectClient
) -> None:
    begin_canary(parts.ledger)
    grade(parts, canary_failed=False, count=90)
    assert look(parts).canary.share == 0.01  # type: ignore[union-attr]
    assert Pager.heard == []
    grade(parts, canary_failed=False, count=20, begun_at=90)
    promoted = look(parts)
    assert promoted.canary is not None
    show(parts.settings.workspace, promoted)
    assert "**promote** release 1" in artifact(prefect)
    assert (promoted.canary.share, production(parts)) == (0.1, 1)
    assert Pager.heard == [("sealed: Promoted", promoted.sentence)]
    assert "release 1 gets 10 %" in overview(parts).canary
    assert look(parts).taken == 0
    assert len(Pager.heard) == 1


@pytest.mark.parametrize("block", [None, "pager/nobody", "nothing/like-it", "not a name", "pager/dead", "secret/key"])
def test_an_alert_that_cannot_be_sent_is_a_log_line(
    block: str | None, prefect: SyncPrefectClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="sealed"):
        assert raise_alert(block, "sealed: RolledBack", "it fails") is False
    assert "sealed: RolledBack: it fails" in caplog.text
    assert ("was not sent" in caplog.text) == (block is not None)


def test_a_rollback_stands_where_prefect_is_down(
    parts: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from prefect.settings import PREFECT_API_URL

    begin_canary(parts.ledger)
    grade(parts, canary_failed=True, count=20)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        seen = look(parts)
        show(parts.settings.workspace, seen)
    assert seen.rollback is not None
    assert production(parts) == 0
    assert "is not in Prefect" in caplog.text
    assert "was not sent" in caplog.text


def test_a_kill_between_decision_and_rollback_is_made_good_by_the_next_look(
    parts: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_canary(parts.ledger)
    grade(parts, canary_failed=True, count=20)
    with monkeypatch.context() as patch:
        patch.setattr(review, "rollback", _killed)
        with pytest.raises(KeyboardInterrupt):
            decide(parts)
    assert production(parts) == 1
    assert decide(parts).rollback is not None
    assert production(parts) == 0
    assert [one.number for one in parts.ledger.canaries.decisions(1)] == [0, 1]


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("person", ["rolls back", "promotes"])
def test_a_person_who_decides_before_the_rollback_wins(
    person: str, parts: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person moves production after the watch's decision was written, and before its rollback."""
    begin_canary(parts.ledger)
    grade(parts, canary_failed=True, count=20)
    whole = Canaries.decide

    def overtaken(self: Canaries, *decided: Any, **values: Any) -> Any:
        made = whole(self, *decided, **values)
        ledger = Ledger(parts.ledger.database)
        ledger.rollback() if person == "rolls back" else ledger.release("birch")
        return made

    monkeypatch.setattr(Canaries, "decide", overtaken)
    seen = decide(parts)
    newest = parts.ledger.deployments.listed()[-1]
    assert newest.actor == ("grace" if person == "rolls back" else "ada")
    assert production(parts) == (0 if person == "rolls back" else 2)
    assert (seen.overtaken != "") == (person == "promotes")
    assert seen.rollback is None or seen.rollback.already


def test_a_promotion_between_history_and_write_is_never_rolled_back(parts: Workspace) -> None:
    begin_canary(parts.ledger)
    epoch = parts.ledger.deployments.listed()[-1].epoch
    Ledger(parts.ledger.database).release("birch")
    with pytest.raises(Overtaken, match="moved production to release 2"):
        review.rollback(parts, 0, actor=ACTOR, reason="it fails", epoch=epoch)
    assert production(parts) == 2


def test_a_rollback_that_is_not_possible_calls_somebody(
    parts: Workspace, prefect: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: Workspace, release: Release) -> None:
        raise CorruptAdapter(f"the adapter of release {release.number} is damaged.")

    begin_canary(parts.ledger)
    grade(parts, canary_failed=True, count=20)
    monkeypatch.setattr(Workspace, "verify_files", damaged)
    with pytest.raises(CorruptAdapter):
        look(parts)
    assert Pager.heard == [
        ("sealed: the canary cannot be judged or rolled back", "the adapter of release 0 is damaged.")
    ]


def test_an_approval_begins_the_canary_at_once(parts: Workspace) -> None:
    candidate = Ledger(parts.ledger.database).candidate("birch")
    review.approve(parts, candidate.number, actor="ada", note="good")
    begun = parts.ledger.canaries.current()
    assert begun is not None
    assert (begun.release, begun.stable, begun.share) == (2, 1, 0.01)


def test_the_release_that_answers_most_requests_is_never_let_go_of(parts: Workspace) -> None:
    """Three adapters before production are kept: a fourth canary in a row would be the end of the stable release."""
    ledger = Ledger(parts.ledger.database)
    for name in ("birch", "cedar", "dogwood"):
        review.approve(parts, ledger.candidate(name).number, actor="ada", note="good")
    standing = parts.ledger.canaries.current()
    assert standing is not None
    assert (standing.release, standing.stable) == (4, 1)
    candidate = ledger.candidate("elm")
    with pytest.raises(PolicyError, match="release 1 still answers most requests"):
        review.approve(parts, candidate.number, actor="ada", note="good")
    while (promoted := promote(parts, actor="ada", reason="no feedback these days")).share < 1.0:
        continue
    assert promoted.is_proven
    review.approve(parts, candidate.number, actor="ada", note="good")
    assert parts.ledger.canaries.current().stable == 4  # type: ignore[union-attr]


def test_a_rollback_without_a_target_passes_over_releases_that_were_never_proven(parts: Workspace) -> None:
    begin_canary(parts.ledger)
    Ledger(parts.ledger.database).release("birch")
    begin_canary(parts.ledger)
    assert review.rollback(parts, None, actor="grace", reason="it fails").deployment.release == 0
    with pytest.raises(PolicyError, match="nothing to roll back"):
        review.rollback(parts, None, actor="grace", reason="it fails")


def test_a_person_gives_the_canary_the_next_share_with_a_name_and_a_reason(parts: Workspace) -> None:
    with pytest.raises(PolicyError, match="no canary"):
        promote(parts, actor="ada", reason="it is fine")
    begin_canary(parts.ledger)
    with pytest.raises(PolicyError, match="a name and a reason"):
        promote(parts, actor="ada", reason=" ")
    promoted = promote(parts, actor="ada", reason="it is fine")
    assert (promoted.share, promoted.actor, promoted.state.step) == (0.1, "ada", 1)
    assert "as ada decided: it is fine" in promoted.sentence
    place = ["--workspace", str(parts.settings.workspace), "--as", "ada", "--reason", "go"]
    assert "gets 50 %" in CliRunner().invoke(app, ["promote", *place]).output
    promote(parts, actor="ada", reason="go")
    with pytest.raises(PolicyError, match="has all requests already"):
        promote(parts, actor="ada", reason="go")
    grade(parts, canary_failed=True, count=20)
    assert decide(parts).rollback is not None


def test_the_account_that_gave_the_next_share_is_recorded_and_its_name_is_unproven(parts: Workspace) -> None:
    begin_canary(parts.ledger)
    promoted = promote(parts, actor="ada", reason="it is fine")
    assert (promoted.account, promoted.identity) == (running_account(), Identity.UNPROVEN)


def test_in_a_team_nobody_gives_a_canary_more_under_a_name_that_they_typed(parts: Workspace) -> None:
    begun = begin_canary(parts.ledger)
    team = replace(parts, settings=parts.settings.model_copy(update={"review": "team"}))
    with pytest.raises(PolicyError, match="ada is a name that nobody proved"):
        promote(team, actor="ada", reason="it is fine")
    assert parts.ledger.canaries.current() == begun


class Served:
    """Answers for the stable release, and only it: the canary was broken on its way to the server."""

    def __init__(self, failing: bool = False) -> None:
        self.asked, self.failing = 0, failing

    def generate(self, prompts: Sequence[str], params: object, *, adapter: Path | None) -> list[tuple[str, ...]]:
        if self.failing:
            raise EngineFailed("the server does not answer.")
        self.asked += len(prompts)
        return [("Heron" if adapter is None else "and and and",) for _ in prompts]


def with_items(parts: Workspace, count: int) -> None:
    folder = parts.settings.suites / "retention"
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"question": f"Who owns S{at}?", "answers": ["Heron"]}) for at in range(count))
    (folder / "owners.jsonl").write_text("\n".join(lines), encoding="utf-8")


def test_a_canary_that_is_served_broken_is_found_by_eval_items_alone(
    parts: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served()
    monkeypatch.setattr(Workspace, "writer", served)
    monkeypatch.setattr(Workspace, "held_adapter", lambda _, release: Path("adapter") if release.number else None)
    with_items(parts, 30)
    begin_canary(parts.ledger)
    assert decide(parts, items=4).canary.action is CanaryAction.GO_ON  # type: ignore[union-attr]
    assert served.asked == 8
    seen = decide(parts, items=20)
    assert (seen.rollback is not None, production(parts)) == (True, 0)
    assert served.asked == 48


def test_a_server_that_does_not_answer_stops_no_judgement(
    parts: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Workspace, "writer", Served(failing=True))
    monkeypatch.setattr(Workspace, "held_adapter", lambda *_: None)
    with_items(parts, 5)
    begin_canary(parts.ledger)
    grade(parts, canary_failed=False, count=7)
    seen = decide(parts, items=5)
    assert (seen.taken, seen.rollback) == (7, None)
    assert "could not be asked" in caplog.text


def test_a_mistake_in_the_recipe_stops_no_rollback(parts: Workspace) -> None:
    begin_canary(parts.ledger)
    grade(parts, canary_failed=True, count=20)
    parts.settings.recipe_file.write_text("nonsense =", encoding="utf-8")
    assert decide(parts).rollback is not None


def test_a_rollback_that_is_due_waits_for_no_eval_item(parts: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served()
    monkeypatch.setattr(Workspace, "writer", served)
    with_items(parts, 5)
    begin_canary(parts.ledger)
    grade(parts, canary_failed=True, count=20)
    assert decide(parts, items=5).rollback is not None
    assert served.asked == 0


def test_canaries_switched_on_late_leave_a_release_its_requests(parts: Workspace) -> None:
    """Release 1 was approved before there were canaries: the recipe has them now, and the watch looks."""
    assert look(parts, items=5).sentence == "no canary: all requests go to production."
    assert (parts.ledger.canaries.current(), production(parts), overview(parts).canary) == (None, 1, "")
    answering = parts.ledger.canaries.answering()
    assert (answering.stable.number, answering.canary) == (1, None)


def test_the_command_line_looks_once_and_says_what_it_saw(
    parts: Workspace, prefect: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (*QUIET, ("PREFECT_HOME", str(parts.settings.workspace / "prefect"))):
        monkeypatch.setenv(name, value)  # as the command sets them, for this test alone
    begin_canary(parts.ledger)
    grade(parts, canary_failed=False, count=5)
    place = ["--workspace", str(parts.settings.workspace)]
    said = CliRunner().invoke(app, ["watch", "--once", *place])
    assert said.exit_code == 0, said.output
    assert "release 1, before it 0: canary at 1 %" in said.output
    told = json.loads(CliRunner().invoke(app, ["watch", "--once", "--json", *place]).output)
    assert (told["canary"]["release"], told["taken"]) == (1, 0)
