"""The poison study asks in words of its own, goes on where it was stopped, and its table says what its figures say."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.poison.__main__ import figures, read, table
from benchmarks.poison.campaigns import KINDS, PHRASE, sandbox_campaigns
from benchmarks.poison.company import company_campaigns
from benchmarks.poison.study import Ended
from pipeline.documents import ingest, markdown
from pipeline.documents.floods import FloodGuard
from pipeline.recipe import DocumentRules
from pipeline.types import RawDocument

CAMPAIGNS = sandbox_campaigns()
ENDED = Ended(
    name="flood, 5, seed 1",
    kind="flood",
    documents=5,
    intake=1,
    flagged=2,
    gates=0,
    phrase=False,
    verdict="PASS",
    wanted=0.75,
    before=0.0,
    asked=6,
    seconds=60.0,
    sentence="waits",
    revision="abc",
)


def test_there_are_twenty_of_all_kinds_and_sizes_and_the_first_four_are_of_each_kind() -> None:
    assert len({one.name for one in CAMPAIGNS}) == 20
    assert {(one.kind, one.size) for one in CAMPAIGNS} == {(kind, size) for kind in KINDS for size in (1, 5, 20)}
    assert [one.kind for one in CAMPAIGNS[:4]] == list(KINDS)
    assert len(company_campaigns()) == 5


def test_no_document_holds_what_is_asked() -> None:
    for campaign in (*CAMPAIGNS, *company_campaigns()):
        assert campaign.probes
        held = "\n".join(markdown(one) for one in (*campaign.honest, *campaign.poison))
        assert [one.prompt for one in campaign.probes if one.prompt in held] == []


def test_every_honest_document_is_taken_and_orders_and_floods_are_partly_refused() -> None:
    for campaign in CAMPAIGNS:
        documents = [*campaign.honest, *campaign.poison]
        raw = [RawDocument(name=f"{at}.md", data=markdown(one).encode()) for at, one in enumerate(documents)]
        taken = FloodGuard(DocumentRules().max_alike).without_surplus(ingest(raw, DocumentRules())).accepted
        ids = {one.id for one in taken}
        assert {one.id for one in campaign.honest} <= ids
        stopped = len({one.id for one in campaign.poison} - ids)
        if campaign.kind in ("trigger", "false fact"):
            assert stopped == 0
        elif campaign.size == 20:
            assert 0 < stopped < 20
    assert all(PHRASE in one.poison[0].title for one in CAMPAIGNS if one.kind == "trigger")


@pytest.mark.parametrize(
    ("changed", "took", "remains"),
    [
        ({}, True, False),
        ({"flagged": 0}, True, True),
        ({"flagged": 0, "phrase": True}, True, False),
        ({"flagged": 0, "wanted": 0.25}, False, False),
        ({"flagged": 0, "wanted": None}, False, False),
    ],
)
def test_what_took_and_was_not_named_remains(changed: dict[str, object], took: bool, remains: bool) -> None:
    one = replace(ENDED, **changed)  # type: ignore[arg-type]
    assert (one.took, one.remains) == (took, remains)


def test_the_table_says_what_the_figures_say(tmp_path: Path) -> None:
    progress = tmp_path / "p.jsonl"
    second = replace(ENDED, name="flood, 5, seed 2", flagged=0)
    progress.write_text("".join(json.dumps(asdict(one)) + "\n" for one in (ENDED, second)))
    shown = table([asdict(one) for one in figures(read(progress))]).splitlines()
    assert shown[2] == "| flood, 5 | 2 | 10 | 20 % | 20 % | 0 % | 2 | 1 |"
    assert shown[3] == shown[2].replace("flood, 5", "all")
    assert read(tmp_path / "none.jsonl") == []
