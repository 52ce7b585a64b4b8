"""The options that several verbs share, with one wording."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", "-w", envvar="SEALED_WORKSPACE", help="The workspace's folder.", show_default=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
Actor = Annotated[
    str,
    typer.Option("--as", envvar="SEALED_ACTOR", help="Who decides; recorded.", default_factory=getpass.getuser),
]
HERE = Path()
