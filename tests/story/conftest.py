"""The command line as its users run it: real processes, a real workspace, the embedded model."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prefect_servers import prefect_server
from tests.story.running import Ran, Sealed

SEALED = Path(sys.executable).parent / "sealed"
ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 900


@pytest.fixture(scope="session")
def cold_sealed() -> Sealed:
    """As `sealed`, by the installed command: with its imports, and a Prefect server of its own for each run."""

    def run(*words: str, workspace: Path | None = None, env: dict[str, str] | None = None) -> Ran:
        done = subprocess.run(
            [str(SEALED), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
            env=_environment(workspace, env),
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sealed]:
    """`sealed("status", "--json", workspace=folder, env={...})` runs the command and says how it went.

    The processes are forked from one that has imported the libraries, and runs share a Prefect server.
    """
    folder = tmp_path_factory.mktemp("warm")
    out, err = folder / "out", folder / "err"
    with (
        prefect_server(folder / "prefect") as server,
        subprocess.Popen(
            [sys.executable, "-m", "tests.story.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout

        def run(*words: str, workspace: Path | None = None, env: dict[str, str] | None = None) -> Ran:
            told = _environment(workspace, server | (env or {}))
            asked = {"words": words, "env": told, "out": str(out), "err": str(err)}
            print(json.dumps(asked), file=process.stdin, flush=True)
            ready, _, _ = select.select([process.stdout], [], [], PATIENCE_SECONDS)
            if not ready:
                os.killpg(process.pid, 9)
                raise subprocess.TimeoutExpired(["sealed", *words], PATIENCE_SECONDS)
            code = int(process.stdout.readline())
            return Ran(code, out.read_text("utf-8"), err.read_text("utf-8"))

        yield run
        process.stdin.close()


def _environment(workspace: Path | None, env: dict[str, str] | None) -> dict[str, str]:
    place = {"SEALED_WORKSPACE": str(workspace)} if workspace else {}
    return {**os.environ, **place, **(env or {})}
