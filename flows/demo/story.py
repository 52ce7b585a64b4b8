"""The whole story of a demo, with the very functions that the command line runs. Prints nothing."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from flows.demo.memory import PeakMemory
from flows.demo.script import DemoScript
from flows.outcome import RunOutcome
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.services.releases import Answer, ask
from flows.wiring import Workspace
from gates.wording import counted
from pipeline.documents import ingest, read_folder
from pipeline.files import write_text
from pipeline.grading import grade
from pipeline.progress import step
from pipeline.recipe import DocumentRules, Recipe, recipe_toml
from pipeline.types import EvalItem, Split

REVIEWER = "demo-reviewer"
_LONGEST_SHOWN = 160  # characters of an answer
NightlyRunner = Callable[[Path, Path], RunOutcome]
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Who hears the story: `tell` gets its sentences as they come true, `shown` shows the progress of its block."""

    tell: Tell
    shown: Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Graded:
    """An answer, one that would have been accepted, and whether it was right."""

    answer: Answer
    expected: str
    right: bool

    @property
    def shown(self) -> str:
        """The answer on one line, cut where it is long."""
        line = " ".join(self.answer.text.split())
        return line if len(line) <= _LONGEST_SHOWN else f"{line[:_LONGEST_SHOWN]}..."


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


def tell_story(script: DemoScript, workspace: Path, run_nightly: NightlyRunner, audience: Audience) -> Story:
    """Runs the story in a new workspace. Raises as `init_workspace` does, and what a run raises."""
    memory, tell = PeakMemory(), audience.tell
    with memory:
        opened = _prepared(script, workspace, audience)
        tell(
            f"{counted(script.asked, 'question')} about documents that will arrive, asked of the base model in "
            f"{workspace}:"
        )
        eval_items = _items(script.runs[0])
        before = _tell_answers(opened, eval_items[: script.asked], audience)
        kept = {0: tuple(one.answer for one in before)}
        run_1 = _run_and_approval(opened, script.runs[0], run_nightly, tell)
        after = _tell_answers(opened, eval_items[: script.asked], audience)
        if run_1.release is not None:
            kept[run_1.release] = _ask(opened, _questions(eval_items), audience)
        run_2 = _run_and_approval(opened, script.runs[1], run_nightly, tell)
        tell(script.harm)
        run_3 = run_nightly(opened.settings.workspace, script.harmful)
        tell(run_3.sentence)
        back_to = _rollback(opened, (run_1, run_2), tell)
        restored = back_to is not None and _answers_as(opened, kept[back_to], audience)
        if back_to is not None:
            tell(
                f"Rolled back to release {back_to}: of {len(kept[back_to])} questions about run 1, "
                f"{'all are' if restored else 'NOT all are'} answered as release {back_to} answered them."
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


def _prepared(script: DemoScript, workspace: Path, audience: Audience) -> Workspace:
    """The new workspace around the script's model, which is fetched if it is not there, with the script's recipe."""
    with audience.shown():
        opened = init_workspace(workspace, script.model, actor="demo")
    recipe = opened.settings.recipe_file
    write_text(recipe, recipe_toml(script.recipe(Recipe.read(recipe))))
    return opened


def _run_and_approval(opened: Workspace, folder: Path, run_nightly: NightlyRunner, tell: Tell) -> RunOutcome:
    outcome = run_nightly(opened.settings.workspace, folder)
    tell(outcome.sentence)
    if outcome.release is not None:
        review.approve(opened, outcome.release, actor=REVIEWER, note="figures seen in the demo")
        tell(f"Release {outcome.release} is approved by {REVIEWER} and in production.")
    return outcome


def _rollback(opened: Workspace, runs: tuple[RunOutcome, ...], tell: Tell) -> int | None:
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


def _ask(opened: Workspace, questions: Sequence[str], audience: Audience) -> tuple[Answer, ...]:
    with audience.shown(), step(f"asking {counted(len(questions), 'question')}"):
        return ask(opened, tuple(questions))


def _answers_as(opened: Workspace, kept: Sequence[Answer], audience: Audience) -> bool:
    """Whether production answers as it did when these answers were kept."""
    now = _ask(opened, [answer.question for answer in kept], audience)
    return [answer.text for answer in now] == [answer.text for answer in kept]


def _tell_answers(opened: Workspace, eval_items: tuple[EvalItem, ...], audience: Audience) -> tuple[Graded, ...]:
    found = graded(eval_items, _ask(opened, _questions(eval_items), audience))
    for one in found:
        mark, release = "✓" if one.right else "✗", one.answer.release
        audience.tell(f"  {mark} release {release}: {one.answer.question} -> {one.shown}   (expected: {one.expected})")
    return found


def _questions(eval_items: Sequence[EvalItem]) -> list[str]:
    return [eval_item.question for eval_item in eval_items]


def _items(folder: Path) -> tuple[EvalItem, ...]:
    """The test eval items of a folder of documents: one of each document in turn, so that the first are varied."""
    rules = DocumentRules()
    held_out = [
        [eval_item for eval_item in document.eval_items if eval_item.split is Split.TEST]
        for document in ingest(read_folder(folder, rules.max_bytes), rules).accepted
    ]
    return tuple(eval_item for turn in zip(*held_out, strict=False) for eval_item in turn)


SHARES = ("recall", "earlier_releases", "base_knowledge", "sampled", "skills")
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
