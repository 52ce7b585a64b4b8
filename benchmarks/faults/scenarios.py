"""What people, attackers and other processes do besides failing: each a story that a sound product refuses or survives.

Each ends with the judge: nothing may be violated, and the end state must be that of the sound product.
"""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import releases
from benchmarks.faults.world import ON_CALL, PROPOSER, REVIEWER, UNEXAMINED, World, go_on
from flows.run_context import RunContext
from flows.services import review
from flows.steps import ingestion
from pipeline.adapters.format import WEIGHTS
from pipeline.engines.base import BaseModel
from pipeline.errors import SealedError
from pipeline.types import Actor, GateResult, Release, Run, RunState, Verdict
from registry.mlflow import client
from registry.store import lease, moves

Story = Callable[[Path, BaseModel], None]
_refused = suppress(SealedError, OSError)


def tampered_candidate(folder: Path, base: BaseModel) -> None:
    """A candidate's weights are changed before it is approved."""
    world = _learned(folder, base)
    with _refused:
        releases.flipped_bit(world.workspace.folder_of(_newest(world).update))
        world.approve(2)
    _close(world)


def tampered_production(folder: Path, base: BaseModel) -> None:
    """Production's weights are changed while a gateway starts, and put back."""
    world = World(folder, base)
    weights = world.workspace.folder_of(_newest(world).update) / WEIGHTS
    whole = weights.read_bytes()
    releases.flipped_bit(weights.parent)
    with _refused:
        world.serve()
    weights.write_bytes(whole)
    world.serve()
    _close(world)


def self_approval(folder: Path, base: BaseModel) -> None:
    """Who proposed a release approves it, also under another spelling."""
    world = _learned(folder, base)
    for name in (PROPOSER, PROPOSER.upper()):
        with _refused:
            review.approve(world.workspace, 2, actor=name, note="mine")
    _close(world, reconcile=False)


def overtaken_approval(folder: Path, base: BaseModel) -> None:
    """Production is rolled back between an approval and its use."""
    world = _learned(folder, base)
    given = world.workspace.ledger.deployments.approve(
        2, actor=Actor(name=REVIEWER), note="seen", rules=world.workspace.review_rules
    )
    world.roll_back(0)
    with _refused:
        review.promote_by(world.workspace, given)
    _close(world)


def late_approval(folder: Path, base: BaseModel) -> None:
    """A candidate is approved when its figures are ten days old."""
    world = _learned(folder, base)
    deployments, context = world.workspace.ledger.deployments, world.workspace.review_context
    at = datetime.now(UTC) + timedelta(days=10)
    with _refused:
        given = deployments.approve(2, actor=Actor(name=REVIEWER), note="late", rules=context.rules, at=at)
        deployments.promote(given, context=context, at=at)
    _close(world)


def failed_gates(folder: Path, base: BaseModel) -> None:
    """A gate failed, and the run and the reviewer go on."""
    whole = releases.passing_report

    def failing(*given: Any) -> Any:
        report = whole(*given)
        bad = GateResult(gate="retention", verdict=Verdict.FAIL, sentence="it forgot", figures=())
        return type(report)(**{**_fields(report), "results": (*report.results, bad)})

    world = World(folder, base)
    with patch.object(releases, "passing_report", failing), _refused:
        world.learn(2)
        world.approve(2)
    if (run := world.workspace.ledger.runs.unfinished()) is not None:
        with world.workspace.ledger.session() as session:
            session.runs.finish(run.number, RunState.REJECTED_BY_GATES, "a gate failed")
    _close(world)


def lost_lease(folder: Path, base: BaseModel) -> None:
    """A run that slept goes on after another one took its lease over and made the candidate."""
    sleeper = World(folder, base)
    with suppress(SealedError), sleeper.workspace.ledger.session() as session:
        context = RunContext(sleeper.workspace, session, UNEXAMINED)
        ingestion.ingest(context, folder / "documents" / "2")
        run = ingestion.open_nightly_run(context, PROPOSER)
        assert isinstance(run, Run)
        with patch.object(lease, "_has_ended", lambda _: True), patch.object(lease, "identity", lambda: "other:1:1.00"):
            World(folder, base).learn(2)
        session.runs.abandon(run.number, "it slept")
    sleeper.workspace.ledger.close()
    with _refused:
        go_on(folder, base)


def two_runs(folder: Path, base: BaseModel) -> None:
    """A second run is started while one works."""
    world = World(folder, base)
    with world.workspace.ledger.session(), _refused:
        World(folder, base).learn(2)
    _close(world)


def twice_ingested(folder: Path, base: BaseModel) -> None:
    """The documents of a release are given again before, and after, they are learned."""
    world = _learned(folder, base)
    world.approve(2)
    world.learn(2)
    world.learn(1)
    _close(world)


def repeated_rollback(folder: Path, base: BaseModel) -> None:
    """The same rollback is typed twice."""
    world = _learned(folder, base)
    world.approve(2)
    for _ in range(2):
        with _refused:
            review.rollback(world.workspace, None, actor=ON_CALL, reason="bad")
    _close(world)


def fallen_returns(folder: Path, base: BaseModel) -> None:
    """A release that was rolled back is asked for again."""
    go_on(folder, base)
    world = World(folder, base)
    with _refused:
        world.roll_back(2)
    _close(world)


def forged_state(folder: Path, base: BaseModel) -> None:
    """The ledger's rows are changed so that a candidate seems to be production, it is loaded, and they are put back."""
    world = _learned(folder, base)
    with _forged(folder), _refused:
        world.log(0, world.workspace.ledger.releases.get(2))
    _close(world)


def moved_alias(folder: Path, base: BaseModel) -> None:
    """Somebody moves MLflow's alias by hand."""
    world = _learned(folder, base)
    client.point(world.workspace.tracking, "production", "2")
    _close(world)


def killed_inside(folder: Path, base: BaseModel) -> None:
    """A promotion is killed between its statements, and made again."""
    world = _learned(folder, base)
    world.workspace.ledger.close()
    world.server.close()
    child = os.fork()
    if child == 0:
        with (
            suppress(BaseException),
            patch.object(moves, "mark_learned", lambda *_: os.kill(os.getpid(), signal.SIGKILL)),
        ):
            World(folder, base).approve(2)
        os._exit(0)
    os.waitpid(child, 0)
    go_on(folder, base)


SCENARIOS: dict[str, Story] = {
    story.__name__: story
    for story in (
        go_on,
        tampered_candidate,
        tampered_production,
        self_approval,
        overtaken_approval,
        late_approval,
        failed_gates,
        lost_lease,
        two_runs,
        twice_ingested,
        repeated_rollback,
        fallen_returns,
        forged_state,
        moved_alias,
        killed_inside,
    )
}


def _learned(folder: Path, base: BaseModel) -> World:
    """The world in which release 2 waits for its reviewer."""
    world = World(folder, base)
    world.learn(2)
    return world


def _newest(world: World) -> Release:
    return world.workspace.ledger.releases.listed()[-1]


def _close(world: World, *, reconcile: bool = True) -> None:
    """The end of a scenario: MLflow and the gateway follow."""
    if reconcile:
        world.workspace.reconcile()
    with _refused:
        world.serve()
    world.server.close()
    world.workspace.ledger.close()


@contextmanager
def _forged(folder: Path) -> Iterator[None]:
    states = (("superseded", 1), ("production", 2)), (("candidate", 2), ("production", 1))
    for place, changes in enumerate(states):
        with closing(sqlite3.connect(folder / "ledger.db")) as connection:
            for state, number in changes:
                connection.execute("UPDATE releases SET state = ? WHERE number = ?", (state, number))
            connection.commit()
        if place == 0:
            yield


def _fields(report: Any) -> dict[str, Any]:
    return {
        name: getattr(report, name) for name in ("update", "candidate", "production", "policy", "results", "recall")
    }
