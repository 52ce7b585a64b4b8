"""A workspace is a folder: moved elsewhere it is the same one, and a copy of it is another."""

import shutil
from pathlib import Path

from tests.story.running import Sealed


def test_a_moved_workspace_is_well_and_its_copy_has_a_ledger_of_its_own(tmp_path: Path, sealed: Sealed) -> None:
    made, moved, copy = (tmp_path / name for name in ("made", "moved", "copy"))
    assert sealed("init", str(made)).code == 0
    assert str(tmp_path) not in (made / "sealed.toml").read_text(encoding="utf-8")
    made.rename(moved)
    shutil.copytree(moved, copy)
    ran = sealed("doctor", "--json", workspace=moved)
    assert ran.code == 0, ran.out
    assert not made.exists()
    (moved / "ledger.db").unlink()
    assert sealed("status", workspace=copy).code == 0
    assert sealed("status", workspace=moved).code != 0
