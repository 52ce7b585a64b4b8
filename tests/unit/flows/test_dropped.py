"""What was dropped of a run's self-edits is kept for its report, once for each document however often it is killed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flows.steps.self_edits import dropped_of, remember_dropped
from pipeline.types import Dropped


def test_what_was_dropped_is_kept_and_replaced_where_a_document_is_written_about_again(tmp_path: Path) -> None:
    context: Any = SimpleNamespace(workspace=SimpleNamespace(plans=tmp_path))
    run: Any = SimpleNamespace(number=3)
    assert dropped_of(context, run) == ()
    first, second = (Dropped(document=one, style="rewrite", reason="empty", count=2) for one in "ab")
    remember_dropped(context, run, [first])
    remember_dropped(context, run, [second])
    remember_dropped(context, run, [first])
    assert dropped_of(context, run) == (second, first)
    (tmp_path / "dropped-3.json").write_text("{")
    assert dropped_of(context, run) == ()
