"""`sealed gates validate`: what differs by nothing but the seed passes, and what is damaged does not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.services import review
from flows.steps.gate_validation import RESAMPLED, SIBLINGS, ValidationWish, validate_gates
from flows.wiring import Workspace
from gates.validation.damage import Damage
from pipeline.errors import BadInput
from tests.review_workspace import ReviewedWorkspace

RECIPE = """[training]
rank = 4
alpha = 8
epochs = 1
[policy]
required = ["integrity", "contamination", "retention"]
[policy.retention]
min_items = 50
margin = 0.2
[advanced.policy]
max_answer_tokens = 4
"""
WISH = ValidationWish(seeds=2, draws=2, damage=(Damage.LEAK, Damage.KEYS, Damage.REFUSALS))


@pytest.fixture
def workspace(tmp_path: Path, tiny_model: Callable[..., Path]) -> Workspace:
    """With a release in production, the plan of its training, and sixty questions that nobody answers rightly."""
    made = ReviewedWorkspace(tmp_path / "workspace", tiny_model("llama"), f"sqlite:///{tmp_path / 'mlflow.db'}")
    opened = made.workspace
    opened.settings.recipe_file.write_text(RECIPE, encoding="utf-8")
    lines = [json.dumps({"question": f"Who owns {at}?", "answers": [f"nobody {at % 3}"]}) for at in range(60)]
    file = opened.settings.suites / "retention" / "owners.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    release = made.candidate("atlas")
    review.approve(opened, release.number, actor="rita", note="fine")
    return opened


def test_siblings_pass_and_damage_does_not(workspace: Workspace) -> None:
    found = validate_gates(workspace, WISH)
    by_kind = {rate.kind: rate for rate in found.rates}
    assert list(by_kind) == [SIBLINGS, RESAMPLED, Damage.LEAK, Damage.KEYS]
    assert (by_kind[SIBLINGS].passed, by_kind[SIBLINGS].n) == (2, 2)
    assert (by_kind[RESAMPLED].passed, by_kind[RESAMPLED].n) == (4, 4)
    for damage, gate in ((Damage.LEAK, "contamination"), (Damage.KEYS, "integrity")):
        assert (by_kind[damage].failed, by_kind[damage].n) == (2, 2)
        assert gate in by_kind[damage].against
    assert found.untried == (Damage.REFUSALS,), "there is no safety suite"
    assert [one.number for one in workspace.ledger.releases.listed()] == [0, 1]


def test_the_command_counts_for_people_and_machines(workspace: Workspace) -> None:
    where = ["-w", str(workspace.settings.workspace), "--seeds", "1", "--draws", "1"]
    shown = CliRunner().invoke(app, ["gates", "validate", *where])
    assert shown.exit_code == 0, shown.output
    assert "keys renamed" in shown.stdout
    told = json.loads(CliRunner().invoke(app, ["gates", "validate", *where, "--json"]).stdout)
    assert (told["release"], told["rates"][0]["kind"]) == (1, SIBLINGS)


def test_without_a_release_or_its_plan_there_is_nothing_to_repeat(workspace: Workspace) -> None:
    for plan in workspace.plans.iterdir():
        plan.unlink()
    with pytest.raises(BadInput, match="the plan of release 1 is no longer in"):
        validate_gates(workspace, replace(WISH, seeds=1))
    review.rollback(workspace, 0, actor="omar", reason="bad")
    with pytest.raises(BadInput, match="production is the base model"):
        validate_gates(workspace, replace(WISH, seeds=1))
