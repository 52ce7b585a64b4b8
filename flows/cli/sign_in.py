"""Where the command line takes a reviewer's password from: never from an option, which other accounts can see."""

import os
import sys

import typer

from pipeline.errors import BadInput

VARIABLE = "SEALED_PASSWORD"


def password_of(name: str) -> str:
    """MLflow's password of `name`: SEALED_PASSWORD, else typed unseen. Raises BadInput where nobody can type."""
    if given := os.environ.get(VARIABLE):
        return given
    if not sys.stdin.isatty():
        raise BadInput(f"{name} must sign in to MLflow, and nobody can type a password here. Set {VARIABLE}.")
    typed: str = typer.prompt(f"MLflow password of {name}", hide_input=True, err=True)
    return typed
