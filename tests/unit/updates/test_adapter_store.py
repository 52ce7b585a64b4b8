"""Which local adapters stay, and that a kill leaves no half of one under its name."""

from pathlib import Path

from pipeline.adapters.saving import retain


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
