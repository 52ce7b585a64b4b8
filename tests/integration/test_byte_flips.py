"""A thousand bytes of an approved adapter are flipped, one at a time: none of them is ever activated.

Half of them as bit rot would, most others by somebody who writes the manifest anew to agree, and a tenth by somebody
who also writes the ledger's row anew: then only the signature tells.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from peft import PeftModel
from sqlalchemy import text

from benchmarks import releases
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.adapters.format import CONFIG, MANIFEST, WEIGHTS, digest_directory, read_manifest, write_manifest
from pipeline.errors import BadSignature, CorruptAdapter, WrongBase
from registry.servers.local import LocalServer

FLIPS, SEED = 1_000, 18
FORGED = (*["nothing"] * 5, *["manifest"] * 4, "manifest and ledger")


@dataclass(frozen=True)
class Flip:
    """One byte becomes another, and what the attacker makes agree with it."""

    file: str
    at: int
    mask: int
    forged: str

    def apply(self, whole: bytes) -> bytes:
        return whole[: self.at] + bytes([whole[self.at] ^ self.mask]) + whole[self.at + 1 :]


def flips(sizes: dict[str, int]) -> list[Flip]:
    draw = random.Random(SEED)
    names = [draw.choice((WEIGHTS, CONFIG, MANIFEST)) for _ in range(FLIPS)]
    return [
        Flip(name, draw.randrange(sizes[name]), draw.randint(1, 255), FORGED[n % 10]) for n, name in enumerate(names)
    ]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> Workspace:
    """A workspace whose release 1 is production, signed."""
    folder = tmp_path_factory.mktemp("flipped") / "workspace"
    made = init_workspace(folder, str(tiny_model("llama")), actor="ada", device="cpu")
    releases.make_release(made, 1)
    return made


def forge(workspace: Workspace, folder: Path, flip: Flip) -> None:
    """Makes manifest and ledger agree with the flipped byte, as far as this attacker goes."""
    if flip.forged != "nothing" and flip.file != MANIFEST:
        write_manifest(folder, replace(read_manifest(folder), files=digest_directory(folder)))
    if flip.forged == "manifest and ledger":
        try:
            manifest = read_manifest(folder)
        except CorruptAdapter:
            return
        values = {"manifest": manifest.digest, "adapter": manifest.adapter}
        with workspace.ledger.database.write() as connection:
            connection.execute(
                text("UPDATE releases SET manifest = :manifest, adapter = :adapter WHERE number = 1"), values
            )


@pytest.mark.parametrize("part", [slice(0, 100), pytest.param(slice(100, FLIPS), marks=pytest.mark.slow)], ids=str)
def test_no_flipped_byte_is_activated(workspace: Workspace, part: slice, monkeypatch: pytest.MonkeyPatch) -> None:
    release = workspace.ledger.releases.get(1)
    folder = workspace.folder_of(release.update)
    honest = {name: (folder / name).read_bytes() for name in (WEIGHTS, CONFIG, MANIFEST)}
    server = LocalServer(workspace.base, workspace.held_adapter)
    server.activate(release)
    server.activate(workspace.ledger.releases.get(0))
    server.retire(1)
    refused: list[tuple[str, str]] = []
    with monkeypatch.context() as patched:
        patched.setattr(PeftModel, "from_pretrained", lambda *_, **__: pytest.fail("PEFT was asked"))
        for flip in flips({name: len(whole) for name, whole in honest.items()})[part]:
            (folder / flip.file).write_bytes(flip.apply(honest[flip.file]))
            forge(workspace, folder, flip)
            with pytest.raises((CorruptAdapter, WrongBase, BadSignature)) as error:
                server.activate(workspace.ledger.releases.get(1))
            refused.append((flip.forged, type(error.value).__name__))
            for name in {flip.file, MANIFEST}:
                (folder / name).write_bytes(honest[name])
    with workspace.ledger.database.write() as connection:
        values = {"manifest": release.manifest, "adapter": release.model.adapter}
        connection.execute(
            text("UPDATE releases SET manifest = :manifest, adapter = :adapter WHERE number = 1"), values
        )
    server.activate(release)
    server.close()
    assert len(refused) == part.stop - part.start
    assert {name for forged, name in refused if forged == "manifest"} == {"CorruptAdapter"}
    assert ("manifest and ledger", "BadSignature") in refused, "some of them agree in all digests"
