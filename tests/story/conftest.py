"""The command line as its users run it: real processes, a real workspace, the embedded model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.story.running import Ran, Sealed

SEALED = Path(sys.executable).parent / "sealed"


@pytest.fixture(scope="session")
def sealed() -> Sealed:
    """`sealed("status", "--json", workspace=folder, env={...})` runs the command and says how it went."""

    def run(*words: str, workspace: Path | None = None, env: dict[str, str] | None = None) -> Ran:
        place = {"SEALED_WORKSPACE": str(workspace)} if workspace else {}
        return Ran(
            subprocess.run(
                [str(SEALED), *words],
                capture_output=True,
                text=True,
                check=False,
                timeout=900,
                env={**os.environ, **place, **(env or {})},
            )
        )

    return run
