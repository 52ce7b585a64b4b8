"""Which workspaces are alike for the fault harness."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.faults.worlds import likeness

EARLY, LATE = "2026-11-28T10:00:00.000001+00:00", "2026-11-28T11:00:00+00:00"
ONE, OTHER = "a" * 64, "b" * 64


def workspace(folder: Path, rows: Sequence[tuple[int, str, str]], files: dict[str, str] | None = None) -> Path:
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "ledger.db")) as ledger, ledger:
        ledger.execute("CREATE TABLE releases (number INTEGER, adapter TEXT, time TEXT)")
        ledger.executemany("INSERT INTO releases VALUES (?, ?, ?)", rows)
    for name, text in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def test_other_times_and_names_in_the_same_order_are_alike(tmp_path: Path) -> None:
    first = workspace(tmp_path / "first", [(1, ONE, EARLY), (2, OTHER, LATE)])
    second = workspace(
        tmp_path / "second", [(1, OTHER, "2026-12-01T08:00:00+00:00"), (2, ONE, "2027-01-01T08:00:00+00:00")]
    )
    assert likeness(first) == likeness(second)


def test_times_in_another_order_are_not_alike(tmp_path: Path) -> None:
    first = workspace(tmp_path / "first", [(1, ONE, EARLY), (2, OTHER, LATE)])
    second = workspace(tmp_path / "second", [(1, ONE, LATE), (2, OTHER, EARLY)])
    assert likeness(first) != likeness(second)


def test_a_file_of_another_release_is_not_alike(tmp_path: Path) -> None:
    """Files are told apart by the release whose name they bear, though that name was drawn."""
    rows = [(1, ONE, EARLY), (2, OTHER, LATE)]
    first = workspace(tmp_path / "first", rows, {f"adapters/{ONE}/config": "same", f"adapters/{OTHER}/config": "same"})
    second = workspace(tmp_path / "second", rows, {f"adapters/{ONE}/config": "same", f"adapters/{OTHER}/other": "same"})
    assert likeness(first) != likeness(second)


def test_the_order_in_which_a_folder_lists_its_files_does_not_matter(tmp_path: Path) -> None:
    names = [f"adapters/{ONE}/config", f"adapters/{OTHER}/config"]
    rows = [(1, ONE, EARLY), (2, OTHER, LATE)]
    first = workspace(tmp_path / "first", rows, dict.fromkeys(names, "same"))
    second = workspace(tmp_path / "second", rows, dict.fromkeys(reversed(names), "same"))
    assert likeness(first) == likeness(second)


def test_another_count_or_state_is_not_alike(tmp_path: Path) -> None:
    first = workspace(tmp_path / "first", [(1, ONE, EARLY)])
    assert likeness(first) != likeness(workspace(tmp_path / "second", [(2, ONE, EARLY)]))
    assert likeness(first) != likeness(workspace(tmp_path / "third", [(1, ONE, EARLY), (2, ONE, EARLY)]))


def test_the_minute_that_a_page_shows_is_no_difference(tmp_path: Path) -> None:
    rows = [(1, ONE, EARLY)]
    first = workspace(tmp_path / "first", rows, {"page": "in production since 2026-11-28 18:42 UTC, by ada"})
    second = workspace(tmp_path / "second", rows, {"page": "in production since 2026-11-28 18:43 UTC, by ada"})
    other = workspace(tmp_path / "other", rows, {"page": "in production since 2026-11-28 18:42 UTC, by ben"})
    assert likeness(first) == likeness(second) != likeness(other)
