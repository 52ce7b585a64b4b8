"""The threat model names tests that exist and ids that are well formed, and says what the poison study says."""

import ast
import json
import re
from functools import cache

import pytest

from benchmarks.poison.__main__ import table
from tests.docs.pages import ROOT, read

PAGE = ROOT / "docs" / "security.md"
RESULTS = ROOT / "benchmarks" / "results"
OWASP = re.compile(r"LLM(?:0[1-9]|10):2025")
ATLAS = re.compile(r"AML\.T\d{4}(?:\.\d{3})?")
# The techniques as MITRE ATLAS calls them.
TECHNIQUES = {
    "AML.T0010.003": "AI Supply Chain Compromise: Model",
    "AML.T0011.000": "User Execution: Unsafe AI Artifacts",
    "AML.T0012": "Valid Accounts",
    "AML.T0018": "Manipulate AI Model",
    "AML.T0020": "Poison Training Data",
    "AML.T0029": "Denial of AI Service",
    "AML.T0031": "Erode AI Model Integrity",
    "AML.T0046": "Spamming AI System with Chaff Data",
    "AML.T0049": "Exploit Public-Facing Application",
    "AML.T0051.001": "LLM Prompt Injection: Indirect",
    "AML.T0055": "Unsecured Credentials",
    "AML.T0057": "LLM Data Leakage",
    "AML.T0059": "Erode Dataset Integrity",
}


def threats() -> list[list[str]]:
    """The cells of each row of the table of threats."""
    section = read(PAGE).partition("## Threats")[2].partition("\n### ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in rows[1:]]


@cache
def defined(file: str) -> frozenset[str]:
    tree = ast.parse(read(ROOT / file))
    return frozenset(it.name for it in ast.walk(tree) if isinstance(it, ast.FunctionDef))


@pytest.mark.parametrize("row", threats(), ids=lambda row: row[0])
def test_a_threat_has_ids_that_are_known_and_tests_that_exist(row: list[str]) -> None:
    _, ids, done, tests = row
    named = ids.split(", ")
    assert named
    assert [one for one in named if not OWASP.fullmatch(one) and one not in TECHNIQUES] == []
    assert done.startswith(("prevented", "visible"))
    found = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
    assert found
    assert [f"{file}::{name}" for file, name in found if name not in defined(file)] == []


def test_every_technique_is_named_as_atlas_does() -> None:
    page = read(PAGE)
    assert set(ATLAS.findall(page)) == set(TECHNIQUES)
    assert [name for id_, name in TECHNIQUES.items() if f"| {id_} | {name} |" not in page] == []


@pytest.mark.parametrize("study", ["poison.json", "poison-smollm2.json"])
def test_the_page_shows_the_study_as_it_was_measured(study: str) -> None:
    figures = json.loads(read(RESULTS / study))["figures"]
    assert table(figures) in read(PAGE)
