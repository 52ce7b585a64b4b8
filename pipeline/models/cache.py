"""The cache of model folders: each is made whole or not at all, by one process at a time, and compared when it is used.

Knows no package, no GGUF file and no library of models.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from pipeline import progress
from pipeline.digests import digest_file
from pipeline.files import new_folder, write_text
from pipeline.nesting import json_of
from pipeline.types import FileDigest

log = logging.getLogger("sealed")

CACHE_VARIABLE = "SEALED_CACHE"
MANIFEST = "sealed-model.json"


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """What a folder of the cache is made from.

    `name`: of the folder; `origin`: the packages or the file, in words; `digest`: SHA-256 of the GGUF file; `form`:
    the type of the weights in the folder.
    """

    name: str
    origin: str
    digest: str
    licence: str
    form: str


@dataclass(frozen=True, kw_only=True)
class ModelManifest:
    """A folder of the cache: what it was made from, and its files. Written last, it says that the folder is whole."""

    source: ModelSource
    files: tuple[FileDigest, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def models_folder() -> Path:
    """Where the cached models lie: below SEALED_CACHE, else below the platform's own cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    cache = Path(named).expanduser().resolve() if named else platformdirs.user_cache_path("sealed")
    return cache / "models"


def model_folder(source: ModelSource, make: Callable[[Path], None]) -> Path:
    """The model's folder in the cache, its files compared with its manifest. `make(folder)` fills it where it must.

    A damaged folder is named in the log and made again. Concurrent calls wait for the one that makes it. Raises what
    `make` raises, and OSError; the cache is then as it was.
    """
    folder = models_folder() / source.name
    if not damage(folder, source):
        return folder
    with _alone(folder):
        # Looked at again: another process may have made it meanwhile.
        if not (problem := damage(folder, source)):
            return folder
        if folder.exists():
            log.warning("the cached model in %s is damaged: %s. It is made again.", folder, problem)
        with new_folder(folder) as unfinished:
            make(unfinished)
            _write_manifest(unfinished, source)
    return folder


def damage(folder: Path, source: ModelSource) -> str:
    """What is wrong with a folder of the cache, in words; "" where every byte is as its manifest says."""
    manifest = read_manifest(folder)
    if manifest is None:
        return f"it has no {MANIFEST} that can be read"
    if manifest.source.digest != source.digest:
        return f"it was made from other bytes ({manifest.source.origin})"
    if manifest.source.form != source.form:
        return f"its weights are {manifest.source.form}, not {source.form}"
    with progress.step(f"verifying {source.name}"):
        for done, file in enumerate(manifest.files):
            progress.report(done, len(manifest.files))
            path = folder / file.name
            if not path.is_file() or digest_file(path) != file.sha256:
                return f"{file.name} is missing or changed"
    strange = set(_names(folder)) - {file.name for file in manifest.files}
    return f"it holds {min(strange)}, which is not of this model" if strange else ""


def read_manifest(folder: Path) -> ModelManifest | None:
    """The folder's manifest; None where there is none or it cannot be read."""
    try:
        found = json_of((folder / MANIFEST).read_text(encoding="utf-8"))
        files = tuple(FileDigest(**file) for file in found["files"])
        return ModelManifest(source=ModelSource(**found["source"]), files=files)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_manifest(folder: Path, source: ModelSource) -> None:
    files = tuple(
        FileDigest(name=name, size=(folder / name).stat().st_size, sha256=digest_file(folder / name))
        for name in _names(folder)
    )
    manifest = ModelManifest(source=source, files=files)
    write_text(folder / MANIFEST, json.dumps(asdict(manifest), indent=2, ensure_ascii=False) + "\n")


def _names(folder: Path) -> list[str]:
    """The files below `folder`, relative to it, without the manifest and hidden ones."""
    below = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    seen = [path for path in below if not any(part.startswith(".") for part in path.parts)]
    return sorted(path.as_posix() for path in seen if path != Path(MANIFEST))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within this block no other process makes `folder`. The lock falls when its holder dies."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        with progress.step(f"waiting for the process that makes {folder.name}"):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
