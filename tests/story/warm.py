"""Runs commands in processes forked from this one, which has imported the libraries: each command does without.

Reads a line of JSON for each command, and answers with its exit code. What reads the environment when it is imported,
as Prefect does, is left for the command to import.
"""

import gc
import importlib
import json
import os
import signal
import sys
from typing import NoReturn

COSTLY = ("pipeline.inner_loop.evaluation", "pipeline.training", "gates.evaluation", "registry.mlflow.releases")


def main() -> None:
    before = set(os.environ)
    for name in COSTLY:
        importlib.import_module(name)
    assert "prefect" not in sys.modules, "Prefect reads the environment when it is imported: the command must do that"
    imported = {name: os.environ[name] for name in set(os.environ) - before}
    gc.freeze()  # what is imported is neither searched nor copied when a command ends
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            _become(asked["words"], imported | asked["env"], asked["out"], asked["err"])
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(words: list[str], env: dict[str, str], out: str, err: str) -> NoReturn:
    """Ends as the command ends, with its output in two files."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["sealed", *words]
    from flows.cli import main as command

    command()
    sys.exit(0)


if __name__ == "__main__":
    main()
