"""All of a run is asked on one day: that on which it began, also where it is killed and goes on on another."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows import runs
from flows.runs import acquire_run
from flows.services.initialisation import init_workspace
from pipeline.rendering import template_day
from tests.ledgers import RECIPE, Ledger, intake

DATED = "{{ 'Today is ' + strftime_now('%Y-%m-%d') + '\n' }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
BEGUN = datetime.now(UTC) - timedelta(days=3)


def test_a_resumed_run_is_asked_on_the_day_on_which_it_began(
    tiny_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "expect_possible", lambda _: None)  # what the suites hold does not matter here
    made = init_workspace(tmp_path / "workspace", str(tiny_model("llama")), actor="ada", device="cpu")
    tokenizer = made.metadata.tokenizer
    tokenizer.chat_template = DATED
    folder, ledger = made.settings.workspace, Ledger(made.ledger.database)
    with acquire_run(folder):
        assert template_day(tokenizer) == datetime.now(UTC).date().isoformat()
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        session.runs.begin(limit=1, proposer="sealed", recipe=RECIPE, at=BEGUN)
    with acquire_run(folder):
        assert template_day(tokenizer) == BEGUN.date().isoformat()
    assert template_day(tokenizer) == datetime.now(UTC).date().isoformat()
    made.ledger.close()
