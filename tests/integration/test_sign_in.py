"""A name counts in a team once MLflow's own sign-in proves it: against a real server, and against false ones."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.run_context import RunContext
from flows.services.proposal import proposer_of
from flows.steps.ingestion import open_nightly_run
from flows.wiring import Workspace
from pipeline.config import Settings
from pipeline.errors import PolicyError, TrackingFailed
from pipeline.recipe import Recipe
from pipeline.types import Actor, Identity
from registry.sign_in import sign_in
from tests.ledgers import Ledger
from tests.sign_in_servers import ADMIN, ADMIN_PASSWORD, answering, mlflow_with_sign_in

USERS = {"ada": "ada's long password", "grace": "grace's long password", "colon": "a password:with a colon"}


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_with_sign_in(tmp_path_factory.mktemp("sign-in"), USERS) as address:
        yield address


def test_the_right_password_proves_the_name(mlflow: str) -> None:
    proven = sign_in(mlflow, "ada", USERS["ada"], account="alice")
    assert proven == Actor(name="ada", account="alice", identity=Identity.SIGNED_IN)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("ada", ""),
        ("ada", USERS["grace"]),
        ("ada", ADMIN_PASSWORD),
        ("nobody", USERS["ada"]),
        ("ADA", USERS["ada"]),
        (" ada", USERS["ada"]),
    ],
)
def test_a_wrong_password_proves_nothing(mlflow: str, name: str, password: str) -> None:
    with pytest.raises(PolicyError, match=r"did not let .* in: name or password is wrong. Nothing was decided"):
        sign_in(mlflow, name, password)


def test_a_name_with_a_colon_is_not_the_name_before_it(mlflow: str) -> None:
    """Basic authentication parts name and password at the first colon: here it is `colon` whom MLflow lets in."""
    assert sign_in(mlflow, "colon", USERS["colon"]).name == "colon"
    with pytest.raises(PolicyError, match="answered for colon, not for colon:a password"):
        sign_in(mlflow, "colon:a password", "with a colon")


def test_the_address_s_own_user_lends_its_name_to_nobody(mlflow: str) -> None:
    runs = mlflow.replace("http://", f"http://{ADMIN}:{ADMIN_PASSWORD.replace(' ', '%20')}@")
    assert sign_in(runs, "grace", USERS["grace"]).name == "grace"
    with pytest.raises(PolicyError, match="name or password is wrong"):
        sign_in(runs, "grace", "wrong")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"", "has no sign-in"),
        (200, b"<html>", "answered for nobody"),
        (200, b'{"user": {"username": "ada2"}}', "answered for ada2, not for ada"),
        (200, b"[]", "answered for nobody"),
        (200, b'{"user": "ada"}', "answered for nobody"),
        (302, b"", "has no sign-in"),
        (500, b"", "has no sign-in"),
    ],
)
def test_a_server_that_does_not_answer_for_that_very_person_proves_nothing(
    status: int, body: bytes, words: str
) -> None:
    with answering(status, body) as address, pytest.raises(PolicyError, match=words):
        sign_in(address, "ada", "any")


def test_a_server_that_is_down_is_no_proof_and_the_password_is_in_no_error() -> None:
    with pytest.raises(TrackingFailed, match="does not answer") as failed:
        sign_in("http://127.0.0.1:9", "ada", "hunter2hunter2")
    assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize("uri", ["sqlite:////tmp/mlflow.db", "postgresql://mlflow@db/mlflow"])
def test_a_store_without_a_server_proves_no_name(uri: str) -> None:
    with pytest.raises(PolicyError, match="Set tracking_uri to the server's http address"):
        sign_in(uri, "ada", "any")


@pytest.fixture
def nobody_signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "SEALED_PROPOSER"):
        monkeypatch.delenv(name, raising=False)


def settings(folder: Path, address: str, review: str = "team") -> Settings:
    named = dict.fromkeys(("model", "base_model", "base_tokenizer", "base_chat_template"), "x")
    return Settings.at(folder, {**named, "review": review, "tracking_uri": address})


def works_as(patch: pytest.MonkeyPatch, name: str, password: str) -> None:
    """From now on this process is a run that signs in so."""
    patch.setenv("MLFLOW_TRACKING_USERNAME", name)
    patch.setenv("MLFLOW_TRACKING_PASSWORD", password)


@pytest.mark.usefixtures("nobody_signed_in")
def test_a_teams_proposer_is_the_account_that_its_run_signs_in_with(
    tmp_path: Path, mlflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    works_as(monkeypatch, "grace", USERS["grace"])
    assert proposer_of(settings(tmp_path, mlflow), None) == "grace"
    assert proposer_of(settings(tmp_path, mlflow), "grace") == "grace"


@pytest.mark.usefixtures("nobody_signed_in")
@pytest.mark.parametrize("typed", ["--proposer", "SEALED_PROPOSER"])
def test_a_reviewer_who_runs_the_update_proposes_under_no_other_name(
    tmp_path: Path, mlflow: str, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    works_as(monkeypatch, "ada", USERS["ada"])
    if typed == "SEALED_PROPOSER":
        monkeypatch.setenv(typed, "bob")
    with pytest.raises(PolicyError, match="bob is a name that nobody proved: in a team this run is proposed by ada"):
        proposer_of(settings(tmp_path, mlflow), "bob" if typed == "--proposer" else None)


@pytest.mark.usefixtures("nobody_signed_in")
def test_a_wrong_password_or_none_makes_nobody_a_proposer(
    tmp_path: Path, mlflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PolicyError, match="Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        proposer_of(settings(tmp_path, mlflow), "bob")
    works_as(monkeypatch, "grace", USERS["ada"])
    with pytest.raises(PolicyError, match="name or password is wrong"):
        proposer_of(settings(tmp_path, mlflow), None)
    with pytest.raises(TrackingFailed, match="nobody can sign in"):
        proposer_of(settings(tmp_path, "http://127.0.0.1:9"), None)


@pytest.mark.usefixtures("nobody_signed_in")
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_teams_run_with_a_typed_proposer_is_not_begun(tmp_path: Path, ledger: Ledger) -> None:
    workspace = Workspace(settings(tmp_path, "http://127.0.0.1:9"), ledger)
    with ledger.session() as session, pytest.raises(PolicyError, match="a team's run is proposed by the account"):
        open_nightly_run(RunContext(workspace, session, Recipe()), "bob")
    assert ledger.runs.listed() == ()
