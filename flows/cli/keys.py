"""`sealed keys`: the keys that sign releases and decisions, and those that are trusted."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption

app = typer.Typer(no_args_is_help=True, help="The keys that sign releases and decisions, and those that are trusted.")


@app.command("new")
def new(workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """Make a signing key: in the workspace (one person), or where SEALED_SIGNING_KEY says (a team)."""
    from flows.services import keys
    from flows.wiring import read_settings

    made = keys.new(read_settings(workspace))
    if json:
        screen.as_json(made)
        return
    screen.say(f"The private key is {made.private}: only this account can read it. It never leaves this machine.")
    if made.trusted:
        screen.say(f"Its public key {made.id[:16]} is trusted in this workspace.")
    else:
        screen.say(f"Nobody trusts it yet. Whoever keeps the trusted keys runs `sealed keys trust {made.public}`.")


@app.command("list")
def listed(workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """List the keys whose signatures count."""
    from flows.services import keys
    from flows.wiring import read_settings

    known = keys.listed(read_settings(workspace))
    if json:
        screen.as_json(known)
        return
    rows = [(key.id[:16], "yes" if key.own else "", screen.when(key.since), str(key.file)) for key in known]
    screen.table("Trusted keys", ("key", "signs here", "since", "file"), rows)


@app.command("trust")
def trust(
    file: Annotated[Path, typer.Argument(help="A public key, as `sealed keys new` wrote it.", exists=True)],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Let the signatures of a public key count from now on."""
    from flows.services import keys
    from flows.wiring import read_settings

    named = keys.trust(read_settings(workspace), file)
    if json:
        screen.as_json({"key": named})
    else:
        screen.say(f"Signatures by {named[:16]} count from now on. Its owner should read you these digits.")
