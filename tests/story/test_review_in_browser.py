"""A reviewer decides in MLflow's user interface, in a real browser, and the release becomes production."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.review_server import PASSWORD, free_port, review_server
from tests.review_walk import PROPOSER, walk
from tests.review_workspace import ReviewedWorkspace

PICTURES = {"model", "version", "report", "refused", "tag", "adopted"}


@pytest.mark.slow
def test_a_release_is_reviewed_in_a_browser(
    tmp_path: Path, tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    reviewed = ReviewedWorkspace(tmp_path / "workspace", tiny_model("llama"), f"http://127.0.0.1:{port}", PROPOSER)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "trainer")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    with review_server(tmp_path, port, SEALED_WORKSPACE=str(reviewed.folder)) as server:
        release = reviewed.candidate("atlas")
        assert release.mlflow_version
        walk(server, reviewed.folder, release.mlflow_version, tmp_path)
        assert reviewed.ledger.releases.production().number == release.number
        assert [one.actor for one in reviewed.ledger.releases.approvals(release.number)] == ["grace"]
        assert server.tags(release.mlflow_version)["release.state"] == "production"
    assert {file.stem.removeprefix("review-") for file in tmp_path.glob("review-*.png")} == PICTURES
