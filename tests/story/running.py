"""A finished command: what it printed and how it ended. And the blocks of the pages, typed into a shell."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs.pages import Block


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Sealed = Callable[..., Ran]


def typed(block: Block, folder: Path, env: dict[str, str] | None = None) -> str:
    """Types a block into a shell. Returns what it printed; fails at the first command that does."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SEALED_WORKSPACE": "./workspace",
        **(env or {}),
    }
    script = "\n".join(["set -e", *block.commands])
    ran = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1_800
    )
    assert ran.returncode == 0, f"{block}: {ran.stdout}{ran.stderr}"
    return ran.stdout
