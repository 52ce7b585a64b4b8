"""Copies of adapters that nobody else can change: what is verified there is what is loaded. Knows no model."""

import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.adapters.format import CONFIG, MANIFEST, WEIGHTS, verify_adapter, verify_files
from pipeline.adapters.header import AGAIN
from pipeline.adapters.identity import BaseIdentity
from pipeline.errors import CorruptAdapter
from pipeline.files import move, remove_folder
from pipeline.types import AdapterManifest

# A run needs production, its candidate and the base; a gateway loads what it takes at once.
_KEPT = 8


class PrivateCopies:
    """Copies in a folder that only this account may enter, and that is removed when the process ends."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="sealed-adapters-"))
        weakref.finalize(self, shutil.rmtree, self._root, ignore_errors=True)
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
    with tempfile.TemporaryDirectory(prefix="sealed-adapter-") as name:
        yield Path(name), _copy_and_verify(folder, Path(name), base, manifest_digest)


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
