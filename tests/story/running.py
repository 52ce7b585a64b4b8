"""A finished command: what it printed and how it ended."""

import json
import subprocess
from collections.abc import Callable
from typing import Any


class Ran:
    """What a command printed and how it ended."""

    def __init__(self, run: "subprocess.CompletedProcess[str]") -> None:
        self.code, self.out, self.err = run.returncode, run.stdout, run.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Sealed = Callable[..., Ran]
