"""The guard reads a request as MLflow does, and knows every way to change the registry that this MLflow has."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Request, request
from mlflow.exceptions import MlflowException
from mlflow.server import app as flask_app

from pipeline.errors import ExternalError
from registry.mlflow.app.factory import RELIED_ON, expect_known_mlflow
from registry.mlflow.app.parsing import CHANGES, FAMILIES, READS, changes_registry, parse
from registry.mlflow.app.requests import Action, RegistryRequest

SET_TAG = "/api/2.0/mlflow/model-versions/set-tag"
TAG = {"name": "sealed", "version": "1", "key": "review.ada", "value": "approved"}
PREFIXES = ("/api/2.0", "/ajax-api/2.0")

# Families of routes that change something, and hold no registered model and no version of one.
OTHERS = (
    *("artifacts", "mlflow-artifacts", "datasets", "experiments", "runs", "traces", "logged-models", "scorers"),
    *("metrics", "gateway", "gateway-proxy", "issues", "label-schemas", "prompt-optimization", "review-queues"),
    *("webhooks", "jobs", "assessments", "scorer", "genai", "demo", "upload-artifact", "ui-telemetry", "workspaces"),
    *("users", "roles"),
)


def parsed(path: str, body: object, method: str = "POST") -> RegistryRequest:
    with flask_app.test_request_context(path, method=method, json=body):
        return parse(request)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("version", ["1", " 1", "1 ", "01", "+1", "１", "\t1\n", "0_1", "٠١"])
def test_every_spelling_that_mlflow_takes_for_version_1_is_version_1(prefix: str, version: str) -> None:
    asked = parsed(f"{prefix}/mlflow/model-versions/set-tag", TAG | {"version": version})
    assert asked == RegistryRequest(
        action=Action.TAG_VERSION, model="sealed", version="1", key="review.ada", value="approved"
    )


@pytest.mark.parametrize("version", ["one", "1.0", "1e0", "0x1", "²"])
def test_what_mlflow_takes_for_no_version_is_refused_as_mlflow_refuses_it(version: str) -> None:
    with pytest.raises(MlflowException, match="version"):
        parsed(SET_TAG, TAG | {"version": version})


def test_a_field_spelled_in_two_ways_is_refused() -> None:
    body = {"name": "sealed", "source": "s", "run_id": "1", "runId": "2"}
    with pytest.raises(MlflowException, match="both"):
        parsed("/api/2.0/mlflow/model-versions/create", body)


def test_a_body_that_is_json_within_json_is_read_as_mlflow_reads_it() -> None:
    assert parsed(SET_TAG, json.dumps(TAG)).key == "review.ada"


def test_the_tags_of_a_new_version_are_read() -> None:
    body = {"name": "sealed", "source": "s", "tags": [{"key": "release.id", "value": "x"}]}
    assert parsed("/api/2.0/mlflow/model-versions/create", body).tags == (("release.id", "x"),)


def test_an_alias_is_read_with_its_version() -> None:
    asked = parsed(
        "/api/2.0/mlflow/registered-models/alias", {"name": "sealed", "alias": "production", "version": "02"}
    )
    assert (asked.action, asked.alias, asked.version) == (Action.SET_ALIAS, "production", "2")


def _rules() -> Iterator[tuple[str, str, str]]:
    for rule in flask_app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}:
            yield rule.rule, method, rule.endpoint


def test_every_route_that_changes_the_registry_is_known() -> None:
    """Fails when MLflow gets a new one: name it in CHANGES, or in READS if it changes nothing."""
    found = {endpoint for path, method, endpoint in _rules() if any(family in path for family in FAMILIES)}
    assert found == set(CHANGES) | READS
    assert {endpoint for path, method, endpoint in _rules() if changes_registry(path, method, endpoint)} == set(CHANGES)


def test_no_other_family_of_routes_is_new() -> None:
    """Fails when MLflow gets a family of routes that nobody looked at: is it of the registry? FAMILIES, or OTHERS."""
    unknown = [path for path, _, _ in _rules() if not any(f"/{one}" in path for one in (*FAMILIES, *OTHERS, "graphql"))]
    assert unknown == []


def test_graphql_changes_nothing() -> None:
    from mlflow.server.graphql.graphql_schema_extensions import schema

    mutations = str(schema).partition("type Mutation {")[2].partition("}")[0]
    names = {line.split("(")[0].strip() for line in mutations.splitlines() if "(" in line}
    assert names == {"mlflowSearchDatasets", "mlflowSearchRuns", "testMutation"}


def test_a_registry_route_that_nobody_knows_is_one_that_changes_it() -> None:
    app = Flask("later")
    app.add_url_rule("/api/4.0/mlflow/registered-models/merge", "merge", lambda: "", methods=["POST", "GET"])
    assert changes_registry("/api/4.0/mlflow/registered-models/merge", "POST", "merge")
    assert not changes_registry("/api/4.0/mlflow/registered-models/merge", "GET", "merge")
    with app.test_request_context("/api/4.0/mlflow/registered-models/merge", method="POST"):
        asked: Request = request
        assert parse(asked) == RegistryRequest(action=Action.UNKNOWN)


def test_this_mlflow_has_all_that_the_guard_relies_on() -> None:
    expect_known_mlflow(flask_app)


@pytest.mark.parametrize(("module", "name"), RELIED_ON[:6])
def test_the_server_does_not_start_where_a_name_is_gone(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    monkeypatch.delattr(f"{module}.{name}")
    with pytest.raises(ExternalError, match=f"{module}.{name} is gone. Nothing was started"):
        expect_known_mlflow(flask_app)


def test_the_server_does_not_start_where_an_endpoint_is_gone() -> None:
    with pytest.raises(ExternalError, match="the endpoint _set_model_version_tag"):
        expect_known_mlflow(Flask("empty"))


def test_the_server_does_not_start_with_several_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "true")
    with pytest.raises(ExternalError, match="Unset it"):
        expect_known_mlflow(flask_app)


def _paths(router: Any) -> Iterator[str]:
    for route in router.routes:
        inner = getattr(route, "original_router", None)
        yield from [getattr(route, "path", "")] if inner is None else _paths(inner)


def test_native_routes_change_no_registered_model() -> None:
    """The guard is a hook of Flask's: what FastAPI answers beside it must not be of the registry."""
    from mlflow.server.fastapi_app import create_fastapi_app

    paths = list(_paths(create_fastapi_app(flask_app).router))
    assert [path for path in paths if "mlflow-artifacts/artifacts" in path]
    assert not [path for path in paths if any(family in path for family in FAMILIES)]
