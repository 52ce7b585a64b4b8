"""People who decide at the same moment, in processes of their own: two promoters, and a promotion against a rollback.

Of two promoters exactly one wins. A rollback wins over a promotion, whichever is first: in the end production is what
the rollback puts back, and never the release that was promoted beside it. Results are written after every ledger, of
the races that were run until then.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from random import Random

import torch

from benchmarks import releases
from benchmarks.databases import empty_database, kind_of, use_database
from benchmarks.figures import Measured, write_results
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace, open_workspace
from pipeline.errors import PolicyError
from pipeline.sandbox import model_path
from pipeline.types import Actor, Approval

# Races on one ledger, of each kind: every decision reads the whole history before it, so that long ones take longer.
ON_ONE_LEDGER = 25
_LONGEST_WAIT = 0.3  # seconds, of a promoter against a rollback
_SECONDS = 60.0  # for both to begin, and to end


@dataclass(frozen=True)
class Scene:
    """A workspace whose ledger the races are run on, its database on Postgres, and a pipe to each who decides."""

    workspace: Workspace
    database: str | None
    pipes: list[Connection]


@dataclass(frozen=True)
class Decision:
    """What one process is to do, and where: promote by this approval, or, without one, roll back.

    `wait`: seconds that it waits first.
    """

    folder: Path
    database: str | None
    approval: Approval | None
    wait: float = 0.0


@dataclass(frozen=True)
class Round:
    """How one race ended: who won, and whether production is then what the rules ask for."""

    winners: tuple[str, ...]
    right: bool


@dataclass
class Ended:
    """The races so far, and how long they took."""

    promoters: list[Round] = field(default_factory=list)
    against: list[Round] = field(default_factory=list)
    seconds: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="races of each kind")
    parser.add_argument("--database", help="the address of a Postgres server; default: SQLite")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    name, kind, ended = f"races{'.postgres' if options.database else ''}", kind_of(options.database), Ended()
    with _processes() as pipes:
        while (left := options.rounds - len(ended.promoters)) > 0:
            run(pipes, options.database, min(left, ON_ONE_LEDGER), ended)
            write_results(name, [_on(kind, one) for one in figures(ended)], options.out)


def run(pipes: list[Connection], server: str | None, rounds: int, ended: Ended) -> None:
    """Both kinds of races, so many times each, on a new ledger."""
    with tempfile.TemporaryDirectory() as folder, empty_database(server) as database:
        workspace = init_workspace(Path(folder) / "workspace", str(model_path()), actor="ada", device="cpu")
        scene, begun = Scene(workspace, database, pipes), time.perf_counter()
        ended.promoters += [_promoters(scene, number) for number in range(rounds)]
        ended.against += [_against_rollback(scene, rounds + 2 * number) for number in range(rounds)]
        ended.seconds += time.perf_counter() - begun
        workspace.ledger.close()


def figures(ended: Ended) -> tuple[Measured, ...]:
    """What the races came to that have been run."""
    n = len(ended.against)
    first = Counter(one.winners[0] if len(one.winners) == 1 else "both" for one in ended.against)
    return (
        _all("two promoters: exactly one wins", ended.promoters),
        _all("promotion against rollback: the rollback's release is production", ended.against),
        Measured(name="of these, the promotion was refused", value=first["rollback"], unit="races", n=n),
        Measured(name="of these, it was promoted first and rolled back", value=first["both"], unit="races", n=n),
        Measured(name="time of all races", value=ended.seconds, unit="s", n=2 * n),
    )


def _promoters(scene: Scene, number: int) -> Round:
    workspace = scene.workspace
    candidate = releases.make_candidate(workspace, number)
    told = _race(scene, [_approved(workspace, candidate.number, who) for who in ("ada", "rita")])
    winners = tuple(who for who, won in zip(("ada", "rita"), told, strict=True) if won)
    production = workspace.ledger.releases.production().number
    return Round(winners, right=len(winners) == 1 and production == candidate.number)


def _against_rollback(scene: Scene, number: int) -> Round:
    workspace = scene.workspace
    bad = releases.make_release(workspace, number)
    candidate = releases.make_candidate(workspace, number + 1)
    # A rollback takes longer until it writes, for it verifies more: the promoter waits a while, or is always first.
    wait = Random(number).uniform(0.0, _LONGEST_WAIT)
    told = _race(scene, [_approved(workspace, candidate.number, "rita"), None], wait)
    winners = tuple(who for who, won in zip(("promotion", "rollback"), told, strict=True) if won)
    production = workspace.ledger.releases.production().number
    return Round(winners, right="rollback" in winners and production == bad.parent)


def _approved(workspace: Workspace, number: int, name: str) -> Approval:
    return workspace.ledger.deployments.approve(
        number, actor=Actor(name=name), note="seen", rules=workspace.review_context.rules
    )


def _race(scene: Scene, approvals: list[Approval | None], wait: float = 0.0) -> list[bool]:
    """Whether each decision was made: a promotion by its approval, or, without one, a rollback. The first waits."""
    folder = scene.workspace.settings.workspace
    for pipe, approval, pause in zip(scene.pipes, approvals, (wait, 0.0), strict=True):
        pipe.send(Decision(folder, scene.database, approval, pause))
    return [bool(pipe.recv()) for pipe in scene.pipes]


@contextmanager
def _processes() -> Iterator[list[Connection]]:
    """Two processes that decide, each when the other does; a pipe to each."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    pairs = [context.Pipe() for _ in range(2)]
    processes = [context.Process(target=_decide, args=(barrier, theirs)) for _, theirs in pairs]
    for process in processes:
        process.start()
    try:
        yield [ours for ours, _ in pairs]
    finally:
        for ours, _ in pairs:
            ours.send(None)
        for process in processes:
            process.join(_SECONDS)


def _decide(barrier: Barrier, pipe: Connection) -> None:
    """Decides as it is told until it is told nothing; answers whether the decision was made."""
    torch.set_num_threads(1)
    while (told := pipe.recv()) is not None:
        use_database(told.database)
        workspace = open_workspace(told.folder)
        deployments, context = workspace.ledger.deployments, workspace.review_context
        barrier.wait(_SECONDS)
        time.sleep(told.wait)
        try:
            if told.approval is None:
                deployments.rollback(None, actor=Actor(name="olga"), reason="wrong answers", context=context)
            else:
                deployments.promote(told.approval, context=context)
        except PolicyError:
            pipe.send(False)
        else:
            pipe.send(True)


def _all(name: str, rounds: list[Round]) -> Measured:
    right = sum(one.right for one in rounds)
    return Measured(
        name=name, value=right, unit="races", goal=f"= {len(rounds)}", n=len(rounds), met=right == len(rounds)
    )


def _on(kind: str, one: Measured) -> Measured:
    return replace(one, name=f"{kind}: {one.name}")


if __name__ == "__main__":
    main()
