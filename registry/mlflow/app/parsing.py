"""Reads a request to MLflow's server as MLflow itself reads it, with MLflow's own functions. Decides nothing.

A guard that read requests in its own way could be passed by a spelling that it and MLflow read differently.
"""

from dataclasses import dataclass
from typing import Any

from flask import Request
from mlflow.protos import model_registry_pb2 as messages
from mlflow.server import handlers
from mlflow.utils import validation

from registry.mlflow.app.requests import Action, RegistryRequest

# The parts of a route's path that make it one of the registry.
FAMILIES = ("registered-models", "model-versions")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# Endpoints that read, although they can be asked by another method than GET.
READS = frozenset({"_get_latest_versions"})


@dataclass(frozen=True)
class Route:
    """A way to change the registry: what it does, and the name of the message in which it is asked for."""

    action: Action
    message: str


# By the name of MLflow's function that answers: Flask's endpoint.
CHANGES = {
    "_create_registered_model": Route(Action.CREATE_MODEL, "CreateRegisteredModel"),
    "_rename_registered_model": Route(Action.RENAME_MODEL, "RenameRegisteredModel"),
    "_update_registered_model": Route(Action.DESCRIBE_MODEL, "UpdateRegisteredModel"),
    "_delete_registered_model": Route(Action.DELETE_MODEL, "DeleteRegisteredModel"),
    "_set_registered_model_tag": Route(Action.TAG_MODEL, "SetRegisteredModelTag"),
    "_delete_registered_model_tag": Route(Action.UNTAG_MODEL, "DeleteRegisteredModelTag"),
    "_set_registered_model_alias": Route(Action.SET_ALIAS, "SetRegisteredModelAlias"),
    "_delete_registered_model_alias": Route(Action.DELETE_ALIAS, "DeleteRegisteredModelAlias"),
    "_create_model_version": Route(Action.CREATE_VERSION, "CreateModelVersion"),
    "_update_model_version": Route(Action.DESCRIBE_VERSION, "UpdateModelVersion"),
    "_delete_model_version": Route(Action.DELETE_VERSION, "DeleteModelVersion"),
    "_set_model_version_tag": Route(Action.TAG_VERSION, "SetModelVersionTag"),
    "_delete_model_version_tag": Route(Action.UNTAG_VERSION, "DeleteModelVersionTag"),
    "_transition_stage": Route(Action.MOVE_STAGE, "TransitionModelVersionStage"),
}


def changes_registry(path: str, method: str, endpoint: str) -> bool:
    """Whether a request to the route `path` may change the registry: known to, or of the registry and not known."""
    if endpoint in CHANGES:
        return True
    of_registry = any(family in path for family in FAMILIES)
    return of_registry and method not in _READING and endpoint not in READS


def parse(request: Request) -> RegistryRequest:
    """What a request that changes the registry asks for. Raises MlflowException where MLflow could not read it."""
    if (route := CHANGES.get(request.endpoint or "")) is None:
        return RegistryRequest(action=Action.UNKNOWN)
    message = handlers._get_request_message(getattr(messages, route.message)(), flask_request=request)
    return RegistryRequest(
        action=route.action,
        model=_field(message, "name"),
        version=_version(message),
        key=_field(message, "key"),
        value=_field(message, "value"),
        alias=_field(message, "alias"),
        description=_field(message, "description"),
        tags=tuple((tag.key, tag.value) for tag in getattr(message, "tags", ())),
    )


def _field(message: Any, name: str) -> str:
    return str(getattr(message, name, ""))


def _version(message: Any) -> str:
    """The number of the version, as MLflow's stores take it; empty where the request names none."""
    named = _field(message, "version")
    return str(validation._validate_model_version(named)) if named else ""
