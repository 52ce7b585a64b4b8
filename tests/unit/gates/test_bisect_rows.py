"""What a bisect tried, as people are shown it: every adapter, the evidence, and nothing harmful."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from gates import bisect_rows
from gates.catalogue import checks
from gates.evaluation import report_on
from gates.report import write_report
from gates.summary import LONGEST, markdown
from pipeline.recipe import AcquisitionPolicy, PolicyRules
from pipeline.types import Bisection, BisectStep, Culprit, Document, Verdict

POLICY = PolicyRules(acquisition=AcquisitionPolicy(min_items=20, min_documents=4))
IDS = tuple(f"{at:064x}" for at in range(16))
LOST = "retention: 96 eval items, -9.0 points (lower bound -12.0), margin 5.0"


def step(*places: int, fails: bool = False, factor: float = 1.0) -> BisectStep:
    verdict, said = (Verdict.FAIL, LOST) if fails else (Verdict.PASS, "")
    return BisectStep(documents=tuple(IDS[at] for at in places), verdict=verdict, sentence=said, factor=factor)


def logged(title: str = "Poison", **changes: Any) -> Bisection:
    steps = (step(*range(8), fails=True), step(*range(8, 16)), step(0, 1, 2, 5), step(3, fails=True))
    culprit = Culprit(documents=(IDS[3],), titles=(title,), sentence=LOST)
    log = Bisection(documents=IDS, gates=("retention",), failed=LOST, limit=32, steps=steps, culprits=(culprit,))
    return replace(log, **changes)


def test_every_adapter_has_its_row_and_the_run_the_first() -> None:
    rows = bisect_rows.tried(logged(), [Document(title="Atlas", body="b")])
    assert [(row.documents, row.verdict) for row in rows] == [
        ("16 documents: 1–16", "FAIL"),
        ("8 documents: 1–8", "FAIL"),
        ("8 documents: 9–16", "PASS"),
        ("4 documents: 1–3, 6", "PASS"),
        ("Poison", "FAIL"),
    ]
    assert rows[4].sentence == LOST


def test_the_conclusion_counts_trainings_beside_log2() -> None:
    assert bisect_rows.conclusion(logged()) == (
        "The run of 16 documents failed retention; 4 adapters trained on parts of it (log2 of 16 is 4, 32 are "
        "allowed); 1 document quarantined, the rest evaluated whole."
    )
    scaled = logged(steps=(step(*range(16), fails=True, factor=0.5),), culprits=(), ended="nothing passed")
    assert bisect_rows.conclusion(scaled) == (
        "The run of 16 documents failed retention; 1 scaled adapter was tried; nothing passed."
    )


def test_page_and_summary_show_what_was_tried_and_no_markup(case: Any, rights: Any, tmp_path: Path) -> None:
    evidence = case().run(rights(40, 38), rights(40, 2)).evidence()
    hostile = "</title><img src=x onerror=alert(1)> ![t](http://example.org/x.png) \u202e"
    report = replace(report_on(evidence, POLICY, checks(POLICY)), bisection=logged(hostile))
    page = write_report(report, evidence, tmp_path / "report.html").read_text("utf-8")
    assert "What was tried after it failed" in page
    assert "8 documents: 9–16" in page
    assert "log2 of 16 is 4" in page
    assert LOST in page
    assert "<img" not in page
    text = markdown(report, evidence)
    assert "Quarantined" in text
    assert "8 documents: 1–8" in text
    assert "](http" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    many = replace(report, bisection=logged(steps=tuple(step(at) for at in range(16)) * 6))
    assert len(markdown(many, evidence)) <= LONGEST


def test_a_report_without_a_bisect_keeps_its_digest_and_one_with_it_has_another(case: Any, rights: Any) -> None:
    report = report_on(case().run(rights(40), rights(40)).evidence(), POLICY, checks(POLICY))
    assert replace(report, bisection=None).digest == report.digest
    assert replace(report, bisection=logged()).digest != report.digest
    assert replace(report, bisection=logged()).digest != replace(report, bisection=logged(ended="x")).digest
