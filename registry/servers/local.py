"""The serving target of one machine: a pointer file, replaced whole, that says which release answers.

Knows no model: who answers reads the pointer, loads what it names, and names it in the answer.
"""

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pipeline.errors import ExternalError
from pipeline.types import Deployment, ModelRef, Release

POINTER = "serving.json"
_REMOVED = ".removed-"


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What is being served: the release and its model, as of the deployment with this epoch."""

    release: int
    epoch: int
    model: ModelRef


@dataclass(frozen=True)
class LocalServer:
    """Serves from `folder`, where the pointer file lies. Two values are the same server if their folder is."""

    folder: Path

    @property
    def name(self) -> str:
        return f"the local server at {self.folder}"

    def active(self) -> Serving | None:
        """What is served now, or None if nothing was activated yet. Raises ExternalError on a damaged pointer."""
        try:
            text = (self.folder / POINTER).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ExternalError(f"cannot read {self.folder / POINTER}: {error.strerror}. Mend its access.") from error
        try:
            return _parse(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise ExternalError(
                f"{self.folder / POINTER} is damaged: the next approval or rollback writes it anew from the ledger."
            ) from error

    def activate(self, deployment: Deployment, release: Release) -> Serving:
        """Points at `release`, unless a later deployment is active already. Returns what is served afterwards."""
        wanted = Serving(release=release.number, epoch=deployment.epoch, model=release.model)
        try:
            current = self.active()
        except ExternalError:
            # A damaged pointer is replaced: the ledger knows what it should say.
            current = None
        if current is not None and current.epoch > wanted.epoch:
            return current
        try:
            self._write(wanted)
        except OSError as error:
            raise ExternalError(f"cannot write {self.folder / POINTER}: {error.strerror}. Make room for it.") from error
        return wanted

    def _write(self, serving: Serving) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / f".{POINTER}.{uuid4().hex}"
        model = {"base": serving.model.base, "adapter": serving.model.adapter}
        body = {"release": serving.release, "epoch": serving.epoch, **model}
        try:
            with fresh.open("w", encoding="utf-8") as stream:
                stream.write(json.dumps(body, indent=2) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(self.folder / POINTER)
        finally:
            fresh.unlink(missing_ok=True)


def retain(folder: Path, names: Collection[str]) -> tuple[str, ...]:
    """Removes every directory of `folder` not named, and returns those removed. Files and hidden names stay.

    A directory is renamed out of sight first, so that a kill never leaves half an adapter under its name; what a
    killed run left out of sight goes first.
    """
    import shutil

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


def _parse(body: dict[str, object]) -> Serving:
    release, epoch, base, adapter = body["release"], body["epoch"], body["base"], body["adapter"]
    if not (isinstance(release, int) and isinstance(epoch, int) and isinstance(base, str)):
        raise TypeError("a number or a digest is missing")
    if not (adapter is None or isinstance(adapter, str)):
        raise TypeError("the adapter is no digest")
    return Serving(release=release, epoch=epoch, model=ModelRef(base=base, adapter=adapter))
