"""The whole story on the embedded model, with the very functions that the command line runs. Prints nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flows.demo.memory import PeakMemory
from flows.outcome import NightOutcome
from flows.steps import review
from flows.steps.answers import Answer, ask
from flows.steps.initialisation import found
from flows.wiring import House
from pipeline.grading import grade
from pipeline.recipe import Recipe
from pipeline.recipe_toml import recipe_toml
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import write_nights
from pipeline.types import Probe, Split

REVIEWER = "demo-reviewer"
REHEARSED = {"replay": 600, "generative": 600}  # the embedded recipe's amounts are for thirty nights; here are three
Teller = Callable[[str], None]
NightRunner = Callable[[Path, Path], NightOutcome]


@dataclass(frozen=True, kw_only=True)
class Graded:
    """An answer, one that would have been accepted, and whether it was right."""

    answer: Answer
    expected: str
    right: bool


@dataclass(frozen=True, kw_only=True)
class Story:
    """How the demo went: each night's outcome, and whether the rollback brought the old answers back.

    `rolled_back_to` is None where nothing was rolled back, because no night made a release.
    """

    nights: tuple[NightOutcome, ...]
    first_questions: tuple[Graded, ...]
    first_answers: tuple[Graded, ...]
    rolled_back_to: int | None
    answers_restored: bool
    peak_rss_mb: float
    seconds_total: float
    workspace: Path


def write_incoming(folder: Path, seed: int, per_night: int) -> tuple[Path, Path, Path]:
    """Two nights to learn, and a third that contradicts what the model knows."""
    write_nights(folder / "good", nights=2, per_night=per_night, seed=seed, variant=None)
    write_nights(folder / "harmful", nights=1, per_night=per_night, seed=seed, variant="contradictory")
    return folder / "good" / "night-1", folder / "good" / "night-2", folder / "harmful" / "night-1"


def tell_story(workspace: Path, seed: int, per_night: int, run_night: NightRunner, tell: Teller) -> Story:
    """Runs the story in a new workspace; `tell` gets its sentences as they come true."""
    memory = PeakMemory()
    with memory:
        house = found(workspace, str(model_path()), actor="demo")
        _rehearse_less(house.settings.recipe_file)
        first, second, harmful = write_incoming(workspace / "nights", seed, per_night)
        tell(f"Three questions about documents that will arrive tonight, asked of the base model in {workspace}:")
        probes = _probes(first)
        before = _tell_answers(house, probes[:3], tell)
        night_1 = _night_and_approval(house, first, run_night, tell)
        after = _tell_answers(house, probes[:3], tell)
        questions = tuple(probe.question for probe in probes)
        kept = ask(house, questions)
        night_2 = _night_and_approval(house, second, run_night, tell)
        tell("Night 3 brings documents that contradict what the model knows.")
        night_3 = run_night(house.settings.workspace, harmful)
        tell(night_3.sentence)
        back_to = _rollback(house, (night_1, night_2), tell)
        restored = back_to is not None and _texts(ask(house, questions)) == _texts(kept)
        if back_to is not None:
            tell(
                f"Rolled back to release {back_to}: of {len(questions)} questions about night 1, "
                f"{'all are' if restored else 'NOT all are'} answered as release {kept[0].release} answered them."
            )
    return Story(
        nights=(night_1, night_2, night_3),
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
    recipe.write_text(recipe_toml(whole.model_copy(update={"rehearsal": rehearsal})), encoding="utf-8")


def _night_and_approval(house: House, folder: Path, run_night: NightRunner, tell: Teller) -> NightOutcome:
    outcome = run_night(house.settings.workspace, folder)
    tell(outcome.sentence)
    if outcome.release is not None:
        review.approve(house, outcome.release, actor=REVIEWER, note="figures seen in the demo")
        tell(f"Release {outcome.release} is approved by {REVIEWER} and live.")
    return outcome


def _rollback(house: House, nights: tuple[NightOutcome, ...], tell: Teller) -> int | None:
    """Puts the previous production back, where a night made one that can be left."""
    if all(night.release is None for night in nights):
        tell("No night made a release: there is nothing to roll back.")
        return None
    moved = review.rollback(house, None, actor="demo-on-call", reason="the demo shows a rollback")
    return moved.deployment.release


def graded(probes: tuple[Probe, ...], answers: tuple[Answer, ...]) -> tuple[Graded, ...]:
    """Each answer beside the first accepted one, graded by the rule that the gates use."""
    return tuple(
        Graded(answer=answer, expected=probe.answers[0], right=grade(answer.text, probe.answers) == 1.0)
        for probe, answer in zip(probes, answers, strict=True)
    )


def _tell_answers(house: House, probes: tuple[Probe, ...], tell: Teller) -> tuple[Graded, ...]:
    told = graded(probes, ask(house, tuple(probe.question for probe in probes)))
    for one in told:
        mark, answer = "✓" if one.right else "✗", one.answer
        tell(f"  {mark} release {answer.release}: {answer.question} -> {answer.text}   (expected: {one.expected})")
    return told


def _texts(answers: tuple[Answer, ...]) -> tuple[str, ...]:
    return tuple(answer.text for answer in answers)


def _probes(folder: Path) -> tuple[Probe, ...]:
    """The exam probes of a folder of documents: one of each document in turn, so that the first are varied."""
    from pipeline.documents.ingestion import take_in
    from pipeline.documents.sources.folder import read
    from pipeline.recipe import DocumentRules

    rules = DocumentRules()
    exams = [
        [probe for probe in document.probes if probe.split is Split.EXAM]
        for document in take_in(read(folder, rules.max_bytes), rules).accepted
    ]
    return tuple(probe for turn in zip(*exams, strict=False) for probe in turn)


SHARES = ("recall", "earlier_nights", "old_world", "skills")
STAGES = ("intake", "self_edits", "training", "gates", "registry")


def summary(story: Story) -> str:
    """The story as JSON: shares between 0 and 1, null where nothing was measured."""
    return json.dumps(
        {
            "nights": [_night(number, outcome) for number, outcome in enumerate(story.nights, start=1)],
            "rolled_back_to": story.rolled_back_to,
            "answers_restored": story.answers_restored,
            "peak_rss_mb": round(story.peak_rss_mb, 1),
            "seconds_total": round(story.seconds_total, 1),
        },
        indent=2,
    )


def _night(number: int, outcome: NightOutcome) -> dict[str, object]:
    shares = {figure.name: figure.value for figure in outcome.figures}
    seconds = {stage.stage: round(stage.seconds, 2) for stage in outcome.seconds}
    return {
        "night": number,
        "documents": outcome.documents,
        "probes": outcome.probes,
        **{f"{name}_{side}": shares.get(f"{name}_{side}") for name in SHARES for side in ("before", "after")},
        "verdict": outcome.verdict,
        "release": outcome.release,
        "seconds": {**{stage: seconds.get(stage) for stage in STAGES}, "total": round(outcome.seconds_total, 2)},
    }
