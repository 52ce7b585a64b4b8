"""The folder that a vLLM server reads adapters from: each lies under its digest, and is never written again.

Knows no server. What is put there was copied and verified first, so the bytes that were verified are those it reads.
"""

import logging
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from transformers import PreTrainedModel

from pipeline.adapters.attachment import check_layers
from pipeline.adapters.copies import copy_adapter
from pipeline.adapters.format import WEIGHTS, verify_adapter
from pipeline.adapters.header import read_shapes
from pipeline.adapters.identity import BaseIdentity
from pipeline.adapters.saving import retain
from pipeline.errors import CorruptAdapter, WrongBase
from pipeline.files import move, remove_folder
from pipeline.types import AdapterManifest

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StoredAdapter:
    """An adapter's place, the manifest of its bytes, and whether they were written there just now."""

    place: Path
    manifest: AdapterManifest
    written: bool


@dataclass(frozen=True, eq=False)
class AdapterFolders:
    """The folders below `root`. `skeleton`: the base's modules, whose layers an adapter must have."""

    root: Path
    base: BaseIdentity
    skeleton: PreTrainedModel

    def put(self, source: Path, manifest_digest: str | None = None) -> StoredAdapter:
        """Copies the adapter in `source`, verifies the copy, and puts it under its digest unless it lies there already.

        Raises CorruptAdapter, WrongBase, OSError.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=self.root) as name:
            copied = Path(name) / "adapter"
            copied.mkdir()
            copy_adapter(source, copied)
            manifest = verify_adapter(copied, self.base, manifest_digest)
            check_layers(read_shapes(copied / WEIGHTS), self.skeleton, manifest.target_modules)
            place = self.root / manifest.adapter
            written = not self._is_whole(place, manifest.adapter)
            if written:
                _publish(copied, place)
        return StoredAdapter(place=place, manifest=manifest, written=written)

    def retain(self, digests: Collection[str]) -> None:
        """Removes all adapters but these."""
        for removed in retain(self.root, digests):
            _LOG.info("removed the served copy of adapter %s", removed[:12])

    def _is_whole(self, place: Path, digest: str) -> bool:
        if not place.exists():
            return False
        try:
            return verify_adapter(place, self.base).adapter == digest
        except (CorruptAdapter, WrongBase) as error:
            _LOG.warning("an adapter that a server reads was changed, and is written again: %s", error)
            return False


def _publish(copied: Path, place: Path) -> None:
    """Renames a verified copy to its place. The server may run under another account, so all may read it."""
    for file in copied.iterdir():
        file.chmod(0o444)
    copied.chmod(0o755)
    if place.exists():
        remove_folder(move(place, copied.parent / uuid4().hex))
    move(copied, place)
