"""Whether a request only makes MLflow show what the ledger says: all that a service account may write. Pure."""

from pipeline.types import ReleaseState
from registry.mlflow.app.requests import Action, RegistryRequest
from registry.mlflow.app.view import LedgerView
from registry.projection import (
    EPOCH_TAG,
    ID_TAG,
    OUTCOME_TAG,
    REVIEW_PREFIX,
    STATE_TAG,
    alias_versions,
    model_description,
    outcome_tags,
)


def follows_ledger(request: RegistryRequest, ledger: LedgerView) -> bool:
    """Whether MLflow agrees with `ledger` as well, or better, once it did what is asked."""
    aliases = dict(alias_versions(ledger.releases, ledger.newest))
    match request.action:
        case Action.CREATE_MODEL:
            return True
        case Action.DESCRIBE_MODEL:
            return request.description == model_description(ledger.releases, ledger.newest, ledger.model)
        case Action.TAG_MODEL:
            return (request.key, request.value) == (EPOCH_TAG, str(ledger.newest.epoch))
        case Action.SET_ALIAS:
            return aliases.get(request.alias) == request.version
        case Action.DELETE_ALIAS:
            return request.alias in aliases and aliases[request.alias] is None
        case Action.CREATE_VERSION:
            return _is_being_registered(request, ledger)
        case Action.DELETE_VERSION:
            # A repeated request left a second version of one release: the ledger names the first.
            return bool(request.version) and ledger.release_of(request.version) is None
        case Action.TAG_VERSION:
            return _is_shown(request, ledger)
        case _:
            return False


def _is_being_registered(request: RegistryRequest, ledger: LedgerView) -> bool:
    """Whether a run registers this version's release now; no version begins with the words of a reviewer on it."""
    registering = {one.id for one in ledger.releases if one.state is ReleaseState.REGISTERING}
    reviewed = any(key.startswith(REVIEW_PREFIX) for key, _ in request.tags)
    return dict(request.tags).get(ID_TAG) in registering and not reviewed


def _is_shown(request: RegistryRequest, ledger: LedgerView) -> bool:
    release = ledger.release_of(request.version)
    if request.key == STATE_TAG:
        return release is not None and request.value == release.state.value
    return request.key == OUTCOME_TAG and (request.version, request.value) in outcome_tags(ledger.concluded)
