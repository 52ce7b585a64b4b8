"""Starts processes, waits until they answer, watches them, and ends them all in order. Knows not what they do."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil

from flows.services.ui.processes import MARK, Process
from pipeline.addresses import redacted
from pipeline.errors import ProcessFailed

START_SECONDS = 300.0
_PAUSE = 0.3
_KILLED_AFTER = 10.0  # that whatever a process left behind gets to end by itself
_SHOWN = 300
# A terminal that is closed sends SIGHUP.
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Somebody asked for the end while something was waited for: no failure."""


@dataclass(kw_only=True)
class Supervisor:
    """The processes of one workspace. `mark`: how the value of MARK ends for all that they start in turn."""

    mark: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    stopping: threading.Event = field(default_factory=threading.Event)
    _running: list[tuple[Process, "subprocess.Popen[bytes]"]] = field(default_factory=list)

    def start(self, process: Process) -> None:
        """Starts a process, in a session of its own: Ctrl-C reaches this one alone, which ends them in order."""
        process.log.parent.mkdir(parents=True, exist_ok=True)
        with process.log.open("ab") as log:
            child = subprocess.Popen(
                process.command,
                env=dict(process.environment),
                cwd=process.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append((process, child))

    def run(self, process: Process) -> None:
        """Runs a process to its end. Raises ProcessFailed where it fails, or where another one ends meanwhile."""
        self.start(process)
        child = self._running.pop()[1]
        try:
            while child.poll() is None:
                self._pause()
        finally:
            _end(process, child)
        if child.returncode:
            raise self._failed(process, child.returncode)

    def await_ready(self, process: Process, seconds: float = START_SECONDS) -> None:
        """Waits until a process answers. Raises ProcessFailed where it does not, or where one of them ends."""
        deadline = time.monotonic() + seconds
        while not _answers(process.ready):
            if time.monotonic() > deadline:
                raise ProcessFailed(
                    f"{process.name} did not answer within {seconds:.0f} s, so all was ended. Its log is {process.log}."
                    f"{self._last_line(process)}"
                )
            self._pause()

    def watch(self) -> None:
        """Returns when it is asked to stop. Raises ProcessFailed when one of the processes ends by itself."""
        try:
            while True:
                self._pause()
        except Stopped:
            return

    def end(self) -> None:
        """Ends all, the last one first, each with whatever it started; then what is left of any."""
        while self._running:
            process, child = self._running.pop()
            _end(process, child)
            end_marked(f"{process.name}{self.mark}")
        end_marked(self.mark)

    def _pause(self) -> None:
        if self.stopping.wait(_PAUSE):
            raise Stopped
        for process, child in self._running:
            if (code := child.poll()) is not None:
                raise self._failed(process, code)

    def _failed(self, process: Process, code: int) -> ProcessFailed:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return ProcessFailed(
            f"{process.name} {how}, so all was ended. Its log is {process.log}: mend what it says, then run the "
            f"command again.{self._last_line(process)}"
        )

    def _last_line(self, process: Process) -> str:
        lines = process.log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" It ends: {redacted(last, *self.secrets)[:_SHOWN]}" if last else ""


@contextmanager
def stopped_by_signals(stopping: threading.Event) -> Iterator[None]:
    """Within this block SIGINT, SIGTERM and SIGHUP set `stopping`, and do nothing else."""

    def stop(*_: object) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, does in before.items():
            signal.signal(number, does)


def marked(mark: str) -> tuple[psutil.Process, ...]:
    """The processes whose MARK ends so, but for this one: also those whose parents are gone."""
    return tuple(one for one in psutil.process_iter() if one.pid != os.getpid() and _mark_of(one).endswith(mark))


def end_marked(mark: str) -> None:
    """Ends the processes whose MARK ends so: politely, and after some seconds by force."""
    if not (left := marked(mark)):
        return
    for one in left:
        _signal(one, signal.SIGTERM)
    _, alive = psutil.wait_procs(left, timeout=_KILLED_AFTER)
    for one in (*alive, *marked(mark)):
        _signal(one, signal.SIGKILL)


def _mark_of(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(MARK, ""))
    except (psutil.Error, OSError):
        # Of another account, or gone meanwhile: none of ours.
        return ""


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _end(process: Process, child: "subprocess.Popen[bytes]") -> None:
    """Ends a process: politely, and after its grace with its whole group, by force."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(process.grace)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
