"""The README stays short and true: its length, the nightly flow as it is in the file, its picture."""

import ast
import re
import tomllib

from tests.docs.pages import ROOT, blocks, read

README = ROOT / "README.md"
MOST_WORDS = 700


def test_it_is_short() -> None:
    assert len(read(README).split()) <= MOST_WORDS


def test_the_nightly_flow_stands_in_it_as_it_is_in_the_file() -> None:
    source = read(ROOT / "flows" / "nightly.py")
    (flow,) = (it for it in ast.parse(source).body if isinstance(it, ast.FunctionDef) and it.name == "nightly")
    body = source.splitlines()[flow.decorator_list[0].lineno - 1 : flow.end_lineno]
    assert "\n".join(body) + "\n" in [block.text for block in blocks(README)]


def test_its_two_commands_are_the_ones_that_set_themselves_up() -> None:
    targets = re.findall(r"^(demo|test): \$\(READY\)", read(ROOT / "Makefile"), flags=re.MULTILINE)
    shown = [command for block in blocks(README) for command in block.commands]
    assert all(any(command.startswith(f"make {target}") for command in shown) for target in targets)
    assert len(targets) == 2


def test_it_shows_a_picture_of_the_measurements() -> None:
    assert re.search(r"!\[[^\]]+\]\(benchmarks/results/[a-z-]+\.png\)", read(README))


def test_the_lock_pins_every_direct_dependency() -> None:
    project = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lock = read(ROOT / "requirements.lock").lower().replace("_", "-")
    pinned = set(re.findall(r"^([a-z0-9.-]+)==", lock, flags=re.MULTILINE))
    names = {re.split(r"[\[<>=~! ]", want, maxsplit=1)[0].lower().replace("_", "-") for want in wanted}
    assert names <= pinned
