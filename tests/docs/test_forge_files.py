"""A public forge and pre-commit do what the Makefile and .ci/run do."""

import os
import re
from typing import Any

import yaml

from tests.docs.pages import ROOT, read


def loaded(path: str) -> Any:
    return yaml.safe_load(read(ROOT / path))


def test_pre_commit_runs_the_checks_of_the_makefile_with_its_tools() -> None:
    checks = re.search(r"^check:.*\n((?:\t.+\n)+)", read(ROOT / "Makefile"), flags=re.MULTILINE)
    assert checks
    tools = set(re.findall(r"\$\(BIN\)/([a-z-]+)", checks[1]))
    hooks = [hook for repo in loaded(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in hooks} == tools
    assert all(hook["language"] == "system" for hook in hooks)


def test_the_workflow_runs_what_continuous_integration_runs_on_the_same_python() -> None:
    (job,) = loaded(".github/workflows/ci.yml")["jobs"].values()
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert job["container"].startswith("python:3.11-")


def test_an_issue_asks_for_what_a_fix_needs_and_for_no_secret() -> None:
    bug = loaded(".github/ISSUE_TEMPLATE/bug.yml")
    fields = {field["id"] for field in bug["body"]}
    assert {"happened", "doctor", "revision"} <= fields
    assert "No passwords" in str(bug)
