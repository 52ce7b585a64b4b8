"""Reads a folder and the folders in it, file by file, in the order of their names. Knows no format and no ledger."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pipeline.documents.cleaning import plain_name
from pipeline.documents.screening import too_large
from pipeline.errors import BadInput
from pipeline.types import RawDocument, Refusal

_IRREGULAR = "no regular file: a pipe, socket or device is not read"


def read(folder: Path, max_bytes: int) -> Iterator[RawDocument | Refusal]:
    """Every file below `folder` but those whose name begins with a dot; names are paths below `folder`.

    What cannot be read safely comes as a Refusal: larger than `max_bytes`, no regular file, no permission, a link
    that leaves the folder. Raises BadInput where `folder` is no folder.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder. Create it, or name the folder that holds the documents.")
    root = folder.resolve()
    waiting = [root]
    while waiting:
        path = waiting.pop()
        name = plain_name(path.relative_to(root).as_posix())
        try:
            if path.is_dir() and not path.is_symlink():
                # A stack, not recursion: folders may nest deeper than Python calls.
                waiting.extend(sorted(_visible(path), reverse=True))
            else:
                yield _read_file(path, name, root, max_bytes)
        except OSError as error:
            yield Refusal(name=name, reason=f"unreadable: {error.strerror or error}")


def _visible(folder: Path) -> list[Path]:
    return [child for child in folder.iterdir() if not child.name.startswith(".")]


def _read_file(path: Path, name: str, root: Path, max_bytes: int) -> RawDocument | Refusal:
    if path.is_symlink():
        # Not Path.resolve, which raises RuntimeError for a link to itself.
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(root):
            return Refusal(name=name, reason="a symbolic link out of the folder: it is not followed")
        if not target.is_file():
            return Refusal(name=name, reason="a symbolic link to no file: it is not followed")
        path = target
    if not stat.S_ISREG(path.lstat().st_mode):
        return Refusal(name=name, reason=_IRREGULAR)
    # The file may have been replaced since: do not wait on a pipe, follow no new link, and check it again.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode):
            return Refusal(name=name, reason=_IRREGULAR)
        if state.st_size > max_bytes:
            return Refusal(name=name, reason=too_large(state.st_size, max_bytes))
        return RawDocument(name=name, data=stream.read(max_bytes + 1))
