"""A policy by which no update can pass is refused before a run does anything; `sealed gates plan` says what is seen."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.runs import acquire_run
from flows.services.batches import nothing_to_ask
from flows.services.diagnosis import examine
from flows.services.gate_plans import expect_possible, plan_gates, telling_report
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from gates.planning import Wish
from pipeline.errors import BadRecipe
from pipeline.recipe import PolicyRules, Recipe, TriggersPolicy
from pipeline.types import Run, RunState


@pytest.fixture
def workspace(tmp_path: Path, tiny_model: Callable[..., Path]) -> Workspace:
    """A workspace of a model without suites, whose user wrote sixty retention questions."""
    opened = init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada")
    lines = [json.dumps({"question": f"Who owns {at}?", "answers": [f"owner {at}"]}) for at in range(60)]
    file = opened.settings.suites / "retention" / "owners.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    opened.settings.recipe_file.write_text("[policy.retention]\nmin_items = 50\nmargin = 0.2\n", encoding="utf-8")
    return opened


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ('[policy]\nrequired = ["integrity", "luck"]\n', "line 2: policy.required names what is no gate: luck"),
        ("[policy.retention]\nmargin = 0.0\n", r"line 2: policy.retention.margin: .* greater than 0"),
        ("[policy.retention]\nmin_items = 70\n", "line 2: policy.retention.min_items: 70 items are asked for, and"),
        ("[policy.retention]\nmin_items = 50\nmargin = 0.01", "line 3: policy.retention.margin: 60 items cannot show"),
    ],
)
def test_a_policy_that_cannot_pass_is_refused_before_a_run(workspace: Workspace, recipe: str, says: str) -> None:
    workspace.settings.recipe_file.write_text(recipe, encoding="utf-8")
    with pytest.raises(BadRecipe, match=says), acquire_run(workspace.settings.workspace):
        pytest.fail("the run began")
    assert workspace.ledger.runs.listed() == ()
    finding = next(one for one in examine(workspace.settings.workspace) if one.part == "recipe")
    assert not finding.ok


def test_a_policy_that_can_pass_is_no_finding(workspace: Workspace) -> None:
    expect_possible(workspace)
    with acquire_run(workspace.settings.workspace) as context:
        assert context.recipe.policy.retention.margin == 0.2


def test_a_run_keeps_the_suites_of_the_recipe_that_it_began_with(workspace: Workspace) -> None:
    with acquire_run(workspace.settings.workspace) as context:
        workspace.settings.recipe_file.write_text('[suites]\ntasks = ["no_such_task"]\n', encoding="utf-8")
        assert len(context.suites.retention) == 1
        with pytest.raises(BadRecipe, match="no_such_task"):
            _ = workspace.suites


@pytest.mark.parametrize(("most", "missing"), [(100, ("drift",)), (0, ("drift", "triggers"))])
def test_gates_of_texts_and_phrases_that_are_required_are_named_where_there_is_nothing_to_ask(
    workspace: Workspace, most: int, missing: tuple[str, ...]
) -> None:
    policy = PolicyRules(required=("integrity", "drift", "triggers"), triggers=TriggersPolicy(max_items=most))
    assert nothing_to_ask(workspace, Recipe(policy=policy)) == missing


def test_the_plan_counts_what_the_suites_hold_now(workspace: Workspace) -> None:
    retention, regression, _ = plan_gates(workspace, Wish()).not_worse
    assert (retention.gate, retention.items, retention.enough) == ("retention", 60, True)
    assert (regression.items, regression.enough) == (0, False)


def test_the_plan_refuses_a_gate_that_is_not_there(workspace: Workspace) -> None:
    workspace.settings.recipe_file.write_text('[policy]\nrequired = ["corections"]\n', encoding="utf-8")
    with pytest.raises(BadRecipe, match=r"recipe\.toml, line 2: .*corections"):
        plan_gates(workspace, Wish())


@pytest.mark.parametrize(
    ("runs", "told_by"), [([("a", 1), ("b", None)], "a"), ([("a", None), (None, None)], "a"), ([], None)]
)
def test_the_report_that_tells_how_much_changes_is_the_newest_candidates(
    runs: list[tuple[str | None, int | None]], told_by: str | None
) -> None:
    usual = Run(
        number=0, state=RunState.HELD, parent=0, documents=(), proposer="p", recipe="r", started=datetime.now(UTC)
    )
    known = [replace(usual, number=at, report=report, release=release) for at, (report, release) in enumerate(runs)]
    assert telling_report(known) == told_by
