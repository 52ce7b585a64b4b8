"""`sealed suites`: the base model makes its standing suites, and the data of standard tasks are fetched."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption
from gates.wording import counted, points

if TYPE_CHECKING:
    from flows.services.suites import BuiltSuites

app = typer.Typer(help="What every candidate is asked.", no_args_is_help=True)
_ADVICE = {
    "retention": "write suites/retention/*.jsonl by hand (docs/suites.md)",
    "regression": 'name lm-eval tasks in the recipe: [suites] tasks = ["piqa"]',
    "safety": "write suites/safety/*.jsonl, or take safety out of policy.required if the model declines nothing",
    "perplexity": "put plain text into suites/perplexity/*.txt",
}


@app.command()
def build(workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """Let the base model make the kinds of suites that the workspace has none of. Takes minutes; can be resumed."""
    found = built(workspace, quiet=json)
    if json:
        screen.as_json({"suites": found.built.suites, "empty": found.built.empty, "plan": found.plan})
    else:
        show(found)


@app.command()
def fetch(workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """Bring the data of the recipe's standard lm-eval tasks into the local datasets cache. Needs a network."""
    from flows.services.suites import fetch_tasks
    from flows.wiring import open_workspace

    names = fetch_tasks(open_workspace(workspace))
    if json:
        screen.as_json({"tasks": names})
    else:
        screen.say(f"fetched: {', '.join(names)}" if names else "The recipe names no tasks: [suites] tasks = [...].")


def built(workspace: Path, *, quiet: bool) -> "BuiltSuites":
    """Builds the suites, with progress on the screen unless `quiet`."""
    with screen.progress_shown(quiet):
        from flows.services.suites import build_suites
        from flows.wiring import open_workspace

        return build_suites(open_workspace(workspace))


def show(found: "BuiltSuites") -> None:
    """The suites, what the gates see with them, and what to do about those that are empty or too small."""
    rows = [
        (one.name, f"{one.items:,}", screen.short(one.digest), "made" if one.made else "was there")
        for one in found.built.suites
    ]
    screen.table("Suites", ("suite", "items", "digest", ""), rows)
    for gate in found.plan.not_worse:
        if gate.items and gate.seen is not None:
            screen.say(
                f"{gate.gate}: {counted(gate.items, 'item')} in {gate.groups:,} groups see a true loss of "
                f"{points(gate.seen, signed=False)} points in nine cases of ten."
            )
        if gate.items and not gate.enough:
            screen.say(f"{gate.gate}: too few for a sure verdict; {_ADVICE[gate.gate]} as well.")
    for kind in found.built.empty:
        screen.say(f"{kind}: nothing could be made; {_ADVICE[kind]}.")
