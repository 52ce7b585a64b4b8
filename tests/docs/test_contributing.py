"""The examples of CONTRIBUTING.md work: each is installed as the package of somebody else, found and run."""

import importlib
import sqlite3
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from gates.catalogue import checks, policy_of
from gates.evaluation import report_on
from pipeline.documents.ingestion import ingest
from pipeline.errors import BadInput
from pipeline.recipe import DocumentRules, Recipe
from pipeline.self_edits.style import style
from pipeline.types import Refusal, RunKind, Verdict
from tests.docs.pages import ROOT, blocks, read
from tests.engines import check_engine
from tests.unit.gates.conftest import Case, right

PAGE = ROOT / "CONTRIBUTING.md"
PACKAGE = "sealed_extras"


def section(title: str, language: str) -> str:
    """The first block of that language below the heading."""
    start = read(PAGE).index(f"\n## {title}\n")
    line = read(PAGE).count("\n", 0, start)
    return next(block.text for block in blocks(PAGE) if block.line > line and block.language == language)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package of the page: its modules, and a distribution with the page's entry points."""
    project = tomllib.loads(section("Where an addition goes", "toml"))["project"]
    package = tmp_path / PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text("")
    modules = {"definitions": "self-edit style", "every_document": "gate", "articles": "document source"}
    for name, kind in {**modules, "random_words": "engine"}.items():
        article = "an" if kind == "engine" else "a"
        (package / f"{name}.py").write_text(section(f"Add {article} {kind}", "python"), encoding="utf-8")
    info = tmp_path / f"{PACKAGE}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n\n".join(groups) + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{PACKAGE}.{name}")


def recipe(title: str, tmp_path: Path) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(section(title, "toml"), encoding="utf-8")
    return Recipe.read(path)


@pytest.mark.usefixtures("installed")
def test_the_style_is_found_by_the_recipe_and_reads_what_a_model_writes(tmp_path: Path) -> None:
    names = recipe("Add a self-edit style", tmp_path).self_edits.styles
    added = style(names[-1])
    assert added.prompt("Rivers\nRivers run to the sea.").startswith("Rivers\nRivers run to the sea.")
    examples = added.parse("Rivers", "- Delta: where a river ends\nnothing\n- Delta: where a river ends\n: no term\n")
    assert [(it.prompt, it.completion) for it in examples] == [("What does Delta mean?", "where a river ends")]
    assert added.parse("Rivers", "") == ()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("after", "verdict", "missed"),
    [([1.0] * 8, Verdict.PASS, 0), ([1.0] * 4 + [0.0, 0.0, 0.0, 1.0], Verdict.FAIL, 1)],
)
def test_the_gate_is_required_by_the_recipe_and_decides(
    after: list[float], verdict: Verdict, missed: int, tmp_path: Path
) -> None:
    policy = recipe("Add a gate", tmp_path).policy
    report = report_on(Case().run([0.0] * 8, after).evidence(), policy, checks(policy))
    (result,) = (result for result in report.results if result.gate == "every_document")
    assert (result.required, result.verdict) == (True, verdict)
    assert result.sentence == f"every document: {missed} of 2 documents have less than half of their questions right"
    rebuilds = policy_of(policy, RunKind.REBUILD, withdrawn=False)
    assert "every_document" not in {*rebuilds.required, *(name for name, _ in checks(rebuilds, RunKind.REBUILD))}


@pytest.mark.usefixtures("installed")
def test_the_gate_does_not_pass_what_was_not_measured(tmp_path: Path) -> None:
    policy = recipe("Add a gate", tmp_path).policy
    evidence = Case().standing("safety", "refusals", right(60), right(60)).evidence()
    (result,) = (it for it in report_on(evidence, policy, checks(policy)).results if it.gate == "every_document")
    assert result.verdict is Verdict.INCONCLUSIVE


@pytest.mark.usefixtures("installed")
def test_the_source_gives_documents_that_a_run_takes(tmp_path: Path) -> None:
    source, rules = module("articles"), DocumentRules()
    database = tmp_path / "articles.db"
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("CREATE TABLE articles(id INTEGER PRIMARY KEY, body TEXT)")
        connection.executemany("INSERT INTO articles(body) VALUES (?)", [("Herons nest in old trees.",), ("x" * 99,)])
    connection.close()
    assert [document.body for document in ingest(source.read(database, 50), rules).accepted] == [
        "Herons nest in old trees."
    ]
    assert isinstance(list(source.read(database, 50))[1], Refusal)
    with pytest.raises(BadInput, match="is not a file"):
        list(source.read(tmp_path / "none.db", 50))


@pytest.mark.usefixtures("installed")
def test_the_engine_keeps_the_contract_of_all_engines() -> None:
    check_engine(module("random_words").RandomWords())
