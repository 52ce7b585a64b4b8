"""Reads a folder and the folders in it, file by file, in the order of their names. Knows no format and no ledger."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.documents.cleaning import plain_name
from pipeline.documents.screening import too_large
from pipeline.files import expect_folder
from pipeline.types import RawDocument, Refusal

_IRREGULAR = "no regular file: a pipe, socket or device is not read"
_LINK = "a symbolic link: it is not followed; put the file itself here"
_DEEPEST = 100  # folders within folders, each of which is held open while it is read
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class _Level:
    """A folder that is open, and the names in it that are still to read."""

    descriptor: int
    path: str
    names: list[str]


def read(folder: Path, max_bytes: int) -> Iterator[RawDocument | Refusal]:
    """Every file below `folder` but those whose name begins with a dot; names are paths below `folder`.

    What cannot be read safely comes as a Refusal: larger than `max_bytes`, no regular file, no permission, a link.
    Each folder and file is opened from the open folder that it stands in, and never by its path: so none is left by
    exchanging a folder for a link meanwhile. Raises BadInput where `folder` is no folder.
    """
    expect_folder(folder, "the documents")
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    levels = [_Level(root, "", _visible(root))]
    try:
        yield from _walked(levels, max_bytes)
    finally:
        for level in levels:
            os.close(level.descriptor)


def count(folder: Path) -> int:
    """How many files `read` would come to; those in folders that nobody may look into are left out."""
    found = 0
    for _, folders, names in os.walk(folder):
        folders[:] = filter(_is_visible, folders)
        found += sum(map(_is_visible, names))
    return found


def _walked(levels: list[_Level], max_bytes: int) -> Iterator[RawDocument | Refusal]:
    """What is below the open folder in `levels`, which holds those that are open meanwhile."""
    while levels:
        level = levels[-1]
        if not level.names:
            os.close(levels.pop().descriptor)
            continue
        name = level.names.pop()
        path = f"{level.path}/{name}" if level.path else name
        try:
            found = _open(level.descriptor, name, path, len(levels), max_bytes)
        except OSError as error:
            found = Refusal(name=plain_name(path), reason=f"unreadable: {error.strerror or error}")
        if isinstance(found, _Level):
            levels.append(found)
        else:
            yield found


def _visible(descriptor: int) -> list[str]:
    """The names in a folder but the hidden ones, the first one last."""
    return sorted(filter(_is_visible, os.listdir(descriptor)), reverse=True)


def _is_visible(name: str) -> bool:
    return not name.startswith(".")


def _open(within: int, name: str, path: str, depth: int, max_bytes: int) -> _Level | RawDocument | Refusal:
    kind = os.stat(name, dir_fd=within, follow_symlinks=False).st_mode
    shown = plain_name(path)
    if stat.S_ISLNK(kind):
        return Refusal(name=shown, reason=_LINK)
    if stat.S_ISDIR(kind):
        return _open_folder(within, name, path, depth)
    if not stat.S_ISREG(kind):
        return Refusal(name=shown, reason=_IRREGULAR)
    # The file may have been replaced since: do not wait on a pipe, follow no new link, and look again.
    with open(os.open(name, _FLAGS | os.O_NONBLOCK, dir_fd=within), "rb") as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode):
            return Refusal(name=shown, reason=_IRREGULAR)
        if state.st_size > max_bytes:
            return Refusal(name=shown, reason=too_large(state.st_size, max_bytes))
        return RawDocument(name=shown, data=stream.read(max_bytes + 1))


def _open_folder(within: int, name: str, path: str, depth: int) -> _Level | Refusal:
    if depth > _DEEPEST:
        return Refusal(name=plain_name(path), reason=f"too deep: folders are read {_DEEPEST} deep; put it higher up")
    descriptor = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=within)
    try:
        return _Level(descriptor, path, _visible(descriptor))
    except OSError:
        os.close(descriptor)
        raise
