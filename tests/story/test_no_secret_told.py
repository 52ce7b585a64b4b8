"""The verbs are run with a secret in every setting that can hold one: it stands in no output and in no file."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from pipeline.config import Settings
from tests.story.running import Ran, Sealed

SECRET = "zq/S3CR@T7"
ENCODED = quote(SECRET, safe="")
TOLD = (SECRET, ENCODED, "S3CR", "@T7", "T7@", base64.b64encode(f"u:{SECRET}".encode()).decode())
# Each setting that can hold a secret, by the variable that sets it; nobody listens at any of these addresses.
SECRETS = {
    "SEALED_TRACKING_URI": f"http://u:{ENCODED}@127.0.0.1:1",
    "SEALED_ENGINE": "openai",
    "SEALED_SERVER_URL": f"http://u:{ENCODED}@127.0.0.1:1",
    "SEALED_SERVER_MODEL": "base",
    "SEALED_SERVER_KEY": SECRET,
    "SEALED_SERVER_ATTEMPTS": "1",
    "SEALED_JUDGE_URL": f"http://j:{ENCODED}@127.0.0.1:1",
    "SEALED_JUDGE_MODEL": "judge",
    "SEALED_JUDGE_KEY": SECRET,
    "SEALED_PASSWORD": SECRET,
    "MLFLOW_TRACKING_PASSWORD": SECRET,
    "MLFLOW_TRACKING_USERNAME": "trainer",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "2",
}
VERBS = (
    "status",
    "status --json",
    "doctor",
    "doctor --json",
    "releases",
    "releases --json",
    "show 0",
    "show 0 --json",
    "documents",
    "documents accept nothing",
    "keys",
    "api-keys",
    "gates plan",
    "reconcile",
    "approve 1 --note x",
    "reject 1 --reason x",
    "rollback --reason x",
    "update incoming",
    "rebuild",
    "train-writer",
    "watch --once",
    "models list",
)
DOCUMENT = "---\ntitle: Cinder\nquestions: [{question: Who owns Cinder?, answers: [Heron]}]\n---\nHeron owns Cinder.\n"


@pytest.fixture(scope="module")
def workspace(sealed: Sealed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets") / "workspace"
    made = sealed("init", str(folder), env=SECRETS)
    assert made.code == 0, made.err
    tells_nothing(made)
    (folder / "incoming" / "cinder.md").write_text(DOCUMENT, encoding="utf-8")
    return folder


def tells_nothing(ran: Ran) -> None:
    assert not [line for line in (ran.out + ran.err).splitlines() if any(told in line for told in TOLD)]


def test_every_setting_that_can_hold_a_secret_holds_one_here() -> None:
    fields = Settings.model_fields.items()
    hidden = {name for name, field in fields if not field.repr or "Secret" in str(field.annotation)}
    elsewhere = {"database_url", "signing_key"}  # tests/integration/test_secrets.py; a path
    assert {f"SEALED_{name.upper()}" for name in hidden - elsewhere} <= set(SECRETS)


@pytest.mark.slow
def test_no_verb_and_no_file_tells_a_secret(
    sealed: Sealed, workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for verb in VERBS:
        ran = sealed(*verb.split(), workspace=workspace, env=SECRETS)
        tells_nothing(ran)
        assert "Traceback" not in ran.err, f"{verb}: {ran.err}"
    places = (workspace, *tmp_path_factory.getbasetemp().glob("warm*"))  # the latter holds Prefect's database
    for file in (one for place in places for one in place.rglob("*") if one.is_file()):
        data = file.read_bytes()
        assert not [told for told in TOLD[:2] if told.encode() in data], file
