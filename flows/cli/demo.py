"""`sealed demo` and `sealed demo-real`: the whole story told on the screen, with its figures in a file of JSON."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from flows.cli import screen
from flows.cli.options import AsJson
from flows.cli.runs import run_nightly
from pipeline.files import write_text
from pipeline.printable import printable_json

if TYPE_CHECKING:
    from flows.demo.script import DemoScript
    from flows.demo.story import Story


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other documents.")] = 2026,
    per_run: Annotated[int, typer.Option(min=4, help="Documents a run.")] = 8,
    json: AsJson = False,
) -> None:
    """Run the main job end to end in a throwaway workspace: learn, gate, approve, refuse harm, roll back."""
    from flows.demo.script import sandbox_script

    _told(lambda folder: sandbox_script(folder / "documents", seed, per_run), json)


def demo_real(json: AsJson = False) -> None:
    """Run the same story on a real pretrained model and a company's documents. Fetches the model if it is not there."""
    from flows.demo.script import company_script

    _told(lambda _: company_script(), json)


def _told(make_script: Callable[[Path], "DemoScript"], json: bool) -> NoReturn:
    """Tells the story in a new folder, writes its figures, and exits: 0 if it ended as it should, else 3."""
    from flows.demo.story import Audience, summary, tell_story

    folder = Path(tempfile.mkdtemp(prefix="sealed-demo-"))
    script = make_script(folder)
    story = tell_story(
        script,
        folder / "workspace",
        lambda workspace, documents: run_nightly(workspace, documents, quiet=json),
        Audience(
            tell=lambda sentence: None if json else screen.say(sentence), shown=lambda: screen.progress_shown(json)
        ),
    )
    text = summary(story)
    write_text(script.summary, text + "\n")
    if json:
        print(printable_json(text))
    else:
        _show(story, script.summary)
    raise typer.Exit(0 if _as_told(story) else 3)


def _as_told(story: "Story") -> bool:
    """The story has its ending: most facts new, then known, two releases, a refused run, the old answers back."""
    first, second, harmful = story.runs
    unknown = sum(not one.right for one in story.first_questions) * 2 > len(story.first_questions)
    learned = sum(one.right for one in story.first_answers) * 2 > len(story.first_answers)
    released = first.release and second.release and not harmful.release
    return bool(unknown and learned and released and story.answers_restored)


def _show(story: "Story", figures: Path) -> None:
    _show_answers(story)
    _show_runs(story)
    screen.say(
        f"{_time(story.seconds_total)} in all, {story.peak_rss_mb:,.0f} MB at most. Figures: {figures}",
        "Look around:",
        f"  sealed ui -w {story.workspace}   (review in MLflow, the schedule in Prefect, the endpoint for clients)",
        f"  {story.workspace}/reports/run-1/report.html   (and run-2, run-3) in a browser",
        f"  sealed status -w {story.workspace}",
    )


def _show_answers(story: "Story") -> None:
    rows = [
        (
            before.answer.question,
            before.expected,
            _marked(before.shown, before.right),
            _marked(after.shown, after.right),
        )
        for before, after in zip(story.first_questions, story.first_answers, strict=True)
    ]
    releases = [f"release {asked[0].answer.release}" for asked in (story.first_questions, story.first_answers) if asked]
    screen.table("\nAsked without a document", ("question", "in the document", *releases), rows)


def _marked(answer: str, right: bool) -> str:
    return f"{'✓' if right else '✗'} {answer}"


def _show_runs(story: "Story") -> None:
    columns = ("", *(f"run {number}" for number, _ in enumerate(story.runs, start=1)))
    figures = [{figure.name: figure.value for figure in run.figures} for run in story.runs]
    names = (
        ("new facts", "recall"),
        ("earlier releases", "earlier_releases"),
        ("base knowledge", "base_knowledge"),
        ("base knowledge by samples", "sampled"),
        ("skills", "skills"),
        ("refusals", "safety"),
    )
    found = [(label, *(_from_to(shares, name) for shares in figures)) for label, name in names]
    rows = [row for row in found if any(row[1:])]
    rows.append(("verdict", *(str(run.verdict) for run in story.runs)))
    rows.append(("release", *(str(run.release or "none") for run in story.runs)))
    rows.append(("time", *(_time(run.seconds_total) for run in story.runs)))
    screen.table("\nThree runs: measured before -> after", columns, rows)


def _from_to(shares: dict[str, float], name: str) -> str:
    before, after = shares.get(f"{name}_before"), shares.get(f"{name}_after")
    return "" if after is None else f"{screen.points(before)} -> {screen.points(after)}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"
