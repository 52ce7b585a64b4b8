"""A Postgres server for tests: the one that the environment names, or one of our own on a socket."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HOW_TO_GET_POSTGRES = "no Postgres: install Debian's `postgresql`, or set SEALED_TEST_POSTGRES to a server's address"


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places and (places[-1] / "initdb").exists() else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a Postgres server while the block lasts. Skips the test where there is none."""
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
