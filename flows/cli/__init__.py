"""The `sealed` command. Importing it loads no model library, no scheduler and no database: each verb does, when run."""

from flows.cli.app import main

__all__ = ["main"]
