"""The databases that the ledger's contract is held on: a SQLite file always, and Postgres where there is one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

import registry
from tests.ledgers import Ledger, with_base_release

HOW_TO_GET_POSTGRES = "no Postgres: install Debian's `postgresql`, or set SEALED_TEST_POSTGRES to a server's address"


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places and (places[-1] / "initdb").exists() else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a Postgres server: the one that the environment names, or one of our own on a socket."""
    if given := os.environ.get("SEALED_TEST_POSTGRES"):
        yield given
        return
    binaries = _binaries()
    if binaries is None:
        pytest.skip(HOW_TO_GET_POSTGRES)
    # Postgres refuses to run as root, and its user cannot enter pytest's own folders.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="sealed-postgres-"))
    if user:
        shutil.chown(folder, user)
    data, options = folder / "data", f"-F -k {folder} -c listen_addresses='' -c max_connections=40"

    def call(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(data), *arguments]
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)

    call("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")
    call("pg_ctl", "--wait", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        call("pg_ctl", "--mode=immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _fresh_database(server: str) -> str:
    name = f"sealed_{uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return _fresh_database(request.getfixturevalue("postgres"))


@pytest.fixture
def empty_ledger(url: str) -> Iterator[registry.Ledger]:
    """A ledger without the base release."""
    opened = registry.create_ledger(url)
    yield opened
    opened.close()


@pytest.fixture
def ledger(empty_ledger: registry.Ledger) -> Ledger:
    return with_base_release(empty_ledger)
