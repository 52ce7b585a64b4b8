"""From what a user names (a packaged model, a GGUF file, a folder, a hub id) to a folder that `load_base` loads."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline import progress
from pipeline.adapters.identity import check_files
from pipeline.digests import digest_file
from pipeline.engines.base import find_base
from pipeline.errors import ModelMissing
from pipeline.files import remove_folder
from pipeline.models.acceptance import check_answers, check_loads
from pipeline.models.cache import ModelSource, model_folder, models_folder
from pipeline.models.catalogue import PackagedModel, packaged
from pipeline.models.conversion import FORM, convert
from pipeline.models.download import fetch

BROUGHT = "sealed"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class FoundModel:
    """A model folder, and the folder of the recipe, rehearsal prompts and suites that come with it, if any."""

    folder: Path
    brings: Path | None


def find_model(named: str) -> FoundModel:
    """The model that `named` names: of the catalogue, a GGUF file, a folder, or a hub id, in this order.

    The first two are made in the cache where they are not there, and verified where they are. A model folder may bring
    a recipe and suites of its own in a folder `sealed`. Raises ModelMissing or DownloadFailed with what to do.
    """
    if model := packaged(named):
        return FoundModel(folder=_packaged_folder(model), brings=model.brings)
    folder = _unpacked_folder(Path(named).expanduser()) if named.endswith(".gguf") else find_base(named)
    check_files(folder)
    brings = folder / BROUGHT
    return FoundModel(folder=folder, brings=brings if brings.is_dir() else None)


def _packaged_folder(model: PackagedModel) -> Path:
    source = ModelSource(
        name=model.name, origin=model.origin, digest=model.gguf_digest, licence=model.licence, form=FORM
    )
    return model_folder(source, lambda folder: _make_packaged(model, folder))


def _make_packaged(model: PackagedModel, folder: Path) -> None:
    """Downloads, unpacks and checks; what was downloaded is removed at the end, and kept for another try before."""
    work = models_folder() / f".{model.name}.download"
    fetched = fetch(model, work)
    shutil.copytree(fetched.papers, folder / "licence")
    with progress.step(f"converting {model.name}, tensors"):
        convert(fetched.gguf, folder)
    if digest_file(folder / WEIGHTS) != model.weights_digest:
        raise ModelMissing(
            f"{model.name} was unpacked to other weights than the pinned ones. Install the versions of "
            "requirements.lock, then run the command again."
        )
    with _stage(f"checking that {model.name} answers"):
        check_answers(check_loads(folder), chat=model.chat)
    remove_folder(work)


def _unpacked_folder(gguf: Path) -> Path:
    """The folder of a GGUF file, by its content: the same bytes under another name are the same folder."""
    if not gguf.is_file():
        raise ModelMissing(f"there is no file {gguf}. Give the path of a GGUF file.")
    digest = digest_file(gguf)
    name = f"gguf-{digest[:16]}"
    source = ModelSource(name=name, origin=str(gguf.resolve()), digest=digest, licence="as the file's", form=FORM)
    return model_folder(source, lambda folder: _make_unpacked(gguf, folder))


def _make_unpacked(gguf: Path, folder: Path) -> None:
    with progress.step(f"converting {gguf.name}, tensors"):
        convert(gguf, folder)
    with _stage(f"checking that {gguf.name} loads"):
        check_loads(folder)


@contextmanager
def _stage(name: str) -> Iterator[None]:
    """A step of one unit: what its parts report is not shown."""
    with progress.step(name), progress.quiet():
        yield
