"""Whether a request only makes MLflow show what the ledger says: all that a service account may write. Pure."""

from pipeline.types import Release, ReleaseState
from registry.mlflow.app.requests import Action, RegistryRequest
from registry.mlflow.app.view import LedgerView
from registry.projection import (
    EPOCH_TAG,
    ID_TAG,
    MANIFEST_TAG,
    NEW_MODEL,
    NUMBER_TAG,
    OUTCOME_TAG,
    SHOWN,
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
            # A tag could make it a prompt: MLflow then shows it elsewhere, and takes versions from any source.
            return not request.tags and request.description in ("", NEW_MODEL)
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
    """Whether this version's release is being registered, or lost its version, and its tags say it and nothing else.

    A loss is recorded in the ledger before the release is registered again. No version begins with the words of a
    reviewer on it, or as a prompt, whose source MLflow does not check.
    """
    wanted = {one.id: one for one in ledger.releases if _lacks_version(one)}
    if (release := wanted.get(dict(request.tags).get(ID_TAG, ""))) is None:
        return False
    said = {ID_TAG: release.id, NUMBER_TAG: str(release.number), MANIFEST_TAG: release.manifest}
    return set(request.tags) <= set(said.items())


def _lacks_version(release: Release) -> bool:
    # The base model has no adapter that MLflow could hold.
    lost = release.number and release.mlflow_version is None and release.state in SHOWN
    return release.state is ReleaseState.REGISTERING or bool(lost)


def _is_shown(request: RegistryRequest, ledger: LedgerView) -> bool:
    release = ledger.release_of(request.version)
    if request.key == STATE_TAG:
        return release is not None and request.value == release.state.value
    return request.key == OUTCOME_TAG and (request.version, request.value) in outcome_tags(ledger.concluded)
