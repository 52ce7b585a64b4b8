"""All of a run is asked on one day: that on which it began, also where it is killed and goes on on another."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from prefect import Task

from flows import runs, tasks
from flows.run_context import RunContext
from flows.runs import acquire_run
from flows.services.initialisation import init_workspace
from pipeline.rendering import template_day
from pipeline.types import Run, RunKind
from tests.ledgers import Ledger, document, intake

DATED = "{{ 'Today is ' + strftime_now('%Y-%m-%d') + '\n' }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
BEGUN = datetime.now(UTC) - timedelta(days=3)


@pytest.fixture
def folder(tiny_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a document and an unfinished run that began three days ago."""
    monkeypatch.setattr(runs, "expect_possible", lambda _: None)  # what the suites hold does not matter here
    made = init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada", device="cpu")
    ledger = Ledger(made.ledger.database)
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        session.runs.begin(documents=[document("atlas").id], proposer="sealed", recipe=made.recipe.digest, at=BEGUN)
    made.ledger.close()
    return made.settings.workspace


def day_of(context: RunContext, run: Run) -> str:
    """The day that a step of the run prints, by a template that prints one."""

    def step(context: RunContext, run: Run) -> str:
        tokenizer: Any = context.workspace.metadata.tokenizer
        tokenizer.chat_template = DATED
        return template_day(tokenizer)

    return tasks.on_run_day(step)(context, run)


def opened(context: RunContext, kind: RunKind) -> Run:
    if kind is not RunKind.NIGHTLY:
        return tasks.open_run.fn(context, kind)
    run = tasks.open_nightly_run.fn(context)
    assert isinstance(run, Run)
    return run


def test_a_resumed_run_is_asked_on_the_day_on_which_it_began(folder: Path) -> None:
    with acquire_run(folder) as context:
        assert day_of(context, opened(context, RunKind.NIGHTLY)) == BEGUN.date().isoformat()


def test_a_run_that_takes_the_place_of_an_abandoned_one_has_its_own_day(folder: Path) -> None:
    with acquire_run(folder) as context:
        run = opened(context, RunKind.REBUILD)
        assert run.kind is RunKind.REBUILD
        assert day_of(context, run) == run.started.astimezone(UTC).date().isoformat() != BEGUN.date().isoformat()


def test_every_step_but_those_before_the_run_is_given_it() -> None:
    """By that it is on the run's day, which only a positional or named `Run` tells."""
    every = {name: one for name, one in vars(tasks).items() if isinstance(one, Task)}
    takes = {name: get_type_hints(one.fn).get("run") is Run for name, one in every.items()}
    assert {name for name, given in takes.items() if not given} == {
        "reconcile",
        "ingest",
        "open_nightly_run",
        "open_run",
    }
