"""The one way that files and folders are written: whole or not at all, also when the process is killed."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from pipeline import faults
from pipeline.errors import BadInput


def expect_folder(path: Path, held: str) -> None:
    """Raises BadInput where a folder that a person named, and that holds what `held` says, is none."""
    if not path.is_dir():
        raise BadInput(f"{path} is not a folder. Give the folder that holds {held}.")


def write_text(path: Path, text: str) -> None:
    """Writes `text` as UTF-8, replacing what `path` held; its folder is made. Raises UnicodeEncodeError, OSError."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data`, replacing what `path` held; its folder is made. Raises OSError, and `path` is then as it was."""
    write_blocks(path, (data,))


def write_blocks(path: Path, blocks: Iterable[bytes]) -> None:
    """Writes the blocks one after another, as `write_bytes` does. Where making a block raises, `path` is as it was.

    The unfinished file is hidden, so that nobody who reads the folder meanwhile takes it for a document.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        with unfinished.open("xb") as stream:
            stream.writelines(blocks)
            stream.flush()
            os.fsync(stream.fileno())
        with faults.effect("file.write", path=path):
            os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """An empty folder to fill, which replaces `out` when the block ends well and is removed when it raises.

    What killed runs left unfinished beside `out` is removed first, so only one process may make it at a time.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f"{out.name}.partial-*"):
        remove_folder(left)
    unfinished = out.with_name(f"{out.name}.partial-{os.getpid()}")
    unfinished.mkdir()
    try:
        yield unfinished
        _flush(unfinished)
        if out.exists():
            remove_folder(out)
        with faults.effect("folder.write", path=out):
            os.replace(unfinished, out)
    finally:
        if unfinished.exists():
            remove_folder(unfinished)


def move(source: Path, target: Path) -> Path:
    """Renames a file or folder, at once, and returns its new place; a file at `target` is replaced. Raises OSError."""
    with faults.effect("file.move", path=target):
        os.replace(source, target)
    return target


def remove_file(file: Path) -> None:
    """Removes a file; one that is not there is removed already. Raises OSError."""
    with faults.effect("file.remove"):
        file.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Removes a folder with all that is in it; one that is not there is removed already. Raises OSError."""
    with faults.effect("folder.remove"):
        if folder.exists():
            shutil.rmtree(folder)


def _flush(folder: Path) -> None:
    """Has the system write all files of a folder out: after a power cut its new name must not hold half of them."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
