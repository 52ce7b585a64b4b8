"""Where MLflow is, what it shows of the releases, and what must change there: values and pure decisions.

Imports no MLflow: `registry.mlflow` reads and writes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.types import Deployment, Release, ReviewKind
from registry.projection import PRODUCTION, SHOWN, Concluded, alias_versions, outcome_tags


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """Where MLflow is. `artifacts` is where a new experiment keeps its files; None leaves that to the server."""

    uri: str = field(repr=False)
    model_name: str = "sealed"
    experiment: str = "sealed"
    artifacts: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What was changed in MLflow, and what failed and is tried again next time: sentences."""

    repaired: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MlflowVersion:
    """A registered version as MLflow shows it, with what its tags name, if any.

    The release's state, its id and number, and what became of the newest decision on it.
    """

    version: str
    state: str | None
    release: tuple[str | None, str | None]
    outcome: str | None = None


@dataclass(frozen=True, kw_only=True)
class MlflowState:
    """All that MLflow shows. `epoch` is the deployment that it last matched; None: it has matched none.

    `description` is what the model's page says.
    """

    aliases: tuple[tuple[str, str], ...]
    versions: tuple[MlflowVersion, ...]
    epoch: int | None
    description: str = ""

    def version_of(self, alias: str) -> str | None:
        return dict(self.aliases).get(alias)

    def versions_of(self, release: Release) -> tuple[str, ...]:
        """The versions whose tags name this release, the oldest first."""
        mine = (release.id, str(release.number))
        return tuple(sorted((one.version for one in self.versions if one.release == mine), key=int))


@dataclass(frozen=True, kw_only=True)
class AliasMove:
    """An alias that must name another version, or none. `by`: who had moved it in MLflow; empty: nobody had."""

    alias: str
    before: str | None
    after: str | None
    by: str = ""

    @property
    def sentence(self) -> str:
        was, now = (f"version {version}" if version else "no version" for version in (self.before, self.after))
        if self.by:
            return f"{self.by} had set the MLflow alias {self.alias} to {was}: it names {now} again, as the ledger says"
        return f"the MLflow alias {self.alias} moved from {was} to {now}"


def alias_moves(
    state: MlflowState, deployment: Deployment, releases: Sequence[Release], concluded: Concluded = ()
) -> tuple[AliasMove, ...]:
    """The aliases that differ from the ledger at its newest `deployment`; none to a version that MLflow lost.

    `concluded` tells who had asked for a rollback by moving the alias.
    """
    moves = []
    for alias, after in alias_versions(releases, deployment):
        before = state.version_of(alias)
        if before == after or (after is not None and after not in {one.version for one in state.versions}):
            continue
        # MLflow had matched this very deployment, so nobody but a person can have moved the alias since.
        by_hand = alias == PRODUCTION and state.epoch == deployment.epoch
        by = _asked(before, concluded) if by_hand else ""
        moves.append(AliasMove(alias=alias, before=before, after=after, by=by))
    return tuple(moves)


def _asked(version: str | None, concluded: Concluded) -> str:
    asked = [one.who for one, _ in concluded if one.kind is ReviewKind.ROLLBACK and one.version == version]
    return asked[-1] if asked else "somebody"


def stale_states(state: MlflowState, releases: Sequence[Release]) -> tuple[tuple[str, str], ...]:
    """The versions whose tag names another state than the ledger: (version, the release's state)."""
    tagged = {one.version: one.state for one in state.versions}
    versions = [(one.mlflow_version, one.state) for one in releases if one.mlflow_version in tagged]
    return tuple((version, after.value) for version, after in versions if version and tagged[version] != after)


def missing_versions(state: MlflowState, releases: Sequence[Release]) -> tuple[Release, ...]:
    """The releases whose recorded version MLflow no longer holds."""
    there = {one.version for one in state.versions}
    return tuple(one for one in releases if one.mlflow_version and one.mlflow_version not in there)


def lost_versions(needed: Sequence[Release]) -> tuple[Release, ...]:
    """Those of the `needed` releases that are shown, and whose loss from MLflow is recorded."""
    return tuple(one for one in needed if one.state in SHOWN and one.mlflow_version is None)


def stale_outcomes(state: MlflowState, concluded: Concluded) -> tuple[tuple[str, str], ...]:
    """The versions whose tag says another outcome than the ledger: (version, text)."""
    tagged = {one.version: one.outcome for one in state.versions}
    return tuple((version, text) for version, text in outcome_tags(concluded) if tagged.get(version, text) != text)
