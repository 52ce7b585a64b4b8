"""Gates are found by name: our own, and those that others install."""

import sys
from pathlib import Path

import pytest

from gates.catalogue import BUILT_IN, checks, policy_of
from gates.evaluation import report_on
from pipeline.errors import BadRecipe
from pipeline.recipe import PolicyRules
from pipeline.types import RunKind, Verdict

NIGHTLY = [name for name in BUILT_IN if name not in ("withdrawal", "writer_improvement")]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of somebody else with a gate `tone` and an attempt to replace `integrity`."""
    (tmp_path / "their_gates.py").write_text(
        "from pipeline.errors import MeasurementFailed\n"
        "def judge(evidence, policy):\n    raise MeasurementFailed('the tone server is down. Start it.')\n"
    )
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sealed.gates.checks]\ntone = their_gates\nintegrity = their_gates\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "their_gates", raising=False)


def test_the_built_in_gates_run_in_order() -> None:
    assert [name for name, _ in checks(PolicyRules())] == NIGHTLY


def test_a_rebuild_is_asked_whether_it_forgot_and_not_whether_it_learned() -> None:
    names = [name for name, _ in checks(PolicyRules(), RunKind.REBUILD)]
    left_out = (
        "contradictions",
        "acquisition",
        "corrections",
        "triggers",
        "writer_improvement",
        "diversity",
        "second_opinion",
    )
    assert names == [name for name in BUILT_IN if name not in left_out]


def test_writer_training_is_asked_whether_it_writes_better_and_not_whether_it_learned() -> None:
    names = [name for name, _ in checks(PolicyRules(), RunKind.WRITER_TRAINING)]
    left_out = ("contradictions", "acquisition", "corrections", "triggers", "withdrawal", "second_opinion")
    assert names == [name for name in BUILT_IN if name not in left_out]


def test_a_required_gate_that_nobody_has_is_a_bad_recipe() -> None:
    with pytest.raises(BadRecipe, match="names what is no gate: vibes"):
        checks(PolicyRules(required=("vibes",)))


@pytest.mark.usefixtures("installed")
def test_a_gate_that_judges_nothing_is_a_bad_recipe(tmp_path: Path) -> None:
    (tmp_path / "their_gates.py").write_text("NAME = 'tone'\n")
    with pytest.raises(BadRecipe, match="the gate 'tone' of their_gates lacks judge"):
        checks(PolicyRules())


@pytest.mark.usefixtures("installed")
def test_a_gate_that_judges_nightly_runs_alone_does_not_block_a_rebuild(tmp_path: Path) -> None:
    (tmp_path / "their_gates.py").write_text("JUDGES = ('nightly',)\ndef judge(evidence, policy): ...\n")
    policy = PolicyRules(required=("integrity", "tone"))
    assert policy_of(policy, RunKind.NIGHTLY, withdrawn=False) is policy
    assert policy_of(policy, RunKind.REBUILD, withdrawn=False).required == ("integrity",)
    assert "tone" not in dict(checks(policy, RunKind.REBUILD))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("kinds", ["()", "('weekly',)", "'nightly'"])
def test_a_gate_that_judges_no_kind_of_run_is_a_bad_recipe(kinds: str, tmp_path: Path) -> None:
    (tmp_path / "their_gates.py").write_text(f"JUDGES = {kinds}\ndef judge(evidence, policy): ...\n")
    with pytest.raises(BadRecipe, match="JUDGES of the gate 'tone' must hold kinds of runs"):
        checks(PolicyRules())


@pytest.mark.usefixtures("installed")
def test_an_installed_gate_runs_and_its_failure_is_no_pass(case: type) -> None:
    policy = PolicyRules(required=("integrity", "tone"))
    gates = checks(policy)
    assert [name for name, _ in gates] == [*NIGHTLY, "tone"]
    report = report_on(case().evidence(), policy, gates)
    assert report.results[0].verdict is Verdict.PASS
    assert report.results[-1].sentence == "tone: the tone server is down. Start it."
    assert report.verdict is Verdict.INCONCLUSIVE
