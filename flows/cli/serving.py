"""`sealed serve` and `sealed api-keys`: the endpoint that clients call, and who may call it."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, AsJson, WorkspaceOption

app = typer.Typer(help="API keys of `sealed serve`.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(help="The client's name.")]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; others than loopback need API keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)] = 8080,
    keep: Annotated[
        int,
        typer.Option(help="Earlier production releases that stay loaded, so that a rollback waits for nothing.", min=0),
    ] = 2,
    vllm: Annotated[
        str | None, typer.Option(metavar="URL", help="A running vLLM server that answers, instead of this process.")
    ] = None,
    adapters: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where vLLM reads adapters; put there to be loaded.")
    ] = None,
    workspace: WorkspaceOption = HERE,
) -> None:
    """Serve production to clients of the OpenAI protocol; follows approvals and rollbacks without a break."""
    from flows.services import serving
    from flows.wiring import open_workspace
    from registry.gateway.process import Address

    screen.log_to_terminal(verbose=True)
    opened = open_workspace(workspace)
    if vllm or adapters:
        opened = serving.before_vllm(opened, vllm or opened.settings.server_url or "", adapters)
    serving.serve(opened, Address(host=host, port=port), keep=keep, listening=_listening)


def _listening(url: str) -> None:
    screen.say(f"Serving at {url}/v1 (see {url}/ready). End it with Ctrl-C or SIGTERM.")


@app.callback()
def listed(context: typer.Context, workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """List the API keys by name."""
    if context.invoked_subcommand:
        return
    from flows.services import serving
    from flows.wiring import open_workspace

    keys = serving.list_keys(open_workspace(workspace))
    if json:
        screen.as_json([{"name": key.name, "created": key.created} for key in keys])
        return
    screen.table(f"{len(keys)} API keys", ("name", "made"), [(key.name, key.created) for key in keys])


@app.command()
def add(name: Name, workspace: WorkspaceOption = HERE) -> None:
    """Make a key for a client, and print it this once."""
    from flows.services import serving
    from flows.wiring import open_workspace

    print(serving.make_key(open_workspace(workspace), name))


@app.command()
def remove(name: Name, workspace: WorkspaceOption = HERE) -> None:
    """Remove a client's key; it is refused at once."""
    from flows.services import serving
    from flows.wiring import open_workspace

    serving.drop_key(open_workspace(workspace), name)
    screen.say(f"{name} has no key any more.")
