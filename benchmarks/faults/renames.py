"""Asks while two valid adapters are renamed to and fro: an answer is from the release that it names, or none is given.

Usage: python -m benchmarks.faults.renames [--asks 10000]
"""

import argparse
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from benchmarks import releases
from benchmarks.figures import Measured, write_results
from flows.services.initialisation import init_workspace
from flows.services.releases import ask
from flows.wiring import Workspace
from pipeline.errors import CorruptAdapter, PolicyError
from pipeline.sandbox import model_path

QUESTION = "Who owns it?"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How many asks were answered by the release that they name, by other bytes, and not at all."""

    right: int
    other: int
    refused: int


@contextmanager
def swapped(one: Path, two: Path) -> Iterator[None]:
    """Renames the two folders to and fro while the block lasts, and puts them back."""
    ended, aside = threading.Event(), one.with_name("aside")

    def swap() -> None:
        os.rename(one, aside)
        os.rename(two, one)
        os.rename(aside, two)

    def forever() -> None:
        while not ended.wait(0.0005):
            swap()
            swap()

    thread = threading.Thread(target=forever)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def asked(workspace: Workspace, asks: int) -> Asked:
    """So many asks of release 2, while its folder and that of release 1 are swapped.

    Raises ValueError where both releases answer alike, which would show nothing.
    """
    one, two = (workspace.folder_of(workspace.ledger.releases.get(number).update) for number in (1, 2))
    others, own = (ask(workspace, (QUESTION,), number)[0].text for number in (1, 2))
    if others == own:
        raise ValueError("both releases answer alike")
    with swapped(one, two):
        said = [*islice(_answers(workspace), asks)]
    right, refused = said.count(own), said.count(None)
    return Asked(right=right, other=asks - right - refused, refused=refused)


def _answers(workspace: Workspace) -> Iterator[str | None]:
    """What release 2 says each time; None where the ask is refused."""
    while True:
        try:
            yield ask(workspace, (QUESTION,), 2)[0].text
        except (CorruptAdapter, PolicyError):
            yield None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asks", type=int, default=10_000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="sealed-renames-") as name:
        workspace = init_workspace(Path(name) / "workspace", str(model_path()), actor="ada", device="cpu")
        for number in (1, 2):
            releases.make_release(workspace, number)
        write_results("faults.renames", list(_figures(asked(workspace, options.asks))), options.out)


def _figures(found: Asked) -> Iterator[Measured]:
    n = found.right + found.other + found.refused
    yield Measured(name="asks answered from other bytes", value=found.other, unit="asks", n=n, goal="= 0",
                   met=not found.other)  # fmt: skip
    yield Measured(name="asks answered", value=found.right, unit="asks", n=n)
    yield Measured(name="asks refused, since the folder is another's or gone", value=found.refused, unit="asks", n=n)


if __name__ == "__main__":
    main()
