"""Who proposes what a run makes, and so cannot approve it: named by one person, proved in a team."""

import os

from pipeline.actors import PROPOSER, proposer_named
from pipeline.config import Settings
from pipeline.errors import PolicyError
from registry.sign_in import sign_in


def proposer_of(settings: Settings, given: str | None) -> str:
    """The proposer of a run: in a single person's workspace as `proposer_named` says.

    In a team it is the service account by which this process signs in to MLflow, and no other may be `given`: a name
    that somebody types would let them approve their own work. Raises BadInput for no name, PolicyError where a team's
    proposer is not proved, TrackingFailed where MLflow does not answer.
    """
    if settings.review == "single":
        return proposer_named(given)
    name, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if not name or not password:
        raise PolicyError(
            "a team's run is proposed by the account that it signs in to MLflow with, and there is none here. Set "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to those of its service account."
        )
    proven = sign_in(settings.tracking_uri, name, password).name
    if (typed := given or os.environ.get(PROPOSER)) and typed != proven:
        raise PolicyError(
            f"{typed} is a name that nobody proved: in a team this run is proposed by {proven}, the account that it "
            f"signs in to MLflow with. Leave --proposer and {PROPOSER} out."
        )
    return proven
