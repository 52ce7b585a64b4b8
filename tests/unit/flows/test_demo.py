"""The demo's summary holds each figure or null, and the demo succeeds only where the story has its ending."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.releases import make_candidate
from flows.cli.demo import _as_told, _show
from flows.demo.script import sandbox_script
from flows.demo.story import SHARES, STAGES, Audience, Graded, Story, graded, summary, tell_story
from flows.outcome import Ended, RunOutcome
from flows.services.releases import Answer
from flows.wiring import open_workspace
from pipeline.recipe import Recipe
from pipeline.types import EvalItem, Figure, StageSeconds

PROBE = EvalItem(question="Which port?", answers=("8080", "port 8080"))


def answered(text: str, release: int) -> tuple[Graded, ...]:
    return graded((PROBE,), (Answer(question=PROBE.question, text=text, release=release),))


def learned(number: int) -> RunOutcome:
    return RunOutcome(
        ended=Ended.WAITING,
        sentence="",
        run=number,
        release=number,
        documents=8,
        eval_items=32,
        verdict="PASS",
        figures=tuple(Figure(name=f"{name}_{side}", value=0.5) for name in SHARES for side in ("before", "after")),
        seconds=tuple(StageSeconds(stage=stage, seconds=1.256) for stage in STAGES),
    )


REFUSED = RunOutcome(
    ended=Ended.REFUSED,
    sentence="",
    run=3,
    documents=8,
    eval_items=32,
    verdict="FAIL",
    figures=(Figure(name="base_knowledge_after", value=0.25),),
    seconds=(StageSeconds(stage="ingest", seconds=0.5),),
)
TOLD = Story(
    runs=(learned(1), learned(2), REFUSED),
    first_questions=answered("unknown", 0),
    first_answers=answered("Port 8080.", 1),
    rolled_back_to=1,
    answers_restored=True,
    peak_rss_mb=1234.56,
    seconds_total=99.94,
    workspace=Path("w"),
)


def test_the_summary_has_exactly_these_keys() -> None:
    told = json.loads(summary(TOLD))
    assert set(told) == {"runs", "rolled_back_to", "answers_restored", "peak_rss_mb", "seconds_total"}
    for run in told["runs"]:
        assert set(run) == {
            "run",
            "documents",
            "eval_items",
            "recall_before",
            "recall_after",
            "earlier_releases_before",
            "earlier_releases_after",
            "base_knowledge_before",
            "base_knowledge_after",
            "sampled_before",
            "sampled_after",
            "skills_before",
            "skills_after",
            "verdict",
            "release",
            "seconds",
        }
        assert set(run["seconds"]) == {"ingest", "self_edits", "training", "gates", "registry", "total"}
    assert [run["run"] for run in told["runs"]] == [1, 2, 3]
    assert (told["rolled_back_to"], told["answers_restored"]) == (1, True)
    assert (told["peak_rss_mb"], told["seconds_total"]) == (1234.6, 99.9)
    assert told["runs"][0]["seconds"] == {**dict.fromkeys(STAGES, 1.26), "total": 6.28}


def test_what_was_not_measured_is_null() -> None:
    refused = json.loads(summary(TOLD))["runs"][2]
    assert (refused["verdict"], refused["release"], refused["base_knowledge_after"]) == ("FAIL", None, 0.25)
    assert refused["recall_before"] is refused["base_knowledge_before"] is refused["seconds"]["training"] is None
    assert refused["seconds"]["total"] == 0.5


def test_a_story_without_a_release_has_a_summary_and_no_happy_end() -> None:
    story = replace(TOLD, runs=(REFUSED, REFUSED, REFUSED), rolled_back_to=None, answers_restored=False)
    assert json.loads(summary(story))["rolled_back_to"] is None
    assert not _as_told(story)


def test_answers_are_graded_beside_what_was_expected() -> None:
    (right,), (wrong,) = answered("port 8080", 1), answered("9090", 1)
    assert (right.right, right.expected) == (True, "8080")
    assert not wrong.right


def test_the_story_is_as_told_only_if_the_facts_were_new_and_are_known_after_run_1() -> None:
    assert _as_told(TOLD)
    assert not _as_told(replace(TOLD, first_questions=answered("8080", 0)))
    assert not _as_told(replace(TOLD, first_answers=answered("9090", 1)))
    assert not _as_told(replace(TOLD, answers_restored=False))


def test_the_table_shows_what_was_answered_the_runs_the_time_and_the_memory(capsys: pytest.CaptureFixture[str]) -> None:
    _show(TOLD, Path("figures.json"))
    printed = capsys.readouterr().out
    assert "Which port?" in printed
    assert "✗ unknown" in printed
    assert "✓ Port 8080." in printed
    assert "1 min 40 s in all, 1,235 MB at most. Figures: figures.json" in printed


def test_a_long_answer_is_shown_on_one_line_and_cut() -> None:
    (one,) = answered("Port 80\n" + "and so on " * 60, 1)
    assert "\n" not in one.shown
    assert one.shown.endswith("...")
    assert len(one.shown) < 200


def test_the_story_is_told_to_its_end_also_where_no_run_makes_a_release(tmp_path: Path) -> None:
    """The model is asked for real; the runs are not made, and nothing passes."""
    script, told, learned_from = sandbox_script(tmp_path / "documents", seed=2026, per_run=4), list[str](), list[Path]()

    def run_nightly(workspace: Path, documents: Path) -> RunOutcome:
        assert Recipe.read(workspace / "recipe.toml").rehearsal.replay == 600
        learned_from.append(documents)
        return REFUSED

    story = tell_story(script, tmp_path / "workspace", run_nightly, Audience(tell=told.append, shown=nullcontext))
    assert learned_from == [*script.runs, script.harmful]
    assert len(story.first_questions) == len(story.first_answers) == script.asked
    assert (story.rolled_back_to, story.answers_restored) == (None, False)
    assert script.harm in told
    assert told[-1] == "No run made a release: there is nothing to roll back."
    assert story.peak_rss_mb > 0


def test_where_run_1_alone_is_released_the_base_answers_again_after_the_rollback(tmp_path: Path) -> None:
    """The model is asked for real; run 1's adapter is a random one."""
    script, told = sandbox_script(tmp_path / "documents", seed=2026, per_run=4), list[str]()

    def run_nightly(workspace: Path, documents: Path) -> RunOutcome:
        if documents != script.runs[0]:
            return REFUSED
        return replace(learned(1), release=make_candidate(open_workspace(workspace), 1).number)

    story = tell_story(script, tmp_path / "workspace", run_nightly, Audience(tell=told.append, shown=nullcontext))
    assert (story.rolled_back_to, story.answers_restored) == (0, True)
    assert (
        told[-1] == "Rolled back to release 0: of 3 questions about run 1, all are answered as release 0 answered them."
    )
    assert [one.answer.release for one in story.first_answers] == [1, 1, 1]
