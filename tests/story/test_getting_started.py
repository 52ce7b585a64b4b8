"""The commands of docs/getting-started.md work as they are typed, in the order in which they stand."""

from pathlib import Path

import pytest

from benchmarks.shortened import shorten
from tests.docs.pages import ROOT, blocks
from tests.story.running import typed

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "getting-started.md"


def test_the_first_workspace_lives_as_the_guide_says(tmp_path: Path) -> None:
    shown = [block for block in blocks(PAGE) if block.language == "console" and not block.reason]
    activate, make, *story = shown
    assert activate.commands == ("source .venv/bin/activate",)
    typed(make, tmp_path)
    shorten(tmp_path / "workspace")  # rehearses less than the embedded recipe does: a test has less time
    learn, ask, again, correct, withdraw, roll_back = (typed(block, tmp_path) for block in story)
    assert "release 1 passed its gates" in learn
    assert "release 1 is production, approved by rita (account " in ask
    assert "release 2 is production, approved by rita (account " in again
    assert "waits for the next run that reads" in correct
    assert "is withdrawn: production still knows it until a rebuild is released" in withdraw
    assert "release 3 passed its gates" in withdraw
    assert "release 2 is production again, rolled back by omar (account " in roll_back
    assert "production still knows 1 withdrawn document" in roll_back
