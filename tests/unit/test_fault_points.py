"""Every effect on the world stands between two fault points, and a point does nothing unless it is armed."""

import ast
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import faults
from pipeline.errors import BadInput, DatabaseFailed
from pipeline.files import write_text

ROOT = Path(__file__).parents[2]
SOURCES = sorted(file for room in ("pipeline", "gates", "registry", "flows") for file in (ROOT / room).rglob("*.py"))
# What changes the world when it is called: by its full name, or as a method by its own.
FUNCTIONS = {
    "os.replace",
    "os.rename",
    "shutil.move",
    "shutil.rmtree",
    "MlflowClient",
    "download_artifacts",
    "utils._initialize_tables",
}
METHODS = {"commit", "rename"}
SERVERS = ROOT / "registry" / "servers"
LEASE = ROOT / "registry" / "store" / "lease.py"


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.disarm()


def is_effect(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "faults.effect"


def changes_the_world(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    named = ast.unparse(node.func)
    return named in FUNCTIONS or (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS)


def bare(node: ast.AST, between: bool = False) -> Iterator[int]:
    """The lines of the effects below `node` that stand between no two points."""
    if isinstance(node, ast.With):
        between = between or any(is_effect(item.context_expr) for item in node.items)
    if isinstance(node, ast.FunctionDef):
        between = between or any(map(is_effect, node.decorator_list))
    if changes_the_world(node) and not between:
        yield node.lineno  # type: ignore[attr-defined]
    for child in ast.iter_child_nodes(node):
        yield from bare(child, between)


def undecorated(file: Path, names: set[str]) -> Iterator[str]:
    """The functions and methods of these names without a pair of points, but for those of a protocol."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases):
            return
        if isinstance(node, ast.FunctionDef) and node.name in names and not any(map(is_effect, node.decorator_list)):
            yield f"{file.name}: {node.name}"


def test_no_effect_lacks_its_pair_of_points() -> None:
    found = {str(file.relative_to(ROOT)): list(bare(ast.parse(file.read_text("utf-8")))) for file in SOURCES}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_an_effect_without_a_pair_is_found() -> None:
    assert list(bare(ast.parse("def put(a, b):\n    os.replace(a, b)\n"))) == [2]
    assert list(bare(ast.parse("with open(a):\n    connection.commit()\n"))) == [2]
    assert list(bare(ast.parse("with faults.effect('a'):\n    os.replace(a, b)\n"))) == []


def test_every_activation_and_every_use_of_the_lease_has_its_pair() -> None:
    servers = [name for file in SERVERS.rglob("*.py") for name in undecorated(file, {"hold", "activate", "retire"})]
    # What they delegate to in the gateway is a server's own, and what a folder retains is renamed within a pair.
    assert [name for name in servers if not name.startswith(("folders.py", "adapters.py", "engine.py"))] == []
    assert list(undecorated(LEASE, {"acquire", "renew", "_release"})) == []


def test_only_the_ledgers_own_transactions_write_to_it() -> None:
    opening = [
        str(file.relative_to(ROOT))
        for file in SOURCES
        if any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "begin"
            and not node.args
            and not node.keywords
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
        )
    ]
    assert opening == ["registry/store/database.py"]


def test_a_point_does_nothing_unless_it_is_armed(tmp_path: Path) -> None:
    faults.disarm()
    write_text(tmp_path / "a", "whole")
    assert (tmp_path / "a").read_text() == "whole"


def test_the_named_occurrence_fails_and_no_other(tmp_path: Path) -> None:
    plan = faults.arm("file.write.before:2=no-space, file.write.after:2=lost-reply")
    write_text(tmp_path / "a", "first")
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "a", "second")
    assert (tmp_path / "a").read_text() == "first"
    with pytest.raises(OSError, match="lost-reply"):
        write_text(tmp_path / "a", "third")
    assert (tmp_path / "a").read_text() == "third"
    assert plan.passed == ["file.write.before", "file.write.after", *["file.write.before"] * 2, "file.write.after"]
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_the_error_is_the_one_that_the_world_would_raise() -> None:
    faults.arm("ledger.commit.before:1=raise")
    with pytest.raises(DatabaseFailed, match="asked for"):
        faults.point("ledger.commit.before", failure=DatabaseFailed)


@pytest.mark.parametrize(("action", "left"), [("kill", "whole"), ("torn", "wh")])
def test_the_environment_arms_a_process(tmp_path: Path, action: str, left: str) -> None:
    code = f"from pipeline.files import write_text, Path; write_text(Path({str(tmp_path)!r}) / 'a', 'whole')"
    env = {**os.environ, faults.ENVIRONMENT: f"file.write.after:1={action}"}
    child = subprocess.run([sys.executable, "-c", code], check=False, env=env, cwd=ROOT, timeout=60)
    assert child.returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_text() == left


@pytest.mark.parametrize(
    "text", ["file.write.after", "a:0=kill", "a:1=burn", "a.before:1=torn", "a.before:1=lost-reply", "a:1=delay:x"]
)
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="SEALED_FAULTS"):
        faults.arm(text)
