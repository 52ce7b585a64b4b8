"""A base model makes its standing suites itself: of what it surely does, once, and of nothing that is trained on."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import flows.suites
from flows.run_context import RunContext
from flows.services.batches import nothing_to_ask
from flows.services.initialisation import init_workspace
from flows.services.status import overview
from flows.services.suites import build_suites
from flows.steps.ingestion import ingest, open_nightly_run
from flows.wiring import Workspace
from gates.batches import Batch
from gates.measure import measure
from gates.standing_suites import building, knowledge
from gates.suite import Suites, read_suites
from pipeline import progress
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade_opening
from pipeline.sandbox import model_path
from pipeline.types import Checkpoint, ModelRef


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sandbox model, as somebody's own that brings nothing."""
    folder = tmp_path_factory.mktemp("model") / "own"
    return Path(shutil.copytree(model_path(), folder, ignore=shutil.ignore_patterns("sealed", "README.md")))


@pytest.fixture(scope="module")
def _short() -> Iterator[None]:
    """Rounds in which little is asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knowledge, "_COPIES", 1)
        patch.setattr(building, "_PASSAGES", 40)
        yield


@pytest.fixture(scope="module")
def made(_short: None, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose suites were built, after a first build that was killed."""
    opened = init_workspace(tmp_path_factory.mktemp("made") / "workspace", str(model), actor="ada")
    recipe = "[policy.retention]\nmin_items = 60\nmargin = 0.2\n[policy.regression]\nmin_items = 20\nmargin = 0.2\n"
    opened.settings.recipe_file.write_text(f"{recipe}[policy.safety]\nmin_items = 50\nmargin = 0.2\n", encoding="utf-8")
    taken = [{"prompt": one} for one in _asked_first(opened)]
    file = opened.settings.rehearsal_prompts / "own.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in taken), encoding="utf-8")
    with pytest.raises(KeyboardInterrupt), progress.watched_by(_killed_while("suites: regression")):
        build_suites(opened)
    assert nothing_to_ask(opened, opened.recipe) == ("regression", "safety")
    build_suites(opened)
    return opened


def _asked_first(opened: Workspace) -> list[str]:
    """Some of what the model will ask itself."""
    from gates.standing_suites import KeptEngine

    kept = KeptEngine(opened.engine, opened.settings.cache / "standing_suites")
    return [one for one in knowledge.prompts(kept, 0) if one.endswith("?")][:5]


def _killed_while(step: str) -> Callable[[str, float, float], None]:
    def watch(name: str, done: float, total: float) -> None:
        if name.startswith(step) and 0 < done < total:
            raise KeyboardInterrupt

    return watch


def test_every_kind_of_suite_is_made(made: Workspace) -> None:
    suites = made.suites
    assert nothing_to_ask(made, made.recipe) == ()
    assert sum(map(len, suites.retention)) >= 60
    assert sum(map(len, suites.safety)) >= 50
    assert sum(map(len, suites.regression)) >= 20
    assert len(suites.texts) >= 40
    assert all(one.group for one in suites.all[0].items)


def test_what_is_made_the_model_does_now(made: Workspace, tmp_path: Path) -> None:
    ref = ModelRef(base=LocalEngine(made.base).base_digest)
    scores = measure(made.base, Checkpoint(ref), made.suites.all, made.recipe.policy, tmp_path)
    share = {one.suite: sum(item.score for item in one.items) / len(one.items) for one in scores}
    assert share["regression/own-reading"] > 0.97
    assert share["retention/own-knowledge"] > 0.97
    assert share["safety/declined"] > 0.97


def test_nothing_that_is_rehearsed_is_asked(made: Workspace) -> None:
    rehearsed = {json.loads(line)["prompt"] for line in _rehearsed(made).splitlines()}
    asked = " ".join(item.question for suite in made.suites.all for item in suite.items)
    assert rehearsed
    assert not any(prompt in asked for prompt in rehearsed)


def _rehearsed(made: Workspace) -> str:
    return (made.settings.rehearsal_prompts / "own.jsonl").read_text(encoding="utf-8")


def test_knowledge_holds_no_refusal_and_no_answer_that_its_question_gives(made: Workspace) -> None:
    for item in made.suites.retention[0].eval_items:
        assert not grade_opening(item.answers[0], sorted({"I cannot share"}))
        assert item.answers[0].lower() not in item.question.lower()


def test_what_is_there_stays_and_costs_nothing(made: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = made.suites.digest
    monkeypatch.setattr(LocalEngine, "generate", None)
    found = build_suites(made)
    assert made.suites.digest == before
    assert not any(one.made for one in found.built.suites)
    assert [(one.gate, one.enough) for one in found.plan.not_worse if one.gate == "safety"] == [("safety", True)]
    assert flows.suites.build_suites.fn(made.settings.workspace) == sum(one.items for one in found.built.suites)


@pytest.mark.slow
def test_a_build_that_was_killed_ends_as_one_that_was_not(made: Workspace, model: Path, tmp_path: Path) -> None:
    other = init_workspace(tmp_path / "workspace", str(model), actor="ada")
    shutil.copy(made.settings.recipe_file, other.settings.recipe_file)
    shutil.copytree(made.settings.rehearsal_prompts, other.settings.rehearsal_prompts, dirs_exist_ok=True)
    shutil.copytree(made.settings.suites / "retention", other.settings.suites / "retention")
    build_suites(other)
    assert other.suites.digest == made.suites.digest
    other.ledger.close()


def test_a_run_that_cannot_pass_does_not_begin(model: Path, tmp_path: Path) -> None:
    opened = init_workspace(tmp_path / "workspace", str(model), actor="ada")
    assert opened.suites == Suites() == read_suites(opened.settings.suites)
    (opened.settings.incoming / "tides.md").write_text("# Tides\n\nThe sea rises twice a day.\n", encoding="utf-8")
    with opened.ledger.session() as session:
        context = RunContext(opened, session, opened.recipe)
        ingest(context, None)
        batch = open_nightly_run(context, "ada")
    assert isinstance(batch, Batch)
    suites, questions = batch.lacking
    assert suites.startswith("retention, regression, safety: there are no suites to ask")
    assert f"`sealed suites build -w {opened.settings.workspace}`" in suites
    assert "40 test questions in 8 documents are needed, and of 1 queued document a run can take 0 with 0" in questions
    assert (batch.documents, opened.ledger.runs.listed()) == ((), ())
    assert "there are no suites to ask" in overview(opened).next_step
    opened.settings.recipe_file.write_text('[policy]\nrequired = ["integrity"]\n', encoding="utf-8")
    assert overview(opened).next_step == "`sealed update` learns the queued documents"
    opened.settings.recipe_file.write_text("[policy]\nrequired = 3\n", encoding="utf-8")
    assert overview(opened).next_step.startswith(f"mend what no run can read: {opened.settings.recipe_file}")
    opened.ledger.close()


def test_a_model_that_does_nothing_surely_gets_no_such_suite(
    tiny_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model made at random: what cannot be made is said, and no empty file is left."""
    small: dict[Any, Any] = {building: {"ROUNDS": 1, "_PASSAGES": 20}, knowledge: {"_COPIES": 1, "_PROMPTS": 8}}
    for module, values in small.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    opened = init_workspace(tmp_path / "workspace", str(tiny_model("gpt2")), actor="ada")
    built = build_suites(opened).built
    assert {"retention", "safety"} <= set(built.empty)
    assert not (opened.settings.suites / "retention").exists()
    opened.ledger.close()
