"""Makes the pictures of docs/review.md: `python -m docs.screenshots`, from the repository's root.

A sandbox run, a real MLflow server with the plugin, and a review in Debian's chromium. Takes some minutes.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.shortened import shorten
from pipeline.config import Settings
from tests.review_server import free_port, review_server
from tests.review_walk import COMMAND, PROPOSER, trainer, walk

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Overwrites the pictures in docs/images."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        workspace = _workspace(folder, port)
        with review_server(folder, port, SEALED_WORKSPACE=str(workspace)) as server:
            _sealed(workspace, "update", str(folder / "documents" / "run-1"), "--proposer", PROPOSER)
            seconds = walk(server, workspace, "1", IMAGES)
    print(f"the pictures are in {IMAGES}; the approval was adopted after {seconds:.1f} s")


def _workspace(folder: Path, port: int) -> Path:
    workspace = folder / "workspace"
    _sealed(workspace, "init", str(workspace), "--as", "owner")
    _sealed(workspace, "sandbox", "documents", "--runs", "1", "--seed", "31337", str(folder / "documents"))
    shorten(workspace)
    settings = Settings.read(workspace).workspace / "sealed.toml"
    with settings.open("a", encoding="utf-8") as file:
        file.write(f'tracking_uri = "http://127.0.0.1:{port}"\n')
    return workspace


def _sealed(workspace: Path, *words: str) -> None:
    subprocess.run([*COMMAND, *words], env={**os.environ, **trainer(workspace)}, check=True)


if __name__ == "__main__":
    main()
