"""Copies of adapters that nobody else can change: what is verified there is what is loaded. Knows no model."""

import fcntl
import os
import shutil
import stat
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.adapters.format import CONFIG, MANIFEST, WEIGHTS, verify_adapter, verify_files
from pipeline.adapters.header import AGAIN
from pipeline.adapters.identity import BaseIdentity
from pipeline.errors import CorruptAdapter
from pipeline.files import move, remove_folder
from pipeline.types import AdapterManifest

# A run needs production, its candidate and the base; a gateway loads what it takes at once.
_KEPT = 8
_PREFIX = "sealed-copies-"


class PrivateCopies:
    """Copies in a folder that only this account may enter, and that is removed when the process ends.

    What a process left that was killed is removed when the next one begins.
    """

    def __init__(self) -> None:
        remove_leftovers()
        self._root, lock = _own_folder()
        weakref.finalize(self, _give_up, self._root, lock)
        self._taken: list[Path] = []
        self._lock = threading.Lock()

    def take(self, folder: Path, base: BaseIdentity, manifest_digest: str) -> tuple[Path, AdapterManifest]:
        """Verifies the adapter in `folder` as it is now; a private copy of just these bytes, and their manifest.

        The copy lasts until some others were taken. Raises CorruptAdapter or WrongBase.
        """
        with self._lock:
            place = self._root / manifest_digest
            # A copy is verified wholly; later only the folder's bytes are compared with it.
            manifest = (verify_files if place.exists() else self._put)(folder, base, manifest_digest)
            self._taken = [*(one for one in self._taken if one != place), place]
            while len(self._taken) > _KEPT:
                remove_folder(self._taken.pop(0))
        return place, manifest

    def _put(self, folder: Path, base: BaseIdentity, manifest_digest: str) -> AdapterManifest:
        with tempfile.TemporaryDirectory(dir=self._root) as name:
            copied = Path(name) / "adapter"
            copied.mkdir()
            manifest = _copy_and_verify(folder, copied, base, manifest_digest)
            move(copied, self._root / manifest_digest)
        return manifest


@contextmanager
def private_copy(
    folder: Path, base: BaseIdentity, manifest_digest: str | None = None
) -> Iterator[tuple[Path, AdapterManifest]]:
    """A verified copy in a folder that only this account may enter, until the block ends, and its manifest.

    Raises CorruptAdapter or WrongBase.
    """
    own, lock = _own_folder()
    try:
        yield own, _copy_and_verify(folder, own, base, manifest_digest)
    finally:
        _give_up(own, lock)


def remove_leftovers() -> tuple[Path, ...]:
    """Removes the folders of copies whose processes are gone, and returns them.

    A folder is locked while its process lives, also where that is in another container.
    """
    found = [path for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*") if _is_mine(path)]
    return tuple(path for path in found if _removed_if_left(path))


def _is_mine(path: Path) -> bool:
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid()


def _removed_if_left(path: Path) -> bool:
    lock = _locked(path)
    if lock is None:
        return False
    try:
        remove_folder(path)
    finally:
        os.close(lock)
    return True


def _own_folder() -> tuple[Path, int]:
    """A new private folder, and the descriptor that locks it. Until it is locked, it may be taken for a leftover."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _locked(made)
        if lock is not None and made.exists():
            return made, lock
        if lock is not None:
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock until it is closed; None: another process holds it, or removed it."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _give_up(folder: Path, lock: int) -> None:
    with suppress(OSError):
        remove_folder(folder)
    os.close(lock)


def _copy_and_verify(folder: Path, into: Path, base: BaseIdentity, manifest_digest: str | None) -> AdapterManifest:
    """What is wrong with the folder's bytes is said before they are copied; what counts is the copy."""
    verify_files(folder, base, manifest_digest)
    copy_adapter(folder, into)
    return verify_adapter(into, base, manifest_digest)


def copy_adapter(folder: Path, into: Path) -> None:
    """Copies an adapter's three files, and follows no link. What was copied is not verified. Raises CorruptAdapter."""
    try:
        for file in (MANIFEST, CONFIG, WEIGHTS):
            shutil.copyfile(folder / file, into / file, follow_symlinks=False)
    except OSError as error:
        raise CorruptAdapter(f"the adapter in {folder} cannot be read: {error.strerror}. {AGAIN}") from error
