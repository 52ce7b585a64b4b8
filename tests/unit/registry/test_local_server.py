"""The pointer of the local server, and which adapters stay beside it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.errors import ExternalError
from pipeline.types import Deployment, ModelRef, Release, ReleaseState
from registry.servers.local import POINTER, LocalServer, Serving, retain

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def deployment(epoch: int, release: int) -> Deployment:
    return Deployment(epoch=epoch, release=release, actor="ada", reason="approved", at=NOON)


def release(number: int) -> Release:
    return Release(
        number=number,
        state=ReleaseState.PRODUCTION,
        parent=None,
        model=ModelRef(base="b", adapter=f"a{number}"),
        manifest="m",
        update="u",
        proposer="sealed",
        created=NOON,
    )


def test_a_new_server_serves_nothing_and_then_what_it_was_pointed_at(tmp_path: Path) -> None:
    server = LocalServer(tmp_path / "serving")
    assert server.active() is None
    server.activate(deployment(1, 4), release(4))
    assert LocalServer(tmp_path / "serving").active() == Serving(release=4, epoch=1, model=release(4).model)
    assert [path.name for path in server.folder.iterdir()] == [POINTER]


def test_an_older_deployment_that_comes_late_does_not_win(tmp_path: Path) -> None:
    server = LocalServer(tmp_path)
    server.activate(deployment(6, 1), release(1))
    assert server.activate(deployment(5, 2), release(2)).release == 1
    assert server.active() == Serving(release=1, epoch=6, model=release(1).model)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"release": "1", "epoch": 1, "base": "b", "adapter": null}', "{}"])
def test_a_damaged_pointer_is_reported_and_replaced(tmp_path: Path, damage: str) -> None:
    (tmp_path / POINTER).write_text(damage, encoding="utf-8")
    server = LocalServer(tmp_path)
    with pytest.raises(ExternalError, match="is damaged"):
        server.active()
    assert server.activate(deployment(1, 4), release(4)).release == 4


def test_only_named_adapters_stay(tmp_path: Path) -> None:
    for name in ("keep", "drop", ".under-way"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter.json").write_text("{}", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    assert retain(tmp_path, {"keep"}) == ("drop",)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".under-way", "keep", "notes.txt"]
    assert retain(tmp_path / "absent", set()) == ()


def test_what_a_killed_run_left_out_of_sight_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".removed-0").mkdir()
    (tmp_path / ".removed-0" / "adapter.json").write_text("{}", encoding="utf-8")
    assert retain(tmp_path, set()) == ()
    assert list(tmp_path.iterdir()) == []
