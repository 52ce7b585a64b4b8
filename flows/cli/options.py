"""The options that several verbs share, with one wording."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.actors import account

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", "-w", envvar="SEALED_WORKSPACE", help="The workspace's folder.", show_default=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
Actor = Annotated[
    str,
    typer.Option(
        "--as", envvar="SEALED_ACTOR", help="Who decides; recorded beside this account.", default_factory=account
    ),
]
Proposer = Annotated[
    str | None,
    typer.Option(
        envvar="SEALED_PROPOSER", help="Who proposes, and cannot approve; default: this account. A team proves it."
    ),
]
HERE = Path()
