"""Which models the catalogue names and the cache holds. Reads manifests only: no weights, no network."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.models import catalogue
from pipeline.models.cache import ModelManifest, models_folder, read_manifest
from pipeline.models.catalogue import PackagedModel


@dataclass(frozen=True, kw_only=True)
class ListedModel:
    """A model that `--model` knows by name or that lies in the cache. Sizes are bytes.

    `folder`: where it lies; None where it is not downloaded. `folder_bytes`: what it takes, or will.
    """

    name: str
    about: str
    licence: str
    note: str
    download_bytes: int
    folder_bytes: int
    downloaded: bool
    folder: Path | None


def listed_models() -> tuple[ListedModel, ...]:
    """The catalogue in its order, then what else the cache holds, by name."""
    cached = _cached()
    entries = tuple(_entry(model, cached.pop(model.name, None)) for model in catalogue.CATALOGUE)
    return entries + tuple(_own(name, manifest) for name, manifest in cached.items())


def _cached() -> dict[str, ModelManifest]:
    """The manifests of the cache by the names of their folders. Unfinished folders have another name."""
    here = models_folder()
    folders = sorted(here.iterdir()) if here.is_dir() else []
    found = {folder.name: read_manifest(folder) for folder in folders if folder.is_dir()}
    return {name: manifest for name, manifest in found.items() if manifest and manifest.source.name == name}


def _entry(model: PackagedModel, manifest: ModelManifest | None) -> ListedModel:
    whole = manifest is not None and manifest.source.digest == model.gguf_digest
    return ListedModel(
        name=model.name,
        about=model.about,
        licence=model.licence,
        note=model.note,
        download_bytes=model.download_bytes,
        folder_bytes=manifest.size if manifest else model.folder_bytes,
        downloaded=whole,
        folder=models_folder() / model.name if whole else None,
    )


def _own(name: str, manifest: ModelManifest) -> ListedModel:
    return ListedModel(
        name=name,
        about=f"made from {manifest.source.origin}",
        licence=manifest.source.licence,
        note="",
        download_bytes=0,
        folder_bytes=manifest.size,
        downloaded=True,
        folder=models_folder() / name,
    )
