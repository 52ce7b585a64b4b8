"""What MLflow must show of the ledger, and the names under which it shows it: pure decisions. Imports no MLflow.

`registry.mlflow.reconcile` writes it there; the guard of MLflow's server lets a service account write nothing else.
"""

from collections.abc import Sequence

from pipeline.types import Deployment, Release, ReleaseState, ReviewDecision, ReviewKind, ReviewOutcome

ID_TAG = "release.id"
NUMBER_TAG = "release.number"
MANIFEST_TAG = "manifest"
STATE_TAG = "release.state"
EPOCH_TAG = "sealed.epoch"
REVIEW_PREFIX = "review."
OUTCOME_TAG = f"{REVIEW_PREFIX}outcome"
PRODUCTION, CANDIDATE = "production", "candidate"
SHOWN = (ReleaseState.PRODUCTION, ReleaseState.CANDIDATE, ReleaseState.SUPERSEDED)  # these have a version in MLflow
NEW_MODEL = "Releases of sealed, one version each."  # the model's description, until it says what waits

Concluded = Sequence[tuple[ReviewDecision, ReviewOutcome]]


def alias_versions(releases: Sequence[Release], deployment: Deployment) -> tuple[tuple[str, str | None], ...]:
    """Which version each alias must name at the newest `deployment`; None: the alias must not be there."""
    production = next(one.mlflow_version for one in releases if one.number == deployment.release)
    waiting = candidate(releases)
    return ((PRODUCTION, production), (CANDIDATE, waiting.mlflow_version if waiting else None))


def candidate(releases: Sequence[Release]) -> Release | None:
    """The release that waits for review, or None."""
    waiting = [one for one in releases if one.state is ReleaseState.CANDIDATE]
    return waiting[-1] if waiting else None


def outcome_tags(concluded: Concluded) -> tuple[tuple[str, str], ...]:
    """The tag that says what became of the newest decision on each version: (version, text)."""
    newest = {decision.version: _outcome(decision, outcome) for decision, outcome in concluded}
    return tuple(newest.items())


def model_description(releases: Sequence[Release], deployment: Deployment, model_name: str) -> str:
    """What the model's page says: what waits for review, with the way to it, and what is in production. Markdown."""
    waiting = candidate(releases)
    production = next(one for one in releases if one.number == deployment.release)
    return f"{_waiting(waiting, model_name)}\n\n{_serving(production, deployment, model_name)}"


_NOUNS = {ReviewKind.APPROVE: "approval", ReviewKind.REJECT: "rejection", ReviewKind.ROLLBACK: "rollback"}


def _outcome(decision: ReviewDecision, outcome: ReviewOutcome) -> str:
    verb = "adopted" if outcome.adopted else "refused"
    return f"{verb}, {_NOUNS[decision.kind]} by {decision.who}: {outcome.sentence}"


def _waiting(waiting: Release | None, model_name: str) -> str:
    if waiting is None:
        return "No release waits for review."
    link = _link(model_name, waiting.mlflow_version)
    return (
        f"**Release {waiting.number} waits for review: {link}.** Read its description and its report. Then add the "
        "tag `review.<your name>` to the version, with the value `approved`, or `rejected: ` and why."
    )


def _serving(production: Release, deployment: Deployment, model_name: str) -> str:
    what = _link(model_name, production.mlflow_version) if production.mlflow_version else "the base model"
    return (
        f"Release {production.number} ({what}) is production since {deployment.at:%Y-%m-%d %H:%M} UTC, "
        f"by {deployment.actor}."
    )


def _link(model_name: str, version: str | None) -> str:
    return f"[version {version}](#/models/{model_name}/versions/{version})"
