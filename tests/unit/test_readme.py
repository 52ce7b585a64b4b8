"""The README shows what is: the body of the nightly flow, the package map, and commands that exist."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_nightly_flow_stands_in_the_readme_as_it_is_in_the_file() -> None:
    source = (ROOT / "flows" / "nightly.py").read_text(encoding="utf-8")
    body = source[source.index("@flow(") :].strip()
    assert f"```python\n{body}\n```" in README


def test_every_command_of_the_readme_is_one_that_the_command_line_knows() -> None:
    from flows.cli.app import app

    known = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    shown = set(re.findall(r"^\$ sealed ([a-z-]+)", README, flags=re.MULTILINE))
    assert shown
    assert shown <= known


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_lock_pins_every_direct_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower().replace("_", "-")
    pinned = set(re.findall(r"^([a-z0-9.-]+)==", lock, flags=re.MULTILINE))
    names = {re.split(r"[\[<>=~! ]", want, maxsplit=1)[0].lower().replace("_", "-") for want in wanted}
    assert names <= pinned
