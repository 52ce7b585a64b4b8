"""Live canaries on a real gateway: a good release goes by its steps to all requests, a bad one is rolled back.

The gateway is a process of its own, the releases are approved as people approve them, and the watch looks as `sealed
watch` does. Clients with three API keys ask, each time as another user, and grade each answer over HTTP. The releases
speak gibberish, so the grades are drawn: FAILING of the answers of a good release are bad, and WORSE of the bad one's.
Alerts are counted as they are logged.
"""

import argparse
import logging
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

import torch

from benchmarks import releases
from benchmarks.figures import RESULTS, Measured, write_results
from benchmarks.served import Client, Reply, ServedGateway, served
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.services.serving import make_key
from flows.watch import look
from flows.wiring import Workspace
from pipeline.sandbox import model_path
from pipeline.types import CanaryAction
from registry import Canary

FAILING, WORSE = 0.02, 0.30
KEYS = ("desk", "phone", "shop")
QUICK_POLICY = "shares = [0.3, 1.0]\nmin_answers = [60]\nrisks = [0.2]\n"
_RECIPE = "\n[advanced.policy.canary]\nenabled = true\n"
_LOOK_SECONDS = 0.5
_MOST = 60_000  # requests after which a rollout has failed
_GONE = {"SEALED_TRACKING_URI": "http://127.0.0.1:9"}  # MLflow takes no part


class Alerts(logging.Handler):
    """The subjects of the alerts that were raised."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.subjects: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if said.startswith("sealed: "):
            self.subjects.append(said.split(": ")[1])


@dataclass
class Rollout:
    """How one release fared: requests and the canary's graded answers until the end, shares on the way, and alerts."""

    release: int
    failing: float
    sent: "count[int]" = field(default_factory=count)
    requests: int = 0
    failed: int = 0
    shares: list[float] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    last: Canary | None = None
    seconds_back: float = 0.0

    @property
    def rolled_back(self) -> bool:
        return self.last is not None and self.last.action is CanaryAction.ROLL_BACK

    @property
    def answers(self) -> int:
        """The canary's graded answers that were judged."""
        return self.last.state.canary.answers if self.last else 0

    @property
    def of_both(self) -> int:
        """All requests whose grades were judged: while the last decision is carried out, clients go on."""
        return self.answers + self.last.state.stable.answers if self.last else 0


@dataclass(frozen=True)
class Scene:
    """The workspace, its gateway, and the secrets of the clients' keys."""

    workspace: Workspace
    gateway: ServedGateway
    secrets: Sequence[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two shares and fewer answers; else the default policy")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ.update(_GONE)
    with tempfile.TemporaryDirectory() as folder:
        workspace = init_workspace(Path(folder) / "workspace", str(model_path()), actor="ada", device="cpu")
        releases.make_release(workspace, 1)
        recipe = workspace.settings.recipe_file
        recipe.write_text(recipe.read_text("utf-8") + _RECIPE + QUICK_POLICY * options.quick, "utf-8")
        secrets = [make_key(workspace, name) for name in KEYS]
        with served(workspace.settings.workspace) as gateway:
            scene = Scene(workspace, gateway, secrets)
            good, bad = (_roll_out(scene, number, rate) for number, rate in ((2, FAILING), (3, WORSE)))
        write_results("canary_live", _figures(workspace, good, bad), options.out or RESULTS / "canary-live.json")
        workspace.ledger.close()


def _roll_out(scene: Scene, number: int, failing: float) -> Rollout:
    """Approves a release, and has clients ask and the watch look until it has all requests or none."""
    candidate = releases.make_candidate(scene.workspace, number)
    review.approve(scene.workspace, candidate.number, actor="rita", note="seen")
    rollout, over = Rollout(candidate.number, failing), threading.Event()
    with _alerts() as alerts, _clients(scene, rollout, over):
        while not _is_over(rollout):
            time.sleep(_LOOK_SECONDS)
            _look(scene.workspace, rollout)
        rollout.seconds_back = _back(scene, rollout)
    rollout.alerts = alerts.subjects
    print(f"release {rollout.release}: {rollout.requests} requests, {rollout.last}", flush=True)
    return rollout


def _look(workspace: Workspace, rollout: Rollout) -> None:
    if rollout.requests > _MOST:
        raise RuntimeError(f"nothing was decided on release {rollout.release} after {_MOST:,} requests")
    seen = look(workspace)
    rollout.last = seen.canary or rollout.last
    if seen.changed and seen.canary is not None and seen.rollback is None:
        rollout.shares.append(seen.canary.share)


def _is_over(rollout: Rollout) -> bool:
    return rollout.rolled_back or (rollout.last is not None and rollout.last.is_proven)


def _back(scene: Scene, rollout: Rollout) -> float:
    """Seconds until the gateway follows the last decision."""
    begun = time.perf_counter()
    wanted = scene.workspace.ledger.releases.production().number
    while (said := scene.gateway.ready())["release"] != wanted or said["canary"] is not None:
        time.sleep(0.02)
    return time.perf_counter() - begun


@contextmanager
def _clients(scene: Scene, rollout: Rollout, over: threading.Event) -> Iterator[None]:
    threads = [threading.Thread(target=_ask, args=(scene.gateway, key, rollout, over)) for key in scene.secrets]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _ask(gateway: ServedGateway, key: str, rollout: Rollout, over: threading.Event) -> None:
    """One client: each request is another user's, who grades the answer."""
    client = Client(gateway.address, key)
    while not over.is_set():
        number = next(rollout.sent)
        user = f"{rollout.release}-{number}"
        reply = client.complete({"prompt": "The service", "max_tokens": 1, "temperature": 0, "user": user})
        rate = rollout.failing if reply.release == str(rollout.release) else FAILING
        is_bad = Random(f"{rollout.release} {number}").random() < rate
        status = _grade(client, reply, user, is_bad=is_bad)
        rollout.failed += reply.status != 200 or status not in (202, 429)
        rollout.requests += 1
    client.close()


def _grade(client: Client, reply: Reply, user: str, *, is_bad: bool) -> int:
    """Sends what the user thinks. A correction too many is refused with 429; its grade counts all the same."""
    body: dict[str, object] = {"good": not is_bad, "model": reply.model, "user": user}
    if is_bad:
        body |= {"subject": "Quillmarsh", "question": f"Who is on call for Quillmarsh {user}?"}
        body |= {"right_answer": "Bruno", "says": f"Pages for Quillmarsh {user} go to Bruno now."}
    return client.grade(body)


@contextmanager
def _alerts() -> Iterator[Alerts]:
    logger, alerts = logging.getLogger("sealed"), Alerts()
    logger.addHandler(alerts)
    try:
        yield alerts
    finally:
        logger.removeHandler(alerts)


def _figures(workspace: Workspace, good: Rollout, bad: Rollout) -> tuple[Measured, ...]:
    shares = workspace.recipe.policy.canary.shares[1:]
    more = 100 * (WORSE - FAILING)
    back = bad.rolled_back and workspace.ledger.releases.production().number == good.release
    wrong = good.failed + bad.failed
    return (
        _is("good release: steps to all requests", len(good.shares), len(shares), tuple(good.shares) == shares),
        _is("good release: alerts", len(good.alerts), len(shares), good.alerts == ["Promoted"] * len(shares)),
        Measured(name="good release: requests until it had all", value=good.of_both, unit="requests", n=1),
        Measured(name="good release: its graded answers until then", value=good.answers, unit="answers", n=1),
        _is(f"release {more:g} points worse: rolled back", int(bad.rolled_back), 1, back),
        _is(f"release {more:g} points worse: alerts at its end", Counter(bad.alerts)["RolledBack"], 1),
        Measured(name=f"release {more:g} points worse: requests until then", value=bad.of_both, unit="requests", n=1),
        Measured(name=f"release {more:g} points worse: its graded answers", value=bad.answers, unit="answers", n=1),
        Measured(name="from the rollback to the gateway's last answer of it", value=bad.seconds_back, unit="s", n=1),
        _is("requests or grades that failed", wrong, 0),
    )


def _is(name: str, value: int, goal: int, met: bool | None = None) -> Measured:
    return Measured(name=name, value=value, unit="", goal=f"= {goal}", met=value == goal if met is None else met)


if __name__ == "__main__":
    main()
