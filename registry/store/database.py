"""Opens the ledger's database and gives out its transactions: one writer at a time, on SQLite and on Postgres alike.

Knows no table but the one that holds the schema's version.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, InterfaceError, ProgrammingError
from sqlalchemy.pool import ConnectionPoolEntry

from pipeline.addresses import shown
from pipeline.errors import DatabaseFailed
from registry.tables import HEAD, VERSION_TABLE

# The key of Postgres' advisory lock that makes its writers queue as SQLite's do.
WRITER_LOCK = 0x5EA1ED


@dataclass(frozen=True)
class Store:
    """An open ledger. `read` and `write` give transactions; a raised exception rolls a transaction back."""

    engine: Engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the ledger. Raises DatabaseFailed if the database does not answer."""
        with _translated(self.engine), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The one writing transaction of the moment: all others wait. Raises DatabaseFailed as `read` does."""
        with _translated(self.engine), self.engine.execution_options(sealed_writer=True).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def open_store(url: str, *, busy_seconds: float = 30.0) -> Store:
    """Opens the database at `url`, and creates its tables where there are none yet.

    Raises DatabaseFailed if it cannot be opened, is no database, or is of a schema this version does not know.
    """
    store = Store(_engine(url, busy_seconds))
    try:
        _bring_to_head(store)
    except DatabaseFailed:
        store.close()
        raise
    return store


def _bring_to_head(store: Store) -> None:
    with _translated(store.engine), store.engine.connect() as connection:
        if _version(connection) == HEAD:
            return
    with store.write() as connection:
        # Read again: another process may have made the tables while this one waited to write.
        if _version(connection) != HEAD:
            from registry.migrations.upgrade import upgrade

            upgrade(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _engine(url: str, busy_seconds: float) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True)
        if not parsed.database or parsed.database == ":memory:":
            raise DatabaseFailed(
                f"the ledger must be a file or a server, not {shown(url)}. Use sqlite:////path/to/ledger.db."
            )
        if not Path(parsed.database).parent.is_dir():
            raise DatabaseFailed(f"the folder of {parsed.database} does not exist. Run `sealed init` first.")
        engine = create_engine(parsed, connect_args={"timeout": busy_seconds})
    except (ArgumentError, ImportError) as error:
        raise DatabaseFailed(
            f"cannot use the database address {shown(url)}: {shown(str(error))}. Mend database_url."
        ) from error
    _listen(engine)
    return engine


def _listen(engine: Engine) -> None:
    """Makes SQLite keep foreign keys, write ahead, and begin transactions when we say so and not when it guesses."""

    @event.listens_for(engine, "connect")
    def _connected(connection: object, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writer = connection.get_execution_options().get("sealed_writer", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (IntegrityError, ProgrammingError):
        # Not the world's doing: a constraint of our own stopped a mistake of our own.
        raise
    except (DatabaseError, InterfaceError) as error:
        where = engine.url.render_as_string(hide_password=True)
        first = str(error.orig).strip().splitlines()[:1]
        raise DatabaseFailed(
            f"the ledger at {where} failed: {''.join(first)}. Nothing of this step was kept: "
            "see that the database is there, is not locked and has room, then run the command again."
        ) from error
