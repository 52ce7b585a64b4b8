"""MLflow's hardening switches stand wherever we start its server or say how: `sealed ui`, the stack, the guide."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.services.ui import processes
from flows.services.ui.accounts import Accounts
from pipeline.config import Settings
from registry.mlflow.app.roles import Roles

ROOT = Path(__file__).parents[3]
SWITCHES = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": processes.SOURCE_OF_VERSIONS,
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
OPTIONS = {"--app-name": "sealed", "--workers": "1"}


def of_ui(tmp_path: Path) -> tuple[dict[str, str], str]:
    written = {"model": "m", "base_model": "b", "base_tokenizer": "t", "base_chat_template": "c"}
    plan = processes.Plan(
        settings=Settings.at(tmp_path, written),
        accounts=Accounts(reviewer="ada", reviewer_password="r", admin_password="a", cookies="c"),
        ports=(5000, 4200, 8080),
        roles=Roles(),
        base={},
    )
    server = processes.mlflow_server(plan)
    return dict(server.environment), " ".join(server.command)


def of_stack(_: Path) -> tuple[dict[str, str], str]:
    stack: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    service = stack["services"]["mlflow"]
    return {name: str(value).replace("$$", "$") for name, value in service["environment"].items()}, service["command"]


def of_guide(_: Path) -> tuple[dict[str, str], str]:
    text = (ROOT / "docs" / "review.md").read_text(encoding="utf-8")
    (block,) = [one for one in re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL) if "mlflow server" in one]
    return {name: value.strip("'") for name, value in re.findall(r"(\w+)=('[^']*'|\S+)", block)}, block


@pytest.mark.parametrize("started", [of_ui, of_stack, of_guide])
def test_each_way_to_start_the_server_is_hardened(started: Any, tmp_path: Path) -> None:
    environment, command = started(tmp_path)
    assert {name: environment.get(name) for name in SWITCHES} == SWITCHES
    assert environment.get("DO_NOT_TRACK") == "1"
    for option, value in OPTIONS.items():
        assert f"{option} {value}" in command
    hosts = re.search(r"--allowed-hosts (\S+)", command)
    assert hosts
    assert "*" not in hosts[1]
    assert "--disable-security-middleware" not in command


def test_no_switch_is_one_that_this_mlflow_does_not_read() -> None:
    import mlflow

    source = "".join(
        file.read_text(encoding="utf-8") for file in [Path(mlflow.__file__).with_name("environment_variables.py")]
    )
    assert [name for name in SWITCHES if f'"{name}"' not in source] == []
