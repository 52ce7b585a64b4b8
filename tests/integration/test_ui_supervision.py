"""Processes are started, waited for, watched and ended together, with real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from flows.services.ui.accounts import accounts_of
from flows.services.ui.addresses import LOCK, join_scheduler, running
from flows.services.ui.ports import HOST, Ports, free_ports
from flows.services.ui.processes import MARK, Process
from flows.services.ui.supervision import Stopped, Supervisor, marked
from pipeline.errors import ProcessFailed

SLEEPING = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
# Starts another process, in a session of its own, and ends without a word about it.
LEAVING = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPING!r}], start_new_session=True)"
HOLDING = "import sys, time; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire(); "
HOLDING += "print('held', flush=True); time.sleep(600)"


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor(mark=f"@{uuid4()}", secrets=("hush-hush",))


def process(
    supervisor: Supervisor, folder: Path, code: str, *words: str, ready: str = "", name: str = "one"
) -> Process:
    return Process(
        name=name,
        command=(sys.executable, "-c", code),
        environment={**os.environ, MARK: f"{name}{supervisor.mark}"},
        log=folder / f"{name}.log",
        ready=ready,
        grace=1.0,
    )


def http(port: int) -> str:
    server = f"HTTPServer(('{HOST}', {port}), SimpleHTTPRequestHandler)"
    return f"from http.server import HTTPServer, SimpleHTTPRequestHandler; {server}.serve_forever()"


def test_what_was_started_is_waited_for_and_ended(supervisor: Supervisor, tmp_path: Path) -> None:
    port, *_ = free_ports(Ports(mlflow=0, prefect=0, gateway=0))
    server = process(supervisor, tmp_path, http(port), ready=f"http://{HOST}:{port}/")
    supervisor.start(server)
    supervisor.await_ready(server)
    assert len(marked(supervisor.mark)) == 1
    supervisor.end()
    assert marked(supervisor.mark) == ()


def test_a_process_that_ends_by_itself_is_an_error_that_names_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(process(supervisor, tmp_path, SLEEPING, name="other"))
    supervisor.start(process(supervisor, tmp_path, "raise SystemExit('no port for hush-hush')"))
    with pytest.raises(ProcessFailed, match="one ended with code 1") as caught:
        supervisor.watch()
    supervisor.end()
    assert str(tmp_path / "one.log") in str(caught.value)
    assert "It ends: no port for ***" in str(caught.value)
    assert marked(supervisor.mark) == ()


def test_a_process_that_never_answers_is_an_error(supervisor: Supervisor, tmp_path: Path) -> None:
    silent = process(supervisor, tmp_path, SLEEPING, ready=f"http://{HOST}:9/")
    supervisor.start(silent)
    with pytest.raises(ProcessFailed, match="one did not answer within 0 s"):
        supervisor.await_ready(silent, seconds=0.2)
    supervisor.end()


def test_a_process_that_is_run_must_end_well(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.run(process(supervisor, tmp_path, "print('deployed')"))
    with pytest.raises(ProcessFailed, match="one ended with code 3"):
        supervisor.run(process(supervisor, tmp_path, "raise SystemExit(3)"))


def test_the_wish_to_stop_ends_every_wait(supervisor: Supervisor, tmp_path: Path) -> None:
    silent = process(supervisor, tmp_path, SLEEPING, ready=f"http://{HOST}:9/")
    supervisor.start(silent)
    threading.Timer(0.5, supervisor.stopping.set).start()
    with pytest.raises(Stopped):
        supervisor.await_ready(silent)
    supervisor.watch()
    supervisor.end()
    assert marked(supervisor.mark) == ()


def test_what_is_deaf_or_was_left_by_another_is_ended_too(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(process(supervisor, tmp_path, DEAF, name="deaf"))
    subprocess.run(
        [sys.executable, "-c", LEAVING], env={**os.environ, MARK: f"deaf{supervisor.mark}"}, check=True, timeout=60
    )
    _until(lambda: len(marked(supervisor.mark)) == 2)
    supervisor.end()
    assert marked(supervisor.mark) == ()


def test_another_workspaces_processes_are_left_alone(supervisor: Supervisor, tmp_path: Path) -> None:
    other = Supervisor(mark=f"@{uuid4()}")
    other.start(process(other, tmp_path, SLEEPING))
    try:
        _until(lambda: len(marked(other.mark)) == 1)  # what is just being started has no environment yet
        supervisor.end()
        assert len(marked(other.mark)) == 1
    finally:
        other.end()


def test_other_commands_use_the_prefect_server_only_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    folder = tmp_path / "ui"
    accounts_of(folder, None, "somebody")
    assert running(tmp_path) is None
    addresses = '{"mlflow": "http://m", "prefect": "http://p", "gateway": "http://g"}'
    (folder / "addresses.json").write_text(addresses, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(folder / LOCK)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        found = running(tmp_path)
        assert found is not None
        assert found.prefect == "http://p"
        with monkeypatch.context() as patch:
            for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_HOME"):
                patch.setenv(name, "before")
                patch.delenv(name)
            join_scheduler(tmp_path)
            assert os.environ["PREFECT_API_URL"] == "http://p/api"
            assert os.environ["PREFECT_API_AUTH_STRING"].startswith("admin:")
        holder.send_signal(signal.SIGKILL)
    assert running(tmp_path) is None


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
