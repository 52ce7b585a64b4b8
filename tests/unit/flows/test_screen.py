"""What `--json` prints is JSON, whatever noun it is given; what people read is in words."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.cli import screen
from flows.services.review import ProductionChange
from pipeline.types import Deployment, ReleaseState, Verdict
from registry import Reconciled


def test_nouns_are_objects_and_what_json_lacks_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    moved = ProductionChange(
        deployment=Deployment(epoch=1, release=2, actor="ada", reason="größer", at=noon),
        reconciled=Reconciled(repaired=("one",)),
    )
    screen.as_json({"moved": moved, 3: Path("/in"), "verdict": Verdict.PASS, "names": frozenset({"a"}), "none": None})
    printed = capsys.readouterr().out
    said = json.loads(printed)
    assert "größer" in printed
    assert datetime.fromisoformat(said["moved"]["deployment"].pop("at")) == noon
    who = {"actor": "ada", "account": "", "identity": "unproven"}
    assert said == {
        "moved": {
            "deployment": {"epoch": 1, "release": 2, "reason": "größer"} | who,
            "reconciled": {"repaired": ["one"], "failed": []},
            "already": False,
            "missing": "",
        },
        "3": "/in",
        "verdict": "PASS",
        "names": ["a"],
        "none": None,
    }


def test_a_table_writes_states_in_words_and_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    screen.table("Releases", ("state", "adapter"), [(ReleaseState.ROLLED_BACK, "my_adapter")])
    printed = capsys.readouterr().out
    assert "rolled back" in printed
    assert "my_adapter" in printed
