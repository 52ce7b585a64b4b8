"""Review through a real MLflow server with our guard and MLflow's sign-in: what is adopted, and each refusal."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flows.services import adoption, review
from pipeline.types import Release, ReleaseState, ReviewDecision, ReviewKind
from registry.mlflow.client import read
from tests.review_server import ADMIN, PASSWORD, Answer, ReviewServer, command, environment, free_port, review_server
from tests.review_workspace import ReviewedWorkspace

NAMES = (f"document {number}" for number in count())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("review")


@pytest.fixture(scope="module")
def reviewed(folder: Path, tiny_model: Callable[..., Path]) -> ReviewedWorkspace:
    port = free_port()
    return ReviewedWorkspace(folder / "workspace", tiny_model("llama"), f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def server(folder: Path, reviewed: ReviewedWorkspace) -> Iterator[ReviewServer]:
    """The server, in whose environment this process is the trainer."""
    port = int(reviewed.workspace.settings.tracking_uri.rpartition(":")[2])
    with (
        review_server(folder, port, SEALED_WORKSPACE=str(reviewed.folder)) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MLFLOW_TRACKING_USERNAME", "trainer")
        patch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        yield running


def test_the_page_does_not_open_the_assistant_that_is_off(server: ReviewServer) -> None:
    page = server.ask("ada", "GET", "/", None)
    assert page.status == 200
    assert "<head><script>localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')" in page.body


@pytest.fixture
def waiting(reviewed: ReviewedWorkspace, server: ReviewServer) -> Release:
    """A release that waits for review, proposed by the trainer: the one of an earlier test, or a new one."""
    known = [one for one in reviewed.ledger.releases.listed() if one.state is ReleaseState.CANDIDATE]
    return known[-1] if known else reviewed.candidate(next(NAMES))


def released(reviewed: ReviewedWorkspace) -> Release:
    """A release that is approved in a shell: the one that waits, or a new one."""
    waits = [one for one in reviewed.ledger.releases.listed() if one.state is ReleaseState.CANDIDATE]
    release = waits[-1] if waits else reviewed.candidate(next(NAMES))
    review.approve(reviewed.workspace, release.number, actor="grace", note="seen")
    return reviewed.ledger.releases.production()


def version(release: Release) -> str:
    assert release.mlflow_version
    return release.mlflow_version


def decisions(reviewed: ReviewedWorkspace) -> int:
    listed = reviewed.ledger.review_decisions
    return len(listed.waiting(reviewed.workspace.keys)) + len(listed.concluded())


def refused(answer: Answer, words: str) -> None:
    assert (answer.status, answer.body["error_code"]) == (403, "PERMISSION_DENIED")
    assert words in answer.sentence


def test_the_trainer_registers_and_the_pages_say_what_waits(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    shown = read(reviewed.workspace.tracking)
    assert shown.version_of("candidate") == version(waiting)
    assert f"Release {waiting.number} waits for review" in shown.description
    assert server.tags(version(waiting))["release.state"] == "candidate"
    assert reviewed.workspace.reconcile().repaired == ()


@pytest.mark.parametrize("spelling", ["{}", " {}", "0{}", "+{}", "{} ", "fullwidth"])
def test_the_proposer_cannot_approve_in_any_spelling_of_the_version(
    reviewed: ReviewedWorkspace, server: ReviewServer, spelling: str
) -> None:
    waits = [one for one in reviewed.ledger.releases.listed() if one.state is ReleaseState.CANDIDATE]
    mine = waits[-1] if waits else reviewed.candidate(next(NAMES))
    if mine.proposer != "ada":
        review.reject(reviewed.workspace, mine.number, actor="grace", reason="makes room")
        mine = reviewed.candidate(next(NAMES), proposer="ada")
    wide = version(mine).translate({ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)})
    before = decisions(reviewed)
    named = wide if spelling == "fullwidth" else spelling.format(version(mine))
    refused(server.tag("ada", named, "approved"), f"may not approve release {mine.number}: ada proposed it")
    assert decisions(reviewed) == before
    assert "review.ada" not in server.tags(version(mine))


def test_a_release_is_rejected_by_its_reviewer_in_another_spelling(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    assert server.tag("grace", f" 0{version(waiting)}", "rejected: too little learned").status == 200
    (outcome,) = adoption.reconcile(reviewed.workspace).outcomes
    assert (outcome.adopted, outcome.sentence) == (True, f"release {waiting.number} is rejected.")
    now = reviewed.ledger.releases.get(waiting.number)
    assert (now.state, now.reason) == (ReleaseState.REJECTED, "rejected by grace: too little learned")
    tags = server.tags(version(waiting))
    assert tags["review.grace"] == "rejected: too little learned"
    assert tags["review.outcome"] == f"adopted, rejection by grace: release {waiting.number} is rejected."
    assert "No release waits for review." in read(reviewed.workspace.tracking).description


@pytest.mark.parametrize("who", ["trainer", "linus", "visitor", ADMIN])
def test_nobody_but_a_reviewer_approves(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release, who: str
) -> None:
    before = decisions(reviewed)
    answer = server.tag(who, version(waiting), "approved")
    refused(answer, f"{who} may not")
    assert decisions(reviewed) == before


def test_nobody_reviews_under_another_reviewers_name(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    refused(server.tag("ada", version(waiting), "approved", key="review.grace"), "reviewers set only their own")
    assert "review.grace" not in server.tags(version(waiting))


def test_an_anonymous_request_changes_nothing(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    before = decisions(reviewed)
    answer = server.tag(None, version(waiting), "approved", key="review.ada")
    assert answer.status == 401
    assert "You are not authenticated" in answer.sentence
    assert decisions(reviewed) == before


@pytest.mark.parametrize(
    ("who", "prefix"),
    [
        ("trainer", "/api/2.0/mlflow"),
        ("ada", "/ajax-api/2.0/mlflow"),
        ("visitor", "/api/2.0/mlflow"),
        (ADMIN, "/ajax-api/2.0/mlflow"),
    ],
)
def test_no_shortcut_is_open(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release, who: str, prefix: str
) -> None:
    named = {"name": "sealed", "version": version(waiting)}
    before = read(reviewed.workspace.tracking)
    shortcuts: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("POST", "registered-models/alias", named | {"alias": "production"}),
        ("DELETE", "registered-models/alias", {"name": "sealed", "alias": "candidate"}),
        ("POST", "model-versions/transition-stage", named | {"stage": "Production"}),
        ("POST", "model-versions/set-tag", named | {"key": "release.state", "value": "production"}),
        ("DELETE", "model-versions/delete-tag", named | {"key": "release.state"}),
        ("PATCH", "model-versions/update", named | {"description": "fine"}),
        ("DELETE", "model-versions/delete", named),
        ("PATCH", "registered-models/update", {"name": "sealed", "description": "fine"}),
        ("POST", "registered-models/rename", {"name": "sealed", "new_name": "other"}),
        ("POST", "registered-models/set-tag", {"name": "sealed", "key": "sealed.epoch", "value": "99"}),
        ("DELETE", "registered-models/delete-tag", {"name": "sealed", "key": "sealed.epoch"}),
        ("DELETE", "registered-models/delete", {"name": "sealed"}),
        ("POST", "model-versions/create", {"name": "sealed", "source": "models:/m-1"}),
    )
    for method, path, body in shortcuts:
        refused(server.ask(who, method, f"{prefix}/{path}", body), f"{who} may not")
    assert read(reviewed.workspace.tracking) == before


def test_without_the_ledger_nothing_is_written_and_the_answer_says_so(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    before = decisions(reviewed)
    lock = sqlite3.connect(reviewed.folder / "ledger.db")
    lock.execute("BEGIN EXCLUSIVE")
    try:
        answer = server.tag("ada", version(waiting), "approved")
    finally:
        lock.rollback()
        lock.close()
    assert answer.status == 503
    assert "the ledger does not answer, so nothing was decided and nothing was changed" in answer.sentence
    assert "review.ada" not in server.tags(version(waiting))
    assert decisions(reviewed) == before


@pytest.mark.parametrize(
    ("harm", "mend"),
    [
        (
            "CREATE TRIGGER harm BEFORE INSERT ON review_decisions BEGIN SELECT RAISE(ABORT, 'no'); END",
            "DROP TRIGGER harm",
        ),
        ("ALTER TABLE review_outcomes RENAME TO gone", "ALTER TABLE gone RENAME TO review_outcomes"),
    ],
    ids=["a row is refused", "a table is gone"],
)
def test_a_ledger_that_answers_with_an_error_is_told_as_one_that_does_not_answer(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release, harm: str, mend: str
) -> None:
    before = decisions(reviewed)
    lock = sqlite3.connect(reviewed.folder / "ledger.db")
    lock.executescript(harm)
    try:
        answer = server.tag("ada", version(waiting), "approved")
    finally:
        lock.executescript(mend)
        lock.close()
    assert answer.status == 503
    assert "nothing was decided and nothing was changed" in answer.sentence
    assert "review.ada" not in server.tags(version(waiting))
    assert decisions(reviewed) == before


def test_the_trainer_makes_no_prompt_of_the_model_and_registers_none(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    for name, path, more in (
        ("sealed", "registered-models/create", {}),
        ("other", "registered-models/create", {}),
        ("sealed", "model-versions/create", {"source": "file:///etc"}),
    ):
        body = {"name": name, "tags": prompt, **more}
        refused(server.ask("trainer", "POST", path, body), "trainer may not")


def test_an_approval_is_of_no_use_once_a_byte_of_the_adapter_changed(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    assert server.tag("ada", version(waiting), "approved").status == 200
    weights = reviewed.weights(waiting)
    good = weights.read_bytes()
    weights.write_bytes(bytes([*good[:-1], good[-1] ^ 1]))
    (outcome,) = adoption.reconcile(reviewed.workspace).outcomes
    assert not outcome.adopted
    said = server.tags(version(waiting))["review.outcome"]
    assert said.startswith("refused, approval by ada: ")
    assert "adapter" in said
    weights.write_bytes(good)
    assert adoption.reconcile(reviewed.workspace).outcomes == ()
    assert reviewed.ledger.releases.get(waiting.number).state is ReleaseState.CANDIDATE


def test_an_approval_that_somebody_puts_into_the_database_is_refused_where_the_reviewer_sees_it(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    waits = ReviewDecision(
        who="ada",
        kind=ReviewKind.APPROVE,
        version=version(waiting),
        release=waiting.number,
        manifest=waiting.manifest,
        epoch=reviewed.ledger.deployments.listed()[-1].epoch,
        text="approved",
        at=datetime.now(UTC),
    )
    before = reviewed.ledger.deployments.listed()
    reviewed.ledger.review_decisions.record(waits, Ed25519PrivateKey.generate())
    (outcome,) = adoption.reconcile(reviewed.workspace).outcomes
    assert not outcome.adopted
    assert reviewed.ledger.deployments.listed() == before
    said = server.tags(version(waiting))["review.outcome"]
    assert said.startswith("refused, approval by ada: nobody proved that ada decided so: ")


def test_an_approval_makes_the_release_production_and_on_call_rolls_it_back(
    reviewed: ReviewedWorkspace, server: ReviewServer, waiting: Release
) -> None:
    assert server.tag("ada", version(waiting), "approved").status == 200
    listed = reviewed.ledger.review_decisions
    assert server.tag("ada", version(waiting), "approved").status == 200  # the page was slow, and they clicked again
    ((decision, forged),) = [(one.decision, one.forged) for one in listed.waiting(reviewed.workspace.keys)]
    assert forged is None
    assert (decision.who, decision.kind, decision.manifest) == ("ada", ReviewKind.APPROVE, waiting.manifest)
    (outcome,) = adoption.reconcile(reviewed.workspace).outcomes
    assert outcome.adopted
    assert reviewed.ledger.releases.production().number == waiting.number
    assert [one.actor for one in reviewed.ledger.releases.approvals(waiting.number)] == ["ada"]
    assert read(reviewed.workspace.tracking).version_of("production") == version(waiting)
    refused(server.tag("grace", version(waiting), "rejected: too late"), "production, and does not wait for review")

    newer = reviewed.candidate(next(NAMES))
    assert server.tag("grace", version(newer), "approved").status == 200
    assert adoption.reconcile(reviewed.workspace).outcomes[0].adopted
    back = {"name": "sealed", "alias": "production", "version": version(waiting)}
    refused(server.ask("trainer", "POST", "registered-models/alias", back), "trainer may not set an alias")
    assert server.ask("linus", "POST", "registered-models/alias", back).status == 200
    (rolled,) = adoption.reconcile(reviewed.workspace).outcomes
    assert (rolled.adopted, rolled.sentence) == (True, f"release {waiting.number} is production again.")
    newest = reviewed.ledger.deployments.listed()[-1]
    assert (newest.release, newest.actor) == (waiting.number, "linus")
    assert newest.reason == f"moved the MLflow alias production to version {version(waiting)}"
    assert server.tags(version(newer))["release.state"] == "rolled_back"


def test_a_rollback_that_comes_too_late_is_refused_and_the_alias_is_put_back(
    reviewed: ReviewedWorkspace, server: ReviewServer
) -> None:
    production = reviewed.ledger.releases.production()
    while production.mlflow_version is None or production.parent == 0:
        production = released(reviewed)
    earlier = reviewed.ledger.releases.get(production.parent or 0)
    back = {"name": "sealed", "alias": "production", "version": version(earlier)}
    assert server.ask("linus", "POST", "registered-models/alias", back).status == 200
    newest = released(reviewed)
    (outcome,) = adoption.reconcile(reviewed.workspace).outcomes
    assert not outcome.adopted
    assert "since linus decided: look at it and decide again" in outcome.sentence
    assert reviewed.ledger.releases.production().number == newest.number
    assert read(reviewed.workspace.tracking).version_of("production") == version(newest)


def test_a_server_without_a_ledger_does_not_start(tmp_path: Path) -> None:
    env = environment(tmp_path, SEALED_WORKSPACE="", SEALED_DATABASE_URL="")
    done = subprocess.run(
        command(tmp_path, free_port()), env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert "this server has no ledger: set SEALED_WORKSPACE or SEALED_DATABASE_URL" in done.stdout + done.stderr
