"""Rollback drills: three gateways follow one ledger, MLflow and Prefect are gone, and on-call undoes a bad release.

Every other drill is typed as a command, in a process that starts from nothing; the others are the call alone. Times run
from the start of either: until the ledger says so, and until every gateway answers a request from the old release. An
answer counts by its release's header and by its text, which must be what that gateway said before the bad release.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import torch

from benchmarks import releases
from benchmarks.databases import empty_database, kind_of
from benchmarks.figures import Measured, write_results
from benchmarks.served import Client, Reply, ServedGateway, served
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.sandbox import model_path

GATEWAYS = 3
_BODY = {"prompt": "The team that owns the service is", "max_tokens": 16, "temperature": 0}
_GONE = {"SEALED_TRACKING_URI": "http://127.0.0.1:9", "PREFECT_API_URL": "http://127.0.0.1:9/api"}
_PATIENCE = 120.0  # seconds after which a drill has failed


@dataclass
class Drill:
    """How one drill went, in seconds from its start; `done`: whether all gateways answered as before."""

    typed: bool
    ended: float = _PATIENCE  # of the call, or of the whole command: on-call has the shell back
    committed: float = _PATIENCE
    answered: float = _PATIENCE
    done: bool = False


@dataclass(frozen=True)
class Scene:
    """The workspace, its gateways, and what each of them says while the good release is production."""

    workspace: Workspace
    gateways: Sequence[ServedGateway]
    good: int
    texts: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drills", type=int, default=100)
    parser.add_argument("--database", help="the address of a Postgres server; default: SQLite")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ.update(_GONE)  # before the workspace is opened, which a process does once; of its children, too
    with tempfile.TemporaryDirectory() as folder, empty_database(options.database), ExitStack() as gateways:
        workspace = init_workspace(Path(folder) / "workspace", str(model_path()), actor="ada", device="cpu")
        good = releases.make_release(workspace, 1).number
        running = [gateways.enter_context(served(workspace.settings.workspace)) for _ in range(GATEWAYS)]
        scene = Scene(workspace, running, good)
        scene.texts.extend(_wait(scene, good))
        drills = [_drill(scene, number) for number in range(options.drills)]
        workspace.ledger.close()
    kind, name = kind_of(options.database), f"rollback{'.postgres' if options.database else ''}"
    write_results(name, [replace(one, name=f"{kind}: {one.name}") for one in _figures(drills)], options.out)


def _drill(scene: Scene, number: int) -> Drill:
    bad = releases.make_release(scene.workspace, number + 2).number
    if set(_wait(scene, bad)) & set(scene.texts):
        raise RuntimeError(f"release {bad} says what release {scene.good} says: a rollback could not be seen")
    drill, begun = Drill(typed=number % 2 == 0), time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        deciding = pool.submit(_type if drill.typed else _call, scene.workspace)
        asking = pool.submit(_wait, scene, scene.good)
        drill.committed = _until(lambda: _production(scene.workspace) == scene.good, begun)
        texts = asking.result()
        drill.answered = time.perf_counter() - begun
        drill.ended = deciding.result() - begun
    drill.done = texts == scene.texts
    kind = "typed" if drill.typed else "called"
    print(f"drill {number + 1}, {kind}: committed {drill.committed:.2f} s, answered {drill.answered:.2f} s", flush=True)
    return drill


def _type(workspace: Workspace) -> float:
    """Types the command; the clock's time when it has ended."""
    command = [sys.executable, "-c", "from flows.cli import main; main()", "rollback", "--as", "olga"]
    place = ["-w", str(workspace.settings.workspace), "--reason", "a drill"]
    subprocess.run([*command, *place], check=True, capture_output=True, timeout=_PATIENCE)
    return time.perf_counter()


def _call(workspace: Workspace) -> float:
    """Calls what the command calls; the clock's time when it has ended."""
    if not review.rollback(workspace, None, actor="olga", reason="a drill").reconciled.failed:
        raise RuntimeError("MLflow followed the rollback, and it should be gone")
    return time.perf_counter()


def _production(workspace: Workspace) -> int:
    return workspace.ledger.releases.production().number


def _until(happened: Callable[[], bool], begun: float) -> float:
    """Seconds from `begun` until it happened."""
    while not happened():
        if time.perf_counter() - begun > _PATIENCE:
            raise RuntimeError(f"nothing was rolled back within {_PATIENCE:g} s")
        time.sleep(0.005)
    return time.perf_counter() - begun


def _wait(scene: Scene, release: int) -> list[str]:
    """What the gateways say once each of them answers from this release; all are asked at the same time."""
    replies: dict[int, Reply] = {}

    def ask(place: int) -> None:
        client, deadline = Client(scene.gateways[place].address), time.monotonic() + _PATIENCE
        while (reply := client.complete(dict(_BODY))).release != str(release) and time.monotonic() < deadline:
            time.sleep(0.1)
        client.close()
        replies[place] = reply

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(scene.gateways))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    late = [place for place, reply in replies.items() if reply.release != str(release)]
    if late:
        raise RuntimeError(f"gateway {late[0]} does not answer from release {release} after {_PATIENCE:g} s")
    return [replies[place].text for place in sorted(replies)]


def _figures(drills: Sequence[Drill]) -> list[Measured]:
    n, done = len(drills), sum(one.done for one in drills)
    typed = [one for one in drills if one.typed]
    called = [one for one in drills if not one.typed]
    return [
        Measured(
            name="rolled back with MLflow and Prefect gone",
            value=done,
            unit="drills",
            goal=f"= {n}",
            n=n,
            met=done == n,
        ),
        *_times("call until the ledger has it", [one.committed for one in called], 1.0),
        *_times("command typed until the ledger has it", [one.committed for one in typed], None),
        *_times("command typed until it has ended", [one.ended for one in typed], None),
        *_times(f"call or command until all {GATEWAYS} gateways answer", [one.answered for one in drills], 10.0),
    ]


def _times(name: str, seconds: Sequence[float], goal: float | None) -> list[Measured]:
    if not seconds:
        return []
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    met, words = (None, "") if goal is None else (p99 <= goal, f"<= {goal:g}")
    return [
        Measured(name=f"{name}, median", value=median(ordered), unit="s", n=len(ordered)),
        Measured(name=f"{name}, p99", value=p99, unit="s", goal=words, n=len(ordered), met=met),
    ]


if __name__ == "__main__":
    main()
