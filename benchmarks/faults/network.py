"""A release's whole story with MLflow behind a proxy that refuses, loses replies, hangs, drips, truncates, doubles.

Every request of an unbroken story, in every way, once and from there on until the process gives up; then the network
is well again, and the story must end as an unbroken one. `--quick` and `--share` take some of these, by a seed.
"""

import argparse
import json
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
import torch

from benchmarks.faults import fleet, schedules, world
from benchmarks.faults.facts import of_workspace
from benchmarks.faults.proxy import How, Proxy, proxy_to
from benchmarks.faults.schedules import Ending, Schedule, Stage
from benchmarks.figures import Measured, violations, write_results
from flows.services.repair import repair
from pipeline.engines.base import BaseModel, load_base
from pipeline.errors import InternalError
from pipeline.files import remove_folder, write_text
from pipeline.sandbox import model_path

# MLflow's client waits two minutes and tries seven times more; a test does not.
CLIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "2", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
START_SECONDS = 150.0
FOR_GOOD = 10**9
ARTIFACTS = "artifacts"


@dataclass(frozen=True)
class Fault:
    """How the network fails: at which request of a process, and whether from there on."""

    how: How
    request: int
    for_good: bool

    def __str__(self) -> str:
        return f"{self.how} at request {self.request}{' and from there on' if self.for_good else ''}"


@dataclass(frozen=True)
class Network:
    """A stage whose workspaces ask an MLflow server through a proxy. `store` is the server's database."""

    stage: Stage
    proxy: Proxy
    store: Path

    def run(self, fault: Fault) -> tuple[Ending, int]:
        """The story under the fault, then in a sound network until it is quiet; how many requests that one took."""
        folder = schedules.copied(self.stage)
        self._put_back()
        self.proxy.fail(fault.how, fault.request, FOR_GOOD if fault.for_good else fault.request)
        ending = Ending(Schedule((str(fault),)))  # no process but the first meets it, and none arms a point
        after, done = schedules.judged(self.stage, folder, "", of_workspace(folder), ending)
        requests = self.proxy.fail(How.NOT)
        if done or ending.violations:
            return schedules.concluded(self.stage, after, ending), requests
        return schedules.go_on_until_quiet(self.stage, folder, after, ending), requests

    def _put_back(self) -> None:
        """The server's database and artifacts as they were when the template was made; the server goes on with them."""
        with (
            closing(sqlite3.connect(self.stage.template.with_name("store.db"))) as source,
            closing(sqlite3.connect(self.store)) as target,
        ):
            source.backup(target)
        remove_folder(self.store.parent / ARTIFACTS)
        shutil.copytree(self.stage.template.with_name(ARTIFACTS), self.store.parent / ARTIFACTS)


def story(folder: Path, base: BaseModel) -> None:
    """What is left of a release's story, and then nothing is left that `sealed doctor` would mend."""
    world.go_on(folder, base)
    made = world.World(folder, base)
    for said in (repair(made.workspace), made.workspace.reconcile()):
        if said.failed or said.repaired:
            raise InternalError(f"something was left: {said}")
    made.workspace.ledger.close()


@contextmanager
def network(scratch: Path, base: BaseModel) -> Iterator[Network]:
    """An MLflow server, a proxy before it, and a template with release 1 in production there."""
    store = scratch / "server" / "mlflow.db"
    store.parent.mkdir(parents=True)
    with _server(store) as port, proxy_to(port) as proxy:
        template = scratch / "template"
        fleet.forked(partial(world.make_template, template, base, proxy.url), scratch)
        (template / "mlflow.db").symlink_to(store)
        with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(scratch / "store.db")) as target:
            source.backup(target)
        shutil.copytree(store.parent / ARTIFACTS, scratch / ARTIFACTS)
        yield Network(Stage(template, scratch, base, story=story), proxy, store)


@contextmanager
def _server(store: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    places = ["--backend-store-uri", f"sqlite:///{store}", "--artifacts-destination", str(store.parent / ARTIFACTS)]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (store.parent / "log").open("wb") as log:
        child = subprocess.Popen([*command, *places], env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        _await_health(port, child)
        yield port
    finally:
        os.killpg(child.pid, 9)
        child.wait()


def _await_health(port: int, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.3)
        else:
            return
    raise InternalError("the MLflow server did not start")


def faults_of(requests: int) -> list[Fault]:
    """Every way at every request of a story of so many, once and for good."""
    ways = [how for how in How if how is not How.NOT]
    return [
        Fault(how, number, for_good) for number in range(1, requests + 1) for how in ways for for_good in (False, True)
    ]


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    os.environ |= CLIENT
    base = load_base(str(model_path()), device="cpu")
    with tempfile.TemporaryDirectory(prefix="sealed-network-") as name:
        scratch = Path(name)
        kept = options.keep or scratch / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        [requests] = fleet.run_all([partial(_requests, scratch / "unbroken", base)], scratch, workers=1)
        every = faults_of(requests)
        chosen = random.Random(options.seed).sample(every, min(options.share, len(every)))
        files = [kept / f"{fault}.json" for fault in chosen]
        left = [fault for fault, file in zip(chosen, files, strict=True) if not file.exists()]
        over = time.monotonic() + 60 * options.minutes
        parts = [part for place in range(options.workers) if (part := left[place :: options.workers])]
        jobs = [partial(_part, scratch / str(place), base, part, kept, over) for place, part in enumerate(parts)]
        fleet.run_all(jobs, scratch, workers=options.workers)
        endings = [json.loads(file.read_text("utf-8")) for file in files if file.exists()]
    write_results("faults.network", _figures(requests, len(every), endings), options.out)


def _requests(scratch: Path, base: BaseModel) -> int:
    """How many an unbroken story makes of MLflow."""
    with network(scratch, base) as made:
        return _unbroken(made)[1]


def _unbroken(made: Network) -> tuple[Ending, int]:
    ending, requests = made.run(Fault(How.NOT, 1, False))
    if ending.violations:
        raise InternalError(f"an unbroken run violates: {ending.violations}")
    return ending, requests


def _part(scratch: Path, base: BaseModel, faults: Sequence[Fault], kept: Path, over: float) -> None:
    """Some faults, with a server of their own; each ending is kept as it comes. None is begun once the time is over."""
    with network(scratch, base) as made:
        made = replace(made, stage=replace(made.stage, expected=_unbroken(made)[0].state))
        for fault in faults:
            if time.monotonic() > over:
                break
            ending = made.run(fault)[0]
            write_text(kept / f"{fault}.json", json.dumps([str(fault), ending.statuses, ending.violations]))
            print(f"{fault}: {ending.statuses} {'; '.join(ending.violations)}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ten faults")
    parser.add_argument("--share", type=int, default=10**6, help="how many faults; all there are if fewer")
    parser.add_argument("--minutes", type=float, default=1e6, help="after so many no further fault is begun")
    parser.add_argument("--seed", type=int, default=1, help="of which faults are taken")
    parser.add_argument("--workers", type=int, default=4, help="at once: a fault is mostly waited for")
    parser.add_argument("--keep", type=Path, help="a folder of endings, from which a run of the same code goes on")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.share, options.workers = 10, 1
    return options


def _figures(requests: int, every: int, endings: Sequence[tuple[str, list[int], list[str]]]) -> list[Measured]:
    went_on = sum(statuses[0] == 0 for _, statuses, _ in endings)
    return [
        Measured(name="requests of a story to MLflow", value=requests, unit="requests"),
        Measured(name="network faults that there are", value=every, unit="faults"),
        violations("network faults", "faults", [bool(found) for _, _, found in endings]),
        Measured(name="network faults that the process outlived", value=went_on, unit="faults", n=len(endings)),
    ]


if __name__ == "__main__":
    main()
