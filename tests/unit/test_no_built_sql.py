"""No text of SQL is put together, and no secret is compared letter by letter: read off the code itself.

What stands in a statement is bound by SQLAlchemy. Triggers have no parameters; theirs are made of constants, once.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(file for name in ("pipeline", "gates", "registry", "flows") for file in (ROOT / name).rglob("*.py"))
OF_CONSTANTS = ROOT / "registry" / "migrations" / "triggers.py"
SQL = re.compile(
    r"\s*(SELECT|INSERT( OR \w+)? INTO|UPDATE|DELETE FROM|REPLACE INTO|PRAGMA|CREATE|DROP|ALTER|ATTACH|VACUUM|WITH)\s"
)
TAKES_SQL = {"text", "exec_driver_sql", "executescript", "executemany", "DDL", "literal_column"}
SECRET = re.compile(r"(^|_)(secret|password|presented|passphrase|api_key|authorization|hmac)s?$", re.IGNORECASE)


def _first(node: ast.AST) -> str:
    """The constant text at the beginning of an expression that puts texts together; "" for all others."""
    if isinstance(node, ast.JoinedStr):
        return _constant(node.values[0]) if len(node.values) > 1 else ""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return _constant(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"):
        return _constant(node.func.value)
    return ""


def _constant(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_built(node: ast.AST) -> bool:
    formats = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
    return isinstance(node, ast.JoinedStr | ast.BinOp) or formats


def built_sql(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if SQL.match(_first(node)):
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and node.args and _is_built(node.args[0]):
            of, _, name = ast.unparse(node.func).rpartition(".")
            if (name in TAKES_SQL and of in ("", "sa", "connection", "cursor", "op")) or (name == "execute" and of):
                yield ast.unparse(node)


def compared_secrets(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq | ast.In) for one in node.ops):
            names = [ast.unparse(one).rpartition(".")[2] for one in (node.left, *node.comparators)]
            constant = any(isinstance(one, ast.Constant) for one in (node.left, *node.comparators))
            if not constant and any(SECRET.search(name) for name in names):
                yield ast.unparse(node)


def test_no_statement_is_put_together() -> None:
    found = {file: list(built_sql(file.read_text(encoding="utf-8"))) for file in FILES if file != OF_CONSTANTS}
    assert {str(file): built for file, built in found.items() if built} == {}


def test_the_triggers_are_made_of_constants_alone() -> None:
    tree = ast.parse(OF_CONSTANTS.read_text(encoding="utf-8"))
    assert all(isinstance(node, ast.Assign | ast.Expr) for node in tree.body), "no function, no import"


def test_no_secret_is_compared_letter_by_letter() -> None:
    found = {file: list(compared_secrets(file.read_text(encoding="utf-8"))) for file in FILES}
    assert {str(file): compared for file, compared in found.items() if compared} == {}
    keys = (ROOT / "registry" / "gateway" / "keys.py").read_text(encoding="utf-8")
    assert "hmac.compare_digest" in keys


@pytest.mark.parametrize(
    "source",
    [
        'text(f"SELECT * FROM {table}")',
        "connection.execute(\"SELECT * FROM t WHERE name = '%s'\" % name)",
        'connection.execute("DELETE FROM t WHERE name = " + name)',
        'query = "UPDATE t SET a = {}".format(a)',
        'literal_column(f"{name} = 1")',
        'op.execute(f"{verb} TABLE t")',
        '" ".join("x")\nquery = f"WITH found AS ({inner}) SELECT 1"',
    ],
)
def test_the_look_for_statements_finds_each(source: str) -> None:
    assert list(built_sql(source))


@pytest.mark.parametrize("source", ["secret == given", "key.password != said", "presented in known"])
def test_the_look_for_comparisons_finds_each(source: str) -> None:
    assert list(compared_secrets(source))
