"""The stack of docker-compose.yml, held without Docker: what it names exists, and so do the options it gives."""

import configparser
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.services.ui.processes import SOURCE_OF_VERSIONS
from pipeline.config import Settings
from registry.mlflow.app.ledger import ledger_address
from registry.mlflow.app.roles import read_roles

ROOT = Path(__file__).parents[2]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
GUIDE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
TOOLS = ("sealed", "mlflow", "prefect")
# Read by the plugin, not as a field of a workspace's settings.
NOT_OF_A_WORKSPACE = {"SEALED_REVIEWERS", "SEALED_ON_CALL", "SEALED_TRAINERS"}
# What MLflow 3.17 reads of the file of its sign-in.
KNOWN_SIGN_IN = ("default_permission", "database_uri", "admin_username", "auth_cache_ttl_seconds")


def calls(text: str) -> list[tuple[str, ...]]:
    """The calls of our tools in a command, each as its words up to the first option, and then its options."""
    words = [shlex.split(part, comments=True) for part in re.split(r"&&|\|\||;|\n", text.replace('"', ""))]
    starts = [next((at for at, word in enumerate(line) if word in TOOLS), None) for line in words]
    return [_call(line[at:]) for line, at in zip(words, starts, strict=True) if at is not None]


def _call(words: list[str]) -> tuple[str, ...]:
    options = [word for word in words if word.startswith("--")]
    first = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    return (*words[:first], *options)


COMMANDS = [service["command"] for service in STACK["services"].values() if "command" in service]
SCHEDULING = re.findall(r"^\$ (.*prefect .+)$", GUIDE, flags=re.MULTILINE)
CALLS = sorted({call for text in (*COMMANDS, *SCHEDULING) for call in calls(text)})


def test_the_services_are_those_that_the_guide_names() -> None:
    told = re.search(r"`docker-compose.yml` is a whole stack\s+on one host: (.*?)\.\n", GUIDE, flags=re.DOTALL)
    assert told
    assert set(re.findall(r"`([a-z]+)`", told[1])) == set(STACK["services"])


def volumes(service: dict[str, Any]) -> list[tuple[str, str]]:
    """Each volume of a service with the rest of its line."""
    found = []
    for one in service.get("volumes", ()):
        if isinstance(one, str):
            name, _, rest = one.partition(":")
        else:
            name, rest = one["source"], one["target"] + (":ro" if one["read_only"] else "")
        found.append((name, rest))
    return found


def test_what_a_service_leans_on_is_in_the_stack() -> None:
    for service in STACK["services"].values():
        assert set(service.get("depends_on", ())) <= set(STACK["services"])
        assert {config["source"] for config in service.get("configs", ())} <= set(STACK["configs"])
        named = {name for name, _ in volumes(service)}
        assert {name for name in named if re.fullmatch(r"[a-z]+", name)} <= set(STACK["volumes"])


def environment(service: str) -> dict[str, str]:
    found: dict[str, str] = STACK["services"][service].get("environment", {})
    return found


def test_every_setting_of_ours_is_one_that_we_read() -> None:
    ours = {name for service in STACK["services"] for name in environment(service) if name.startswith("SEALED_")}
    assert {"SEALED_WORKSPACE", "SEALED_DATABASE_URL", "SEALED_TRACKING_URI", "SEALED_MODEL"} <= ours
    assert {name.removeprefix("SEALED_").lower() for name in ours - NOT_OF_A_WORKSPACE} <= set(Settings.model_fields)


def test_no_secret_has_a_default_and_each_that_is_missing_says_what_it_is() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", text)
    secret = {name for name, _ in asked if re.search("PASSWORD|SECRET|SIGN_IN", name)}
    assert secret == {
        "POSTGRES_PASSWORD",
        "MLFLOW_ADMIN_PASSWORD",
        "MLFLOW_SECRET_KEY",
        "TRAINER_PASSWORD",
        "PREFECT_SIGN_IN",
    }
    assert all(rest.startswith(":?") and len(rest) > 2 for name, rest in asked if name in secret)
    written = {value for service in STACK["services"] for value in environment(service).values() if "://" in str(value)}
    assert all("${POSTGRES_PASSWORD:?" in value for value in written if "@" in value)


def test_mlflow_runs_the_plugin_with_roles_that_it_takes_and_its_switches() -> None:
    settings = environment("mlflow")
    assert "--app-name sealed" in STACK["services"]["mlflow"]["command"]
    roles = read_roles({**settings, "SEALED_REVIEWERS": "ada,grace", "SEALED_ON_CALL": ""})
    assert roles.trainers == {environment("worker")["MLFLOW_TRACKING_USERNAME"]}
    assert ledger_address(settings).model == "sealed"
    assert settings["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert settings["MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX"].replace("$$", "$") == SOURCE_OF_VERSIONS
    sign_in = configparser.ConfigParser()
    sign_in.read_string(STACK["configs"]["sign-in"]["content"])
    assert sign_in["mlflow"]["database_uri"].startswith("sqlite:////accounts/")
    assert set(sign_in["mlflow"]) <= set(KNOWN_SIGN_IN)


def mounted(service: str) -> dict[str, str]:
    """The volumes of a service: each with the rest of its line, a whole volume's before that of a file in it."""
    return dict(reversed(volumes(STACK["services"][service])))


def test_the_worker_can_write_neither_settings_nor_the_keys_of_clients() -> None:
    """A run of Prefect's may name any command, and works in the shared folder."""
    (keys,) = {
        str(Path(value).parent) for name in STACK["services"] if (value := environment(name).get("SEALED_API_KEYS"))
    }
    assert [name for name in STACK["services"] if keys in dict(volumes(STACK["services"][name])).values()] == [
        "gateway"
    ]
    writers = {name for name in STACK["services"] if ("workspace", "/workspace") in volumes(STACK["services"][name])}
    assert writers == {"init", "worker", "reconciler", "gateway"}
    for name in writers - {"init"}:
        mounts = STACK["services"][name]["volumes"]
        (settings,) = [one for one in mounts if isinstance(one, dict)]
        assert settings["target"] == "/workspace/sealed.toml"
        assert settings["volume"] == {"subpath": "sealed.toml"}
        assert settings["read_only"]
        assert mounts.index(settings) > mounts.index("workspace:/workspace"), "mounted over the folder"
        assert "init" in STACK["services"][name]["depends_on"]
    assert STACK["services"]["init"]["restart"] == "no"


def test_only_the_service_that_adopts_decisions_can_sign_a_release_and_none_that_runs_can_trust_a_key() -> None:
    holders = {name: environment(name).get("SEALED_SIGNING_KEY") for name in STACK["services"]}
    assert {name for name, key in holders.items() if key} == {"reconciler", "mlflow"}
    assert [name for name in STACK["services"] if "keys" in mounted(name)] == ["reconciler"]
    for name in ("worker", "gateway"):
        assert mounted(name)["trusted"] == "/trusted:ro"
        assert environment(name)["SEALED_REVIEW"] == "team"


def test_only_mlflow_can_sign_what_people_decide_and_that_counts_for_no_release() -> None:
    assert [name for name in STACK["services"] if "decision-keys" in mounted(name)] == ["mlflow"]
    assert "trusted" not in mounted("mlflow")
    assert environment("mlflow")["SEALED_SIGNING_KEY"] == f"{mounted('mlflow')['decision-keys']}/decisions.pem"
    assert [name for name in STACK["services"] if "published" in mounted(name)] == ["mlflow", "reconciler"]
    assert mounted("reconciler")["published"] == "/published:ro"
    trusting = STACK["services"]["reconciler"]["command"]
    assert "sealed keys trust --decisions /published/decisions.pub.pem" in trusting
    assert "sealed keys trust /keys/signing.pub.pem" in trusting


def test_runs_cannot_change_what_says_who_approves_or_how_far_the_ledger_was_seen() -> None:
    for name in ("reconciler", "gateway"):
        said = environment(name)
        assert {"SEALED_REVIEW", "SEALED_APPROVERS", "SEALED_APPROVAL_DAYS", "SEALED_TRUSTED_KEYS"} <= set(said)
        place = Path(said["SEALED_LEDGER_MARK"])
        (volume,) = [one for one, where in mounted(name).items() if where == str(place.parent)]
        assert volume not in mounted("worker")


def test_who_may_schedule_runs_chooses_nothing_that_works_beside_a_key() -> None:
    """A run of Prefect's may name any command: whoever polls it must hold no key."""
    for name in ("reconciler", "mlflow"):
        assert not [variable for variable in environment(name) if variable.startswith("PREFECT_")]
        assert "prefect" not in STACK["services"][name]["command"]


def test_what_the_worker_deploys_is_what_it_works_on() -> None:
    deployed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    queues = {one["name"]: one["work_pool"]["work_queue_name"] for one in deployed}
    command = STACK["services"]["worker"]["command"]
    assert {queues[name] for name in re.findall(r"--name ([a-z-]+)", command)} == {"default"}
    assert re.findall(r"--work-queue (\w+)", command) == ["default"]
    # People decide in MLflow, whose server proves who they are: not by a run that anybody may start.
    assert set(re.findall(r"--name ([a-z-]+)", command)) == {*queues} - {"reconcile", "approve", "reject"}


def test_other_machines_reach_no_service() -> None:
    ports = [port for service in STACK["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_stack_calls_all_three_tools() -> None:
    assert {call[0] for text in COMMANDS for call in calls(text)} == set(TOOLS)


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_every_command_knows_its_options(call: tuple[str, ...]) -> None:
    verbs, options = [word for word in call if word[0] != "-"], {word for word in call if word[0] == "-"}
    ran = subprocess.run(
        [str(Path(sys.executable).parent / verbs[0]), *verbs[1:], "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert options <= set(re.findall(r"--[a-z-]+", ran.stdout)), ran.stdout
