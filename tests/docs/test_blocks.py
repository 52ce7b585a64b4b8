"""Every code block of the pages does what it says: it is run, parsed or compared here, or says why it is not run."""

import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from pipeline.documents.ingestion import ingest
from pipeline.recipe import DocumentRules, Recipe
from pipeline.types import RawDocument
from registry.mlflow.app.roles import read_roles
from tests.docs import commands
from tests.docs.pages import PAGES, ROOT, Block, blocks, prose

# Run from beginning to end by tests/story/test_getting_started.py.
RUN_AS_A_STORY = ROOT / "docs" / "getting-started.md"
# The flow itself: compared with flows/nightly.py by test_readme.py.
COMPARED = ROOT / "README.md"
SUFFIXES = {"markdown": ".md", "json": ".jsonl"}
ALL = blocks()


def of(*languages: str) -> list[Block]:
    return [block for block in ALL if block.language in languages]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_stands_in_fenced_blocks(page: Path) -> None:
    """An indented block has no language, so nothing would check it."""
    indented = re.findall(r"(?:^|\n)\n {4}\S.*", re.sub(r"^[-\d*].*(?:\n .*)*", "", prose(page), flags=re.MULTILINE))
    assert indented == []


def test_every_block_has_a_language_that_is_checked() -> None:
    known = {"console", "python", "toml", "json", "yaml", "markdown", "text"}
    assert [str(block) for block in ALL if block.language not in known] == []


@pytest.mark.parametrize("block", of("console"), ids=str)
def test_every_command_exists_and_knows_its_options(block: Block) -> None:
    assert block.commands, f"{block}: a command line begins with `$ `"
    assert [found for command in block.commands if (found := commands.problem(command))] == []


@pytest.mark.parametrize(
    "command",
    [
        "sealed shwo 1",
        "sealed documents lst",
        "sealed approve 1 --as rita --notes x",
        "sealed approve --as rita --note x",
        "make rain",
        "python -m benchmarks.rain",
        "python -m benchmarks.learning --rain",
        "rain --help",
        "sealed status && sealed stats",
    ],
)
def test_a_command_that_does_not_exist_is_noticed(command: str) -> None:
    assert commands.problem(command)


@pytest.mark.parametrize("block", of("console", "text"), ids=str)
def test_what_is_not_run_says_why(block: Block) -> None:
    assert block.reason or block.page == RUN_AS_A_STORY, f"{block}: put `<!-- not run: REASON -->` above it"


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_is_a_module_that_imports(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"documented_{block.page.stem.lower().replace('-', '_')}_{block.line}"
    (tmp_path / f"{name}.py").write_text(block.text, encoding="utf-8")
    if block.page == COMPARED:
        compile(block.text, str(block), "exec")
        return
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.import_module(name)
    del sys.modules[name]


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_is_a_recipe_or_entry_points_or_roles(block: Block, tmp_path: Path) -> None:
    if "project" in tomllib.loads(block.text):  # installed for real by test_contributing.py
        assert block.page == ROOT / "CONTRIBUTING.md"
        return
    if block.page == ROOT / "docs" / "review.md":
        (tmp_path / "review.toml").write_text(block.text, encoding="utf-8")
        assert read_roles({"SEALED_REVIEW_CONFIG": str(tmp_path / "review.toml")}).reviewers
        return
    (tmp_path / "recipe.toml").write_text(block.text, encoding="utf-8")
    assert Recipe.read(tmp_path / "recipe.toml")


@pytest.mark.parametrize("block", of("markdown", "json"), ids=str)
def test_a_document_is_one_that_a_run_takes(block: Block) -> None:
    raw = RawDocument(name=f"example{SUFFIXES[block.language]}", data=block.text.encode())
    taken = ingest([raw], DocumentRules())
    assert [refusal.reason for refusal in taken.refused] == []
    assert taken.accepted


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_is_an_automation_of_prefect(block: Block) -> None:
    """That Prefect takes it is tested in tests/integration/test_run_endings.py."""
    assert {"name", "trigger", "actions"} <= set(yaml.safe_load(block.text))
