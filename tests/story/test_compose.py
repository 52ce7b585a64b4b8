"""The stack of docker-compose.yml, held without Docker: what it names exists, and so do the options it gives."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import Settings

ROOT = Path(__file__).parents[2]
STACK: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
GUIDE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
TOOLS = ("sealed", "mlflow", "prefect")


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


def test_what_a_service_leans_on_is_in_the_stack() -> None:
    for service in STACK["services"].values():
        assert set(service.get("depends_on", ())) <= set(STACK["services"])
        assert {config["source"] for config in service.get("configs", ())} <= set(STACK["configs"])
        named = {volume.partition(":")[0] for volume in service["volumes"]} if "volumes" in service else set()
        assert {name for name in named if re.fullmatch(r"[a-z]+", name)} <= set(STACK["volumes"])


def test_every_setting_of_ours_is_one_that_we_read() -> None:
    ours = {name for name in STACK["services"]["worker"]["environment"] if name.startswith("SEALED_")}
    assert {"SEALED_WORKSPACE", "SEALED_DATABASE_URL", "SEALED_TRACKING_URI", "SEALED_MODEL"} <= ours
    assert {name.removeprefix("SEALED_").lower() for name in ours} <= set(Settings.model_fields)


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
