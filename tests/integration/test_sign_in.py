"""A name counts in a team once MLflow's own sign-in proves it: against a real server, and against false ones."""

from collections.abc import Iterator

import pytest

from pipeline.errors import PolicyError, TrackingFailed
from pipeline.types import Actor, Identity
from registry.sign_in import sign_in
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
