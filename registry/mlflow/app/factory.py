"""The entry point of `mlflow server --app-name sealed`: MLflow's own sign-in first, then the guard.

It relies on names that MLflow does not promise to keep (seen in 3.17.2), and refuses to start where one is gone.
"""

import os
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from flask import Flask
from mlflow.server import app as flask_app
from mlflow.server import auth

from pipeline.errors import ExternalError
from registry.mlflow.app.assistant import WithoutAssistant, without_panel
from registry.mlflow.app.guard import Guard
from registry.mlflow.app.ledger import ServerLedger, ledger_address
from registry.mlflow.app.parsing import CHANGES, changes_registry
from registry.mlflow.app.roles import read_roles

RELIED_ON = (
    ("mlflow.server.auth", "create_app"),
    ("mlflow.server.auth", "_before_request"),
    ("mlflow.server.auth", "BEFORE_REQUEST_VALIDATORS"),
    ("mlflow.server.handlers", "_get_request_message"),
    ("mlflow.server.handlers", "catch_mlflow_exception"),
    ("mlflow.utils.validation", "_validate_model_version"),
    *(("mlflow.protos.model_registry_pb2", route.message) for route in CHANGES.values()),
)


def create_app(app: Flask = flask_app) -> Any:
    """MLflow's server behind its sign-in and our guard. Raises BadInput, NoWorkspace or ExternalError: no start."""
    expect_known_mlflow(app)
    guard = Guard(read_roles(os.environ), ServerLedger(ledger_address(os.environ)))
    # The order is the security: MLflow's own hook proves who asks, then ours decides, also about administrators.
    served = auth.create_app(app)
    _expect_sign_in(app)
    if isinstance(served, FastAPI):
        served.add_middleware(WithoutAssistant)
    app.before_request(guard.before_request)
    app.after_request(without_panel)
    for (path, method), own in list(auth.BEFORE_REQUEST_VALIDATORS.items()):
        if own is not None and changes_registry(path, method, ""):
            auth.BEFORE_REQUEST_VALIDATORS[(path, method)] = guard.permitted(own)
    return served


def expect_known_mlflow(app: Flask) -> None:
    """Raises ExternalError where this MLflow lacks what the guard relies on, or keeps several registries at once."""
    missing = [f"{module}.{name}" for module, name in RELIED_ON if not hasattr(import_module(module), name)]
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    missing += [f"the endpoint {name}" for name in CHANGES if name not in endpoints]
    if missing:
        raise ExternalError(
            f"this MLflow is not one that sealed knows how to guard: {', '.join(missing)} is gone. Nothing was "
            "started. Install the version that sealed names in its requirements."
        )
    if os.environ.get("MLFLOW_ENABLE_WORKSPACES", "").lower() in ("true", "1"):
        raise ExternalError(
            "MLFLOW_ENABLE_WORKSPACES gives MLflow several registries, and the ledger speaks of one. Unset it."
        )


def _expect_sign_in(app: Flask) -> None:
    hooks = app.before_request_funcs.get(None, [])
    if auth._before_request not in hooks:
        raise ExternalError(
            "MLflow's sign-in is not in place, so nobody can be told from anybody. Nothing was started. Install the "
            "version of MLflow that sealed names in its requirements."
        )
