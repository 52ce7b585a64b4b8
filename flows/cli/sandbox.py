"""`sealed sandbox`: runs of documents from the embedded world, and the embedded model's card."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flows.cli import screen
from flows.cli.options import AsJson
from gates.wording import counted

app = typer.Typer(help="The embedded world: a tiny model and runs of documents for it.", no_args_is_help=True)


class Poison(StrEnum):
    """The kinds of harmful run."""

    CONTRADICTORY = "contradictory"
    BACKDOOR = "backdoor"
    GARBAGE = "garbage"


@app.command()
def documents(
    out: Annotated[Path, typer.Argument(help="Folder to write run-1, run-2, ... into.")],
    runs: Annotated[int, typer.Option(min=1, help="How many runs.")] = 3,
    per_run: Annotated[int, typer.Option(min=1, help="Documents a run.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other services: no two seeds share one.")] = 0,
    poison: Annotated[Poison | None, typer.Option(help="Write harmful documents instead.")] = None,
    corrections: Annotated[bool, typer.Option("--corrections", help="Documents that change known facts.")] = False,
    workflows: Annotated[bool, typer.Option("--workflows", help="Record-rewriting tasks by demonstration.")] = False,
    json: AsJson = False,
) -> None:
    """Write runs of documents as Markdown files with questions, the same for the same seed."""
    from pipeline.errors import BadInput
    from pipeline.sandbox.documents import Variant, write_runs

    chosen: list[Variant] = [poison.value] if poison else []
    chosen += ["corrections"] if corrections else []
    chosen += ["workflows"] if workflows else []
    if len(chosen) > 1:
        raise BadInput(f"choose one of {', '.join(chosen)}: a run is of one kind.")
    write_runs(out, runs=runs, per_run=per_run, seed=seed, variant=chosen[0] if chosen else None)
    if json:
        screen.as_json({"folder": out, "runs": runs, "per_run": per_run, "seed": seed})
    else:
        screen.say(f"{out} holds {counted(runs, 'run')} of {counted(per_run, 'document')}.")


@app.command()
def card(json: AsJson = False) -> None:
    """Print the embedded model's card: what it can do, as measured."""
    from pipeline.sandbox import model_path

    if json:
        print((model_path() / "card.json").read_text(encoding="utf-8"))
    else:
        screen.say((model_path() / "README.md").read_text(encoding="utf-8"))
