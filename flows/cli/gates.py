"""`sealed gates`: what the gates can see before anything trains, and what they say of a release or any adapter."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption
from gates.wording import percent, points

if TYPE_CHECKING:
    from flows.services.gate_runs import Gated
    from flows.steps.gate_validation import Validation
    from gates.planning import GatePlan, GatesPlan

app = typer.Typer(help="What the gates can see, and what they say.", no_args_is_help=True)

EXIT_CODES = {"PASS": 0, "FAIL": 3, "NOT_MEASURED": 4, "INCONCLUSIVE": 5}


@app.command()
def plan(
    margin: Annotated[
        float | None, typer.Option(help="A margin to plan for, as a share; default: the recipe's.", min=0.001, max=1.0)
    ] = None,
    changed: Annotated[
        float | None,
        typer.Option(
            help="Share of the answers that change in a run; default: as measured on the newest candidate, else 0.05.",
            min=0.001,
            max=1.0,
        ),
    ] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Show the smallest loss that each gate can see with the suites there are, and how many items a margin needs."""
    from flows.services.gate_plans import plan_gates
    from flows.wiring import open_workspace
    from gates.planning import Wish

    found = plan_gates(open_workspace(workspace), Wish(margin=margin, changed=changed))
    if json:
        screen.as_json(found)
    else:
        _show(found)


@app.command()
def run(
    candidate: Annotated[str, typer.Argument(help="The number of a release, or the folder of a LoRA adapter.")],
    report: Annotated[Path | None, typer.Option(help="Folder for report.html and summary.md.")] = None,
    junit: Annotated[Path | None, typer.Option(help="File for the verdicts as JUnit XML.")] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Judge a release or any adapter of the base. Exits with 0 PASS, 3 FAIL, 5 INCONCLUSIVE, 4 not measured."""
    from flows.services.gate_runs import gate
    from flows.services.report_pages import write_pages
    from flows.wiring import open_workspace

    with screen.progress_shown(json):
        gated = gate(open_workspace(workspace), candidate)
    page = None if report is None else write_pages(gated.report, gated.evidence, report)
    if junit is not None:
        _write_junit(gated, junit)
    if json:
        screen.as_json({"candidate": candidate, "outcome": gated.outcome, "gates": gated.report, "report": page})
    else:
        _say(gated)
        screen.say(*([f"report: {page}"] if page else []))
    raise typer.Exit(EXIT_CODES[gated.outcome])


@app.command()
def validate(
    seeds: Annotated[int, typer.Option(help="How many adapters of each kind are made and judged.", min=1)] = 3,
    draws: Annotated[
        int, typer.Option(help="On how many other draws of the items each sibling is judged as well.", min=0)
    ] = 10,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Try the gates: adapters that differ from production by the seed alone, and adapters with planted damage.

    Production's training is repeated and its adapter is damaged in six ways. What should pass and what should not is
    counted. Nothing is released, and nothing is kept but scores.
    """
    from flows.steps.gate_validation import ValidationWish, validate_gates
    from flows.wiring import open_workspace

    with screen.progress_shown(json):
        found = validate_gates(open_workspace(workspace), ValidationWish(seeds=seeds, draws=draws))
    if json:
        screen.as_json(found)
    else:
        _show_validation(found)


def _show_validation(found: "Validation") -> None:
    columns = ("what was planted", "adapters", "PASS", "FAIL", "INCONCLUSIVE", "passed, 95 %", "gates against it")
    rows = [
        (
            one.kind,
            f"{one.n:,}",
            f"{one.passed:,}",
            f"{one.failed:,}",
            f"{one.inconclusive:,}",
            f"{percent(one.interval[0])} to {percent(one.interval[1])}",
            ", ".join(one.against),
        )
        for one in found.rates
    ]
    screen.table(f"The gates on release {found.release}", columns, rows)
    screen.say("Where nothing but the seed differs, all should pass. Of what is damaged, nothing should.")
    if found.untried:
        screen.say(f"Not tried, since the suites hold nothing for it: {', '.join(found.untried)}.")


def _write_junit(gated: "Gated", file: Path) -> None:
    from gates.junit import junit
    from pipeline.files import write_text

    write_text(file, junit(gated.report, gated.candidate, gated.unmeasured))


def _say(gated: "Gated") -> None:
    rows = [
        (one.gate, one.verdict, "" if one.required else "informs", one.sentence.partition(": ")[2])
        for one in gated.report.results
    ]
    screen.table(f"{gated.candidate}: {gated.outcome}", ("gate", "verdict", "", "why"), rows)
    for suite in gated.unmeasured:
        screen.say(f"not measured: {suite.suite}: {suite.reason}")


def _show(found: "GatesPlan") -> None:
    columns = ("gate", "items", "groups", "answers that change", "margin", "loss seen", "margin held", "needed")
    screen.table("What each gate can see, in points", columns, [_row(one) for one in found.not_worse])
    screen.say(
        "loss seen: the smallest true loss with which the gate does not pass in nine cases of ten.",
        "margin held: the smallest margin at which an update that loses nothing passes in nine cases of ten.",
        "items: with the least that the gate asks for, where there are fewer.",
        "needed: groups that the margin needs for that. Items of one group count as one.",
    )
    gain = found.acquisition
    seen = "no gain passes" if gain.seen is None else f"a true gain of {points(gain.seen, signed=False)} points passes"
    screen.say(f"acquisition: with {gain.items} questions {seen} in nine cases of ten.")
    if told := found.too_few:
        screen.say(told)


def _row(one: "GatePlan") -> tuple[str, ...]:
    seen = "not measured" if not one.items else "none" if one.seen is None else points(one.seen, signed=False)
    return (
        one.gate,
        f"{one.items:,}" if one.items >= one.least else f"{one.items:,} of {one.least:,}",
        f"{one.groups:,}",
        f"{points(one.changed, signed=False)} % ({'measured' if one.measured else 'assumed'})",
        points(one.margin, signed=False),
        seen,
        "" if one.holds is None else points(one.holds, signed=False),
        f"{one.needed:,}",
    )
