"""Whether this account can change which keys are trusted: then whoever works under it could trust one of their own."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from registry.keys import places_in


def changeable(trusted: Path) -> Path | None:
    """The first thing by which this account could change the keys in the folder `trusted`, or None.

    That is a key's file, its folder, or a folder above it, by which it could be exchanged. What is mounted read-only
    nobody can change, root neither. Root, and the owner of a file, can change it whatever its mode says.
    """
    return next((path for path in (*places_in(trusted), *_way_to(trusted)) if _can_change(path)), None)


def _way_to(trusted: Path) -> Iterator[Path]:
    """The folder, and those above it as far as they can matter: not beyond the place of a read-only mount.

    A link is a way by itself: whoever can write beside it can point it elsewhere.
    """
    for start in dict.fromkeys((trusted.absolute(), trusted.resolve())):
        for path in (start, *start.parents):
            if path.exists():
                if _is_read_only(path):
                    break
                yield path


def _can_change(path: Path) -> bool:
    if _is_read_only(path):
        return False
    found = path.stat()
    if os.geteuid() in (0, found.st_uid):
        return True
    # In a folder with the sticky bit, such as /tmp, only owners rename and remove.
    writes = os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
    return writes and not found.st_mode & stat.S_ISVTX


def _is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
