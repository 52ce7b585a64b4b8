"""Brings a database to the newest schema with Alembic, inside the transaction it is given. Knows no table."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from pipeline.errors import DatabaseFailed


def upgrade(connection: Connection) -> None:
    """Runs every revision the database lacks. Raises DatabaseFailed if it is of a revision not known here."""
    try:
        command.upgrade(configuration(connection), "head")
    except CommandError as error:
        raise DatabaseFailed(
            f"the ledger was made by another version of sealed ({error}). Use that version, or a newer one."
        ) from error


def configuration(connection: Connection) -> Config:
    """Alembic's settings for `connection`, without any file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
