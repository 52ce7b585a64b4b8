"""Bugs that are planted in a child process, each of which breaks an invariant: a harness that misses one is no good."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.services import review
from flows.wiring import Workspace
from pipeline.adapters import copies, format, saving
from pipeline.types import GateReport, Verdict
from registry import approvers, deploy, lifecycle
from registry.gateway import desired
from registry.lifecycle import Event
from registry.mlflow import client, reconcile
from registry.mlflow import releases as mlflow_releases
from registry.servers.local import LocalServer
from registry.store import candidates, database, ingestion, journal, lease, moves
from registry.store.releases import Releases

Spoil = Callable[[], None]


@dataclass(frozen=True)
class Bug:
    """A bug by its name. `spoil` plants it in this process; `shows`: the scenario, or schedule, that is tried first."""

    name: str
    shows: str
    spoil: Spoil


def put(owner: Any, **attributes: Any) -> Spoil:
    """Replaces attributes of a module or class."""

    def spoil() -> None:
        for name, value in attributes.items():
            setattr(owner, name, value)

    return spoil


def all_of(*spoils: Spoil) -> Spoil:
    """Plants several changes as one bug: where two checks hold the same rule, one that is gone changes nothing."""

    def spoil() -> None:
        for one in spoils:
            one()

    return spoil


def nothing(*_: Any, **__: Any) -> None:
    """Does nothing, and objects to nothing."""


def without_digests(folder: Path, *_: Any) -> Any:
    return format.read_manifest(folder)


def _anywhere() -> None:
    """A rollback goes wherever it is told to."""
    whole = lifecycle.TRANSITIONS[Event.RESTORED][1]
    lifecycle.TRANSITIONS[Event.RESTORED] = (frozenset(type(whole)), whole)
    put(lifecycle, rollback_target=lambda releases, target, done=None: target)()


def _alias_before_commit() -> None:
    whole = review.approve

    def early(workspace: Workspace, release: int, **given: Any) -> Any:
        version = workspace.ledger.releases.get(release).mlflow_version
        client.point(workspace.tracking, "production", version)
        return whole(workspace, release, **given)

    review.approve = early


def _next_epoch_but_one() -> None:
    whole = moves.deploy

    def skipping(connection: Any, release: int, decision: Any) -> Any:
        before = journal.epoch
        put(journal, epoch=lambda it: before(it) + 1)()
        try:
            return whole(connection, release, decision)
        finally:
            journal.epoch = before

    moves.deploy = skipping


def _unsigned() -> None:
    whole = journal.add_approval
    journal.add_approval = lambda connection, approval, own: whole(connection, approval, None)


def _statement_by_statement() -> None:
    @contextmanager
    def write(self: Any) -> Any:
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection

    database.Database.write = write  # type: ignore[method-assign]


def _no_reason() -> None:
    whole = moves.deploy
    moves.deploy = lambda connection, release, decision: whole(connection, release, replace(decision, reason=" "))


def _wrong_parent() -> None:
    whole = candidates._release
    candidates._release = lambda *given: replace(whole(*given), parent=0)


def _serves_the_newest() -> None:
    whole = desired.LedgerSource.desired

    def newest(self: Any) -> Any:
        return replace(whole(self), production=self.ledger.releases.listed()[-1])

    desired.LedgerSource.desired = newest  # type: ignore[method-assign]


def _one_epoch_behind() -> None:
    whole = desired.LedgerSource.desired

    def behind(self: Any) -> Any:
        former = self.ledger.deployments.listed()[-2]
        return replace(whole(self), epoch=former.epoch, production=self.ledger.releases.get(former.release))

    desired.LedgerSource.desired = behind  # type: ignore[method-assign]


def _wrong_weights() -> None:
    whole = LocalServer._load
    first: list[Any] = []

    def load(self: Any, release: Any) -> Any:
        first.append(whole(self, release))
        return first[0]

    LocalServer._load = load  # type: ignore[method-assign]


def _production_alone_is_kept() -> None:
    whole = Releases.needed
    Releases.needed = lambda self: whole(self)[-1:]  # type: ignore[method-assign]


def _overtaken() -> None:
    """A stale candidate may be promoted at any epoch, onto any production."""
    state = lifecycle.TRANSITIONS[Event.APPROVED][1]
    lifecycle.TRANSITIONS[Event.APPROVED] = (frozenset(type(state)), state)
    put(deploy, _expect_approvable=nothing)()
    put(approvers, against_standing=nothing)()
    put(moves, mark_learned=nothing)()


VERSIONED, TORN = "mlflow.create_model_version.after:1=kill", "folder.write.after:1=torn"
BUGS = (
    Bug("a rollback goes to any release", "fallen_returns", _anywhere),
    Bug("an approval does not look at the bytes", "tampered_candidate", put(format, _verify_files=without_digests)),
    Bug(
        "a load does not look at the bytes",
        "tampered_production",
        all_of(put(format, _verify_files=without_digests), put(copies, verify_files=without_digests)),
    ),
    Bug("signatures are not checked at a load", "forged_state", put(deploy.Deployments, expect_signed=nothing)),
    Bug("the alias moves before the commit", "self_approval", _alias_before_commit),
    Bug("the lease does not fence", "lost_lease", put(lease, check=nothing)),
    Bug("a lease that is held is taken", "two_runs", put(lease, _is_held=lambda _: False)),
    Bug(
        "the proposer may approve",
        "self_approval",
        all_of(*(put(room, skeleton=lambda name: object()) for room in (lifecycle, approvers))),
    ),
    Bug(
        "figures and approvals never expire",
        "late_approval",
        put(lifecycle, against_waiting=nothing, against_age=nothing),
    ),
    Bug("a failed gate passes", "failed_gates", put(GateReport, verdict=property(lambda _: Verdict.PASS))),
    Bug("documents are not marked as learned", "go_on", put(moves, mark_learned=nothing)),
    Bug("documents are not reverted", "go_on", put(moves, revert=nothing)),
    Bug("history is not written", "go_on", put(journal, add_transition=nothing)),
    Bug("an approval is not signed", "go_on", _unsigned),
    Bug("an approval is not written", "go_on", put(journal, add_approval=nothing)),
    Bug("an epoch is left out", "go_on", _next_epoch_but_one),
    Bug("a deployment has no reason", "go_on", _no_reason),
    Bug("what was registered is not looked for", VERSIONED, put(mlflow_releases._Registrar, _find_version=nothing)),
    Bug("the alias does not follow", "go_on", put(client, point=nothing)),
    Bug("states are not shown in MLflow", "go_on", put(reconcile, stale_states=lambda *_: ())),
    Bug("MLflow does not say its epoch", "go_on", put(client, tag_epoch=nothing)),
    Bug("statements are committed one by one", "killed_inside", _statement_by_statement),
    Bug("a torn adapter counts as trained", TORN, put(saving, verify_adapter=without_digests)),
    Bug("adapters to roll back to are removed", "go_on", _production_alone_is_kept),
    Bug("a known document counts as new", "twice_ingested", put(ingestion, states_of=lambda *_: {})),
    Bug("a rollback falls to the base", "go_on", put(lifecycle, rollback_target=lambda *_: 0)),
    Bug("a repeated rollback falls further", "repeated_rollback", put(lifecycle, latest_rollback=nothing)),
    Bug(
        "a candidate is served",
        "self_approval",
        all_of(_serves_the_newest, put(deploy.Deployments, expect_signed=nothing)),
    ),
    Bug("a gateway stays behind", "go_on", _one_epoch_behind),
    Bug("weights are served under another release's name", "go_on", _wrong_weights),
    Bug("a release names another parent", "go_on", _wrong_parent),
    Bug("the overtaken approval counts", "overtaken_approval", _overtaken),
)
