"""No secret stands in what a person, a log or a scheduler's database gets to see, by real errors of real libraries.

Each case fails in a process of its own that logs everything. It prints the error as a scheduler stores it: its words,
and those of all that it chains.
"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from flows.services.initialisation import init_workspace

SECRET = "zq/S3CR@T7"
ENCODED = quote(SECRET, safe="")
TOLD = ("S3CR", "@T7", "T7@", "'T7'")

DATABASES = [
    f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/s",
    f"postgresql+psycopg://u:{ENCODED}@127.0.0.1:1/s",
    f"postgresql+psycopg://127.0.0.1:1/s?user=u&password={SECRET}",
    f"postgresql+psycopg://127.0.0.1:1/s?user=u&pass%77ord={ENCODED}",
    f"postgresql+psycopg://u@127.0.0.1:1/s?sslpassword={ENCODED}&connect_timeout={ENCODED}",
    f"postgresql+psycopg://u@127.0.0.1:1/s?token={ENCODED}",
    f"postgresql+psycopg://u:{ENCODED}@127.0.0.1:{ENCODED}/s",
    f"nosuchdriver://u:{ENCODED}@127.0.0.1/s",
    f"host=127.0.0.1 port=1 password={SECRET}",
    f"sqlite:////nowhere/ledger.db?password={ENCODED}",
    SECRET,
]
TRACKINGS = [
    *DATABASES[1:6],
    f"postgresql://u:{ENCODED}@127.0.0.1:1/s",
    f"http://u:{ENCODED}@127.0.0.1:1",
    f"http://{ENCODED}@127.0.0.1:1",
    f"http://127.0.0.1:1/?token={ENCODED}",
    f"nosuchdriver://u:{ENCODED}@127.0.0.1/s",
]
SERVERS = [
    (f"http://u:{ENCODED}@127.0.0.1:1", None),
    (f"http://u:{SECRET}@127.0.0.1:1", None),
    (f"http://u:{ENCODED}@127.0.0.1:{ENCODED}", None),
    (f"http://{ENCODED}@127.0.0.1:1", None),
    (f"http://127.0.0.1:1/v1?api_key={ENCODED}", None),
    (f"http://u:{ENCODED}@\x00", None),
    (f"{SECRET}://u", None),
    ("http://127.0.0.1:1", SECRET),
    ("http://127.0.0.1:1", f"{SECRET}\n"),
    ("http://127.0.0.1:1", f"zq\n{SECRET}"),
    ("http://127.0.0.1:1", f"{SECRET}é"),
]

FAILING = """
import json, logging, os, sys, traceback
from pathlib import Path
from pipeline.errors import SealedError

logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)

def told(error):
    # Without the lines of source, which name what is called and no value.
    one = traceback.TracebackException.from_exception(error)
    for each in (one, *chained(one)):
        each.stack.clear()
    return "".join(one.format())

def chained(one):
    for each in (one.__cause__, None if one.__suppress_context__ else one.__context__):
        if each is not None:
            yield each
            yield from chained(each)

def database(url):
    from registry import open_ledger
    open_ledger(url)

def made(url):
    from registry import create_ledger
    create_ledger(url)

def tracking(url):
    from registry.mlflow.client import read
    from registry import Tracking
    from mlflow.store.db import utils
    utils.MAX_RETRY_COUNT = 2
    read(Tracking(uri=url))

def server(asked):
    from pipeline.engines.http_calls import Server, calls
    with calls(Server(url=asked[0], key=asked[1], attempts=1)) as job:
        print(job.server)
        job.json("/v1/models")

def settings(given):
    from pipeline.config import Settings
    names = ("model", "base_model", "base_tokenizer", "base_chat_template")
    print(Settings.at(Path.cwd(), dict.fromkeys(names, "x") | given))
    raise SealedError("these settings can be used")

def scheduler(url):
    from flows.services import scheduler
    scheduler.scheduler_address = lambda: url  # no variable of the environment can hold a zero byte
    scheduler.reach_scheduler()

for place, case in json.load(sys.stdin):
    try:
        globals()[place](case)
        print("NO ERROR", place)
    except SealedError as error:
        print("ERROR", place, told(error))
"""


def run(code: str, asked: object, **env: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(asked),
        env={**os.environ, **env},
        text=True,
        check=False,
        capture_output=True,
        timeout=400,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


CASES = {
    "ledger": [(place, url) for url in DATABASES for place in ("database", "made")],
    "mlflow": [("tracking", url) for url in TRACKINGS],
    "server": [("server", pair) for pair in SERVERS],
    "settings": [
        *(("settings", {"server_url": url, "server_key": key}) for url, key in SERVERS),
        *(("settings", {"database_url": url, "engine": "none"}) for url in DATABASES),
        *(("settings", {"tracking_uri": url, "server_concurrency": SECRET}) for url in DATABASES + TRACKINGS),
    ],
    "scheduler": [("scheduler", url) for url, key in SERVERS if key is None],
}


@pytest.mark.parametrize("place", CASES)
def test_no_error_and_no_log_tells_a_secret(place: str, tmp_path: Path) -> None:
    patience = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "2"}
    output = run(FAILING, CASES[place], **patience, PYTHONPATH=os.getcwd())
    assert output.count("ERROR ") == len(CASES[place])
    assert "NO ERROR" not in output
    assert not [line for line in output.splitlines() if any(told in line for told in TOLD)]


def test_a_new_workspace_is_described_without_its_secrets(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    code = "import json, sys; from flows.cli.app import main; sys.argv = ['sealed', *json.load(sys.stdin)]; main()"
    words = ["init", str(tmp_path / "workspace"), "--model", str(tiny_model("llama")), "--json"]
    env = {
        "SEALED_SERVER_URL": f"http://u:{ENCODED}@127.0.0.1:1",
        "SEALED_SERVER_KEY": f"{ENCODED}\n",
        "SEALED_TRACKING_URI": f"postgresql+psycopg://127.0.0.1:1/s?user=u&password={ENCODED}",
    }
    output = run(code, words, **env)
    assert '"server_url": "http://u:***@127.0.0.1:1"' in output
    assert '"tracking_uri": "postgresql+psycopg://127.0.0.1:1/s?user=u&password=***"' in output
    assert not any(told in output for told in TOLD)


FLOW = """
import sys, json
from pathlib import Path
from flows.review import rollback
from pipeline.errors import DatabaseFailed
try:
    rollback(Path(json.load(sys.stdin)), actor="ada", reason="it answers badly")
except DatabaseFailed:
    print("it failed as it should")
"""


def pickled(secret: str) -> list[str]:
    """What the middle of `secret` looks like in base64, as results are stored, wherever a group of three begins."""
    return [base64.b64encode(secret.encode()[start : start + 6]).decode() for start in range(3)]


def test_a_failed_run_leaves_no_secret_in_the_schedulers_database(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada").ledger.close()
    home = tmp_path / "prefect"
    env = {
        "PREFECT_HOME": str(home),
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # The driver's own error tells the value that it cannot read.
        "SEALED_DATABASE_URL": f"postgresql+psycopg://127.0.0.1:1/s?password={ENCODED}&connect_timeout={ENCODED}",
    }
    output = run(FLOW, str(tmp_path / "workspace"), **env)
    assert "it failed as it should" in output
    stored = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert b"DatabaseFailed: the ledger at" in stored
    assert b"Traceback" in stored
    for told in (*TOLD, *pickled(SECRET), *pickled(ENCODED)):
        assert told.encode() not in stored
        assert told not in output
