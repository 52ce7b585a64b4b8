"""Opens the ledger's database and gives out its transactions: one writer at a time, on SQLite and on Postgres alike.

Knows no table but the one that holds the schema's version.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    String,
    column,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    table,
    text,
)
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    TimeoutError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from pipeline import faults
from pipeline.addresses import harmless, redacted, redacted_address, secrets_of
from pipeline.errors import ConstraintBroken, DatabaseFailed
from registry.tables import HEAD, VERSION_TABLE

# The key of Postgres' advisory lock that makes its writers queue as SQLite's do.
WRITER_LOCK = 0x5EA1ED
# How many values one IN (...) holds: SQLite allows 32,766 and older ones 999.
BLOCK = 500
_PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL")


@dataclass(frozen=True)
class Database:
    """An open database. `read` and `write` give transactions; a raised exception rolls a transaction back."""

    engine: Engine
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the ledger. Raises DatabaseFailed if the database does not answer."""
        with _translated(self), self._reader.begin() as connection:
            yield connection

    @property
    def _reader(self) -> Engine:
        # Postgres' own level sees for each statement what others committed meanwhile; a writer, who waits for its turn,
        # must.
        if self.engine.dialect.name != "postgresql":
            return self.engine
        return self.engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The one writing transaction of the moment: all others wait. Raises DatabaseFailed as `read` does."""
        writer = self.engine.execution_options(sealed_writer=True)
        with _translated(self), writer.connect() as connection, connection.begin() as transaction:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})
            yield connection
            with faults.effect("ledger.commit", failure=_unanswered):
                transaction.commit()

    @property
    def address(self) -> str:
        """Where the database is, without secrets."""
        return redacted(redacted_address(self.engine.url.render_as_string(hide_password=False)), *self.secrets)

    def close(self) -> None:
        self.engine.dispose()


@dataclass(frozen=True)
class FencedDatabase:
    """A database whose every write first calls `check` in its transaction, which raises if the caller may not write."""

    database: Database
    check: Callable[[Connection], None]

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self.database.write() as connection:
            self.check(connection)
            yield connection


def open_database(url: str, *, create: bool, busy_seconds: float) -> Database:
    """Opens the database at `url` and brings it to the newest schema; makes the tables only with `create`. Idempotent.

    `busy_seconds`: how long a SQLite writer waits for another. Raises DatabaseFailed if the database cannot be opened,
    holds no ledger and may not get one, or is of a schema that is not known here.
    """
    database = Database(_engine(url, busy_seconds, create=create), secrets_of(url))
    try:
        _bring_to_head(database, create=create)
    except DatabaseFailed:
        database.close()
        raise
    return database


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


def blocks(ids: Sequence[str]) -> list[Sequence[str]]:
    """`ids` in pieces that fit one IN (...)."""
    return [ids[start : start + BLOCK] for start in range(0, len(ids), BLOCK)]


def _bring_to_head(database: Database, *, create: bool) -> None:
    with database.read() as connection:
        version = _version(connection)
    if version == HEAD:
        return
    if version is None and not create:
        raise _no_ledger(database.address, "holds none of a ledger's tables")
    with database.write() as connection:
        # Read again: another process may have made the tables while this one waited to write.
        if _version(connection) != HEAD:
            # Alembic takes long to import, and an open ledger that is up to date needs none.
            from registry.migrations.upgrade import upgrade

            upgrade(connection)


def _no_ledger(where: str, what: str) -> DatabaseFailed:
    return DatabaseFailed(
        f"there is no ledger at {where}: it {what}. Nothing was made in its place. Put the ledger's backup back, or "
        "correct database_url if the ledger is elsewhere; if it is lost, make a new workspace in another folder with "
        "`sealed init`."
    )


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(select(column("version_num", String)).select_from(table(VERSION_TABLE))).scalar()


def _engine(url: str, busy_seconds: float, *, create: bool) -> Engine:
    known = secrets_of(url)
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
        _expect_file(parsed, create=create)
        engine = create_engine(parsed, connect_args={"timeout": busy_seconds}, hide_parameters=True)
    except (ArgumentError, ImportError, ValueError, TypeError) as error:
        raise DatabaseFailed(
            f"cannot use the database address {redacted_address(url)}: {redacted(str(error), *known)}. "
            "Correct database_url."
        ) from harmless(error, *known)
    _configure_connections(engine)
    if not create:
        _never_create(engine)
    return engine


def _expect_file(url: URL, *, create: bool) -> None:
    """Raises DatabaseFailed where SQLite could not open the file, or would make an empty one."""
    if not url.database or url.database == ":memory:":
        raise DatabaseFailed(
            f"the ledger must be a file or a server, not {redacted_address(str(url))}. Use sqlite:////path/to/ledger.db."
        )
    file = Path(url.database)
    if not file.parent.is_dir():
        raise DatabaseFailed(f"the folder of {file} does not exist. Run `sealed init` first.")
    if create:
        return
    if not file.exists():
        raise _no_ledger(str(file), "is missing")
    if file.is_file() and not file.stat().st_size:
        raise _no_ledger(str(file), "is empty")


def _never_create(engine: Engine) -> None:
    """Opens the file for reading and writing only, also when it disappears while we work."""

    @event.listens_for(engine, "do_connect")
    def _connecting(dialect: object, record: object, arguments: list[str], options: dict[str, object]) -> None:
        arguments[0] = f"{Path(arguments[0]).as_uri()}?mode=rw"
        options["uri"] = True


def _configure_connections(engine: Engine) -> None:
    """Makes SQLite enforce foreign keys, write ahead, and begin transactions explicitly."""

    @event.listens_for(engine, "connect")
    def _connected(connection: object, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        for pragma in _PRAGMAS:
            connection.execute(pragma)  # type: ignore[attr-defined]

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writer = connection.get_execution_options().get("sealed_writer", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _unanswered(words: str) -> OperationalError:
    """As a driver says that it lost the database."""
    return OperationalError(None, None, ConnectionError(words))


@contextmanager
def _translated(database: Database) -> Iterator[None]:
    try:
        yield
    except (DatabaseError, InterfaceError, TimeoutError) as error:
        cause = error if isinstance(error, TimeoutError) else error.orig
        first = redacted("".join(str(cause).strip().splitlines()[:1]), *database.secrets)
        raise _typed(error, database.address, first) from harmless(error, *database.secrets)


def _typed(error: Exception, address: str, first: str) -> DatabaseFailed | ConstraintBroken:
    """`first`: what the driver says. With a statement, an IntegrityError is no failure of the database."""
    if isinstance(error, IntegrityError) and error.statement is not None:
        return ConstraintBroken(
            f"the ledger at {address} refused a row that breaks a rule of its tables: {first}. Nothing of this step "
            "was kept. See `sealed doctor`; if nobody changed the ledger by hand, please report it."
        )
    return DatabaseFailed(
        f"the ledger at {address} failed: {first}. Nothing of this step was kept: "
        "see that the database is there, is not locked and has room, then run the command again."
    )
