"""`sealed init`, `status` and `doctor`: a workspace is made, looked at, and examined."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen, suites
from flows.cli.options import HERE, Actor, AsJson, WorkspaceOption
from pipeline.addresses import redacted_address

if TYPE_CHECKING:
    from pipeline.config import Settings


def init(
    folder: Annotated[Path, typer.Argument(help="The workspace's folder; made if it is not there.")],
    actor: Actor,
    model: Annotated[
        str | None,
        typer.Option(
            help="A name of `sealed models list` (fetched if it is not there), a GGUF file, or the folder or hub id of "
            "a causal language model; default: the sandbox model."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, or a CUDA device such as cuda:0.")] = "auto",
    build_suites: Annotated[
        bool, typer.Option("--build-suites", help="Let the model make the suites that it does not bring: minutes.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Make a workspace around a base model."""
    from pipeline.config import expect_no_workspace

    expect_no_workspace(folder)
    with screen.progress_shown(json):
        settings = _made(folder, model, actor, device)
    found = suites.built(settings.workspace, quiet=json) if build_suites else None
    if json:
        shown = settings.model_dump(mode="json")
        addresses = ("database_url", "tracking_uri", "server_url")
        screen.as_json(shown | {name: redacted_address(shown[name]) for name in addresses if shown[name]})
        return
    screen.say(
        f"{settings.workspace} is ready: base model {settings.model}, release 0.",
        *_wanting(settings.workspace, folder),
        f"Put documents into {settings.incoming}, then run `sealed update -w {folder}`.",
    )
    if found:
        suites.show(found)


def _wanting(workspace: Path, named: Path) -> list[str]:
    from flows.services.batches import nothing_to_ask
    from flows.wiring import open_workspace

    opened = open_workspace(workspace)
    if not (gates := nothing_to_ask(opened, opened.recipe)):
        return []
    return [
        f"Its suites are missing: {', '.join(gates)}. Let the model make them: `sealed suites build -w {named}`. "
        "Without them no run can pass."
    ]


def _made(folder: Path, model: str | None, actor: str, device: str) -> "Settings":
    from flows.services.initialisation import init_workspace
    from pipeline.sandbox import model_path

    return init_workspace(folder, model or str(model_path()), actor=actor, device=device).settings


def status(workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """Show what is in production, what waits, and what to do next."""
    from flows.services.status import overview
    from flows.wiring import open_workspace

    seen = overview(open_workspace(workspace))
    if json:
        screen.as_json(seen)
        return
    screen.table(
        f"Release {seen.production.number} is production",
        ("what", "now"),
        [
            ("since", f"{screen.when(seen.deployment.at)} by {seen.deployment.actor}: {seen.deployment.reason}"),
            ("documents", ", ".join(f"{count} {state}" for state, count in seen.documents) or "none yet"),
            ("last run", seen.last_run),
            ("at work now", seen.at_work),
            ("in review", seen.in_review),
            ("asked in MLflow", seen.asked),
            ("canary", seen.canary),
            ("to forget", _to_forget(len(seen.to_forget))),
            ("next", seen.next_step),
        ],
    )


def _to_forget(documents: int) -> str:
    from gates.wording import counted

    if not documents:
        return ""
    return f"{counted(documents, 'withdrawn document')}, known to production until a rebuild: `sealed rebuild`"


def doctor(
    fix: Annotated[
        bool,
        typer.Option("--fix", help="First mend what can be mended: lost adapters and lost versions in MLflow."),
    ] = False,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Examine the workspace: model, ledger, adapters, MLflow, Prefect, disk."""
    from flows.services.ui.addresses import join_scheduler

    join_scheduler(workspace)
    from flows.services.diagnosis import examine

    findings = examine(workspace, fix=fix)
    if json:
        screen.as_json(findings)
    else:
        rows = [("ok" if finding.ok else "FAILED", finding.part, finding.sentence) for finding in findings]
        screen.table("Examination", ("", "part", "finding"), rows)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 4)
