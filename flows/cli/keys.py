"""`sealed keys`: the keys that sign releases and decisions, and those that are trusted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption

if TYPE_CHECKING:
    from registry.keys import TrustedKey

app = typer.Typer(no_args_is_help=True, help="The keys that sign releases and decisions, and those that are trusted.")


@app.command("new")
def new(
    file: Annotated[
        Path | None, typer.Option(help="Make it here instead; needs no workspace, and nobody trusts it yet.")
    ] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Make a signing key: in the workspace (one person), or where SEALED_SIGNING_KEY says (a team)."""
    from flows.services import keys
    from flows.wiring import read_settings

    made = keys.new_in(file) if file else keys.new(read_settings(workspace))
    if json:
        screen.as_json(made)
        return
    screen.say(f"The private key is {made.private}: only this account can read it. It never leaves this machine.")
    if made.trusted:
        screen.say(f"Its public key {made.id[:16]} is trusted in this workspace.")
    else:
        screen.say(
            f"Nobody trusts it yet. Whoever keeps the trusted keys runs `sealed keys trust {made.public}`, with "
            "--decisions if it is the key of MLflow's server."
        )


@app.command("list")
def listed(workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """List the keys whose signatures count."""
    from flows.services import keys
    from flows.wiring import read_settings

    known = keys.listed(read_settings(workspace))
    if json:
        screen.as_json(known)
        return
    rows = [_line(key) for key in known]
    screen.table("Trusted keys", ("key", "counts for", "signs here", "since", "file"), rows)


@app.command("trust")
def trust(
    file: Annotated[Path, typer.Argument(help="A public key, as `sealed keys new` wrote it.", exists=True)],
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Only for what people decide in MLflow: the key of its server.")
    ] = False,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Let the signatures of a public key count from now on."""
    from flows.services import keys
    from flows.wiring import read_settings

    named = keys.trust(read_settings(workspace), file, only_decisions=decisions)
    if json:
        screen.as_json({"key": named})
    else:
        what = " over decisions in MLflow" if decisions else ""
        screen.say(f"Signatures by {named[:16]}{what} count from now on. Its owner should read you these digits.")


def _line(key: "TrustedKey") -> tuple[str, ...]:
    scope = "decisions in MLflow" if key.only_decisions else "releases and decisions"
    return key.id[:16], scope, "yes" if key.own else "", screen.when(key.since), str(key.file)
