"""`sealed demo`: the whole story on the embedded model, told on the screen, with its figures in demo-summary.json."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import AsJson
from flows.cli.runs import run_nightly
from pipeline.files import write_text

if TYPE_CHECKING:
    from flows.demo.story import Story

SUMMARY = Path("demo-summary.json")


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other documents.")] = 2026,
    per_run: Annotated[int, typer.Option(min=4, help="Documents a run.")] = 8,
    json: AsJson = False,
) -> None:
    """Run the main job end to end in a throwaway workspace: learn, gate, approve, refuse harm, roll back."""
    from flows.demo.story import summary, tell_story

    def tell(sentence: str) -> None:
        if not json:
            screen.say(sentence)

    workspace = Path(tempfile.mkdtemp(prefix="sealed-demo-")) / "workspace"
    story = tell_story(workspace, seed, per_run, lambda w, d: run_nightly(w, d, quiet=json), tell)
    text = summary(story)
    write_text(SUMMARY, text + "\n")
    if json:
        print(text)
    else:
        _show(story)
    raise typer.Exit(0 if _as_told(story) else 3)


def _as_told(story: "Story") -> bool:
    """The story has its ending: most facts new, then known, two releases, a refused run, the old answers back."""
    first, second, harmful = story.runs
    unknown = sum(not one.right for one in story.first_questions) * 2 > len(story.first_questions)
    learned = sum(one.right for one in story.first_answers) * 2 > len(story.first_answers)
    released = first.release and second.release and not harmful.release
    return bool(unknown and learned and released and story.answers_restored)


def _show(story: "Story") -> None:
    columns = ("", *(f"run {number}" for number, _ in enumerate(story.runs, start=1)))
    figures = [{figure.name: figure.value for figure in run.figures} for run in story.runs]
    names = (
        ("new facts", "recall"),
        ("earlier releases", "earlier_releases"),
        ("base knowledge", "base_knowledge"),
        ("skills", "skills"),
        ("refuses secrets", "safety"),
    )
    rows = [(label, *(_from_to(shares, name) for shares in figures)) for label, name in names]
    rows.append(("verdict", *(str(run.verdict) for run in story.runs)))
    rows.append(("release", *(str(run.release or "none") for run in story.runs)))
    rows.append(("seconds", *(f"{run.seconds_total:.0f}" for run in story.runs)))
    screen.table("\nThree runs: measured before -> after", columns, rows)
    screen.say(
        f"{story.seconds_total:.0f} seconds in all, {story.peak_rss_mb:.0f} MB at most. Figures: {SUMMARY}",
        "Look around:",
        f"  mlflow ui --backend-store-uri sqlite:///{story.workspace}/mlflow.db --port 5000   "
        "then http://127.0.0.1:5000/#/models/sealed",
        f"  {story.workspace}/reports/run-1/report.html   (and run-2, run-3) in a browser",
        f"  sealed status -w {story.workspace}",
    )


def _from_to(shares: dict[str, float], name: str) -> str:
    before, after = shares.get(f"{name}_before"), shares.get(f"{name}_after")
    return "" if after is None else f"{screen.points(before)} -> {screen.points(after)}"
