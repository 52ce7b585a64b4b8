"""The whole story on the embedded model, with the very functions that the command line runs. Prints nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flows.demo.memory import PeakMemory
from flows.outcome import RunOutcome
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.services.releases import Answer, ask
from flows.wiring import Workspace
from pipeline.documents import ingest, read_folder
from pipeline.files import write_text
from pipeline.grading import grade
from pipeline.recipe import DocumentRules, Recipe, recipe_toml
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import write_runs
from pipeline.types import EvalItem, Split

REVIEWER = "demo-reviewer"
REHEARSED = {"replay": 600, "generative": 600}  # the embedded recipe's amounts are for thirty runs; here are three
Teller = Callable[[str], None]
NightlyRunner = Callable[[Path, Path], RunOutcome]


@dataclass(frozen=True, kw_only=True)
class Graded:
    """An answer, one that would have been accepted, and whether it was right."""

    answer: Answer
    expected: str
    right: bool


@dataclass(frozen=True, kw_only=True)
class Story:
    """How the demo went: each run's outcome, and whether the rollback brought the old answers back.

    `rolled_back_to` is None where nothing was rolled back, because no run made a release.
    """

    runs: tuple[RunOutcome, ...]
    first_questions: tuple[Graded, ...]
    first_answers: tuple[Graded, ...]
    rolled_back_to: int | None
    answers_restored: bool
    peak_rss_mb: float
    seconds_total: float
    workspace: Path


def write_incoming(folder: Path, seed: int, per_run: int) -> tuple[Path, Path, Path]:
    """Two runs to learn, and a third that contradicts what the model knows."""
    write_runs(folder / "good", runs=2, per_run=per_run, seed=seed, variant=None)
    write_runs(folder / "harmful", runs=1, per_run=per_run, seed=seed, variant="contradictory")
    return folder / "good" / "run-1", folder / "good" / "run-2", folder / "harmful" / "run-1"


def tell_story(workspace: Path, seed: int, per_run: int, run_nightly: NightlyRunner, tell: Teller) -> Story:
    """Runs the story in a new workspace; `tell` gets its sentences as they come true."""
    memory = PeakMemory()
    with memory:
        opened = init_workspace(workspace, str(model_path()), actor="demo")
        _rehearse_less(opened.settings.recipe_file)
        first, second, harmful = write_incoming(workspace / "runs", seed, per_run)
        tell(f"Three questions about documents that will arrive, asked of the base model in {workspace}:")
        eval_items = _items(first)
        before = _tell_answers(opened, eval_items[:3], tell)
        run_1 = _run_and_approval(opened, first, run_nightly, tell)
        after = _tell_answers(opened, eval_items[:3], tell)
        questions = tuple(eval_item.question for eval_item in eval_items)
        kept = ask(opened, questions)
        run_2 = _run_and_approval(opened, second, run_nightly, tell)
        tell("Run 3 brings documents that contradict what the model knows.")
        run_3 = run_nightly(opened.settings.workspace, harmful)
        tell(run_3.sentence)
        back_to = _rollback(opened, (run_1, run_2), tell)
        restored = back_to is not None and _texts(ask(opened, questions)) == _texts(kept)
        if back_to is not None:
            tell(
                f"Rolled back to release {back_to}: of {len(questions)} questions about run 1, "
                f"{'all are' if restored else 'NOT all are'} answered as release {kept[0].release} answered them."
            )
    return Story(
        runs=(run_1, run_2, run_3),
        first_questions=before,
        first_answers=after,
        rolled_back_to=back_to,
        answers_restored=restored,
        peak_rss_mb=memory.peak_mb,
        seconds_total=memory.seconds,
        workspace=workspace,
    )


def _rehearse_less(recipe: Path) -> None:
    whole = Recipe.read(recipe)
    rehearsal = whole.rehearsal.model_copy(update=REHEARSED)
    write_text(recipe, recipe_toml(whole.model_copy(update={"rehearsal": rehearsal})))


def _run_and_approval(opened: Workspace, folder: Path, run_nightly: NightlyRunner, tell: Teller) -> RunOutcome:
    outcome = run_nightly(opened.settings.workspace, folder)
    tell(outcome.sentence)
    if outcome.release is not None:
        review.approve(opened, outcome.release, actor=REVIEWER, note="figures seen in the demo")
        tell(f"Release {outcome.release} is approved by {REVIEWER} and in production.")
    return outcome


def _rollback(opened: Workspace, runs: tuple[RunOutcome, ...], tell: Teller) -> int | None:
    """Puts the previous production back, where a run made one that can be left."""
    if all(run.release is None for run in runs):
        tell("No run made a release: there is nothing to roll back.")
        return None
    moved = review.rollback(opened, None, actor="demo-on-call", reason="the demo shows a rollback")
    return moved.deployment.release


def graded(eval_items: tuple[EvalItem, ...], answers: tuple[Answer, ...]) -> tuple[Graded, ...]:
    """Each answer beside the first accepted one, graded by the rule that the gates use."""
    return tuple(
        Graded(
            answer=answer,
            expected=eval_item.answers[0],
            right=grade(answer.text, eval_item.answers, eval_item.question) == 1.0,
        )
        for eval_item, answer in zip(eval_items, answers, strict=True)
    )


def _tell_answers(opened: Workspace, eval_items: tuple[EvalItem, ...], tell: Teller) -> tuple[Graded, ...]:
    found = graded(eval_items, ask(opened, tuple(eval_item.question for eval_item in eval_items)))
    for one in found:
        mark, answer = "✓" if one.right else "✗", one.answer
        tell(f"  {mark} release {answer.release}: {answer.question} -> {answer.text}   (expected: {one.expected})")
    return found


def _texts(answers: tuple[Answer, ...]) -> tuple[str, ...]:
    return tuple(answer.text for answer in answers)


def _items(folder: Path) -> tuple[EvalItem, ...]:
    """The test eval items of a folder of documents: one of each document in turn, so that the first are varied."""
    rules = DocumentRules()
    held_out = [
        [eval_item for eval_item in document.eval_items if eval_item.split is Split.TEST]
        for document in ingest(read_folder(folder, rules.max_bytes), rules).accepted
    ]
    return tuple(eval_item for turn in zip(*held_out, strict=False) for eval_item in turn)


SHARES = ("recall", "earlier_releases", "base_knowledge", "skills")
STAGES = ("ingest", "self_edits", "training", "gates", "registry")


def summary(story: Story) -> str:
    """The story as JSON: shares between 0 and 1, null where nothing was measured."""
    return json.dumps(
        {
            "runs": [_run(number, outcome) for number, outcome in enumerate(story.runs, start=1)],
            "rolled_back_to": story.rolled_back_to,
            "answers_restored": story.answers_restored,
            "peak_rss_mb": round(story.peak_rss_mb, 1),
            "seconds_total": round(story.seconds_total, 1),
        },
        indent=2,
    )


def _run(number: int, outcome: RunOutcome) -> dict[str, object]:
    shares = {figure.name: figure.value for figure in outcome.figures}
    seconds = {stage.stage: round(stage.seconds, 2) for stage in outcome.seconds}
    return {
        "run": number,
        "documents": outcome.documents,
        "eval_items": outcome.eval_items,
        **{f"{name}_{side}": shares.get(f"{name}_{side}") for name in SHARES for side in ("before", "after")},
        "verdict": outcome.verdict,
        "release": outcome.release,
        "seconds": {**{stage: seconds.get(stage) for stage in STAGES}, "total": round(outcome.seconds_total, 2)},
    }
