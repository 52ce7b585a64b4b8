"""People who decide at the same moment, in processes of their own: two promoters, and a promotion against a rollback.

Of two promoters exactly one wins. A rollback wins over a promotion, whichever is first: in the end production is what
the rollback puts back, and never the release that was promoted beside it.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import torch

from benchmarks import releases
from benchmarks.figures import Measured, write_results
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace, open_workspace
from pipeline.errors import PolicyError
from pipeline.sandbox import model_path
from pipeline.types import Actor, Approval

_SECONDS = 60.0  # for both to begin, and to end


@dataclass(frozen=True)
class Decision:
    """What one process is to do: promote by this approval, or, without one, roll back."""

    approval: Approval | None


@dataclass(frozen=True)
class Round:
    """How one race ended: who won, and whether production is then what the rules ask for."""

    winners: tuple[str, ...]
    right: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="races of each kind")
    parser.add_argument("--database", help="a Postgres address; default: SQLite")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if options.database:
            os.environ["SEALED_DATABASE_URL"] = options.database  # of the processes that decide, too
        workspace = init_workspace(Path(folder) / "workspace", str(model_path()), actor="ada", device="cpu")
        figures = run(workspace, options.rounds)
    kind = "Postgres" if options.database else "SQLite"
    write_results(f"races{'.postgres' if options.database else ''}", [_on(kind, one) for one in figures], options.out)


def run(workspace: Workspace, rounds: int) -> tuple[Measured, ...]:
    """Both kinds of races, so many times each."""
    begun = time.perf_counter()
    with _processes(workspace) as pipes:
        promoters = [_promoters(workspace, pipes, number) for number in range(rounds)]
        against = [_against_rollback(workspace, pipes, rounds + 2 * number) for number in range(rounds)]
    seconds = time.perf_counter() - begun
    first = Counter(one.winners[0] if len(one.winners) == 1 else "both" for one in against)
    return (
        _all("two promoters: exactly one wins", promoters),
        _all("promotion against rollback: the rollback's release is production", against),
        Measured(name="of these, the promotion was refused", value=first["rollback"], unit="races", n=rounds),
        Measured(name="of these, it was promoted first and rolled back", value=first["both"], unit="races", n=rounds),
        Measured(name="time of all races", value=seconds, unit="s", n=2 * rounds),
    )


def _promoters(workspace: Workspace, pipes: list[Connection], number: int) -> Round:
    candidate = releases.make_candidate(workspace, number)
    told = _race(pipes, [Decision(_approved(workspace, candidate.number, who)) for who in ("ada", "rita")])
    winners = tuple(who for who, won in zip(("ada", "rita"), told, strict=True) if won)
    production = workspace.ledger.releases.production().number
    return Round(winners, right=len(winners) == 1 and production == candidate.number)


def _against_rollback(workspace: Workspace, pipes: list[Connection], number: int) -> Round:
    bad = releases.make_release(workspace, number)
    candidate = releases.make_candidate(workspace, number + 1)
    told = _race(pipes, [Decision(_approved(workspace, candidate.number, "rita")), Decision(None)])
    winners = tuple(who for who, won in zip(("promotion", "rollback"), told, strict=True) if won)
    production = workspace.ledger.releases.production().number
    return Round(winners, right="rollback" in winners and production == bad.parent)


def _approved(workspace: Workspace, number: int, name: str) -> Approval:
    return workspace.ledger.deployments.approve(
        number, actor=Actor(name=name), note="seen", rules=workspace.review_context.rules
    )


def _race(pipes: list[Connection], decisions: list[Decision]) -> list[bool]:
    for pipe, decision in zip(pipes, decisions, strict=True):
        pipe.send(decision)
    return [bool(pipe.recv()) for pipe in pipes]


@contextmanager
def _processes(workspace: Workspace) -> Iterator[list[Connection]]:
    """Two processes that decide, each when the other does; a pipe to each."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    pairs = [context.Pipe() for _ in range(2)]
    folder = workspace.settings.workspace
    processes = [context.Process(target=_decide, args=(folder, barrier, theirs)) for _, theirs in pairs]
    for process in processes:
        process.start()
    try:
        yield [ours for ours, _ in pairs]
    finally:
        for ours, _ in pairs:
            ours.send(None)
        for process in processes:
            process.join(_SECONDS)


def _decide(folder: Path, barrier: Barrier, pipe: Connection) -> None:
    """Decides as it is told until it is told nothing; answers whether the decision was made."""
    torch.set_num_threads(1)
    workspace = open_workspace(folder)
    deployments, context = workspace.ledger.deployments, workspace.review_context
    while (told := pipe.recv()) is not None:
        barrier.wait(_SECONDS)
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
    return Measured(**{**one.__dict__, "name": f"{kind}: {one.name}"})


if __name__ == "__main__":
    main()
