"""Removes local adapters that are no longer needed. Knows no release: the caller names those to keep."""

import shutil
from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

_REMOVED = ".removed-"


def retain(folder: Path, names: Collection[str]) -> tuple[str, ...]:
    """Removes every directory of `folder` not named, and returns those removed. Files and hidden names stay.

    A directory is renamed out of sight first, so that a kill never leaves half an adapter under its name; what a
    killed run left out of sight goes first.
    """
    for left in sorted(folder.glob(f"{_REMOVED}*")):
        shutil.rmtree(left)
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name in names or path.name.startswith(".") or path.is_symlink() or not path.is_dir():
            continue
        gone = path.rename(folder / f"{_REMOVED}{uuid4().hex}")
        shutil.rmtree(gone)
        removed.append(path.name)
    return tuple(removed)
