"""The report in a real browser: nothing runs out of a phone's screen, and the reader's dark mode is followed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gates.account import RunAccount, SetAside
from gates.catalogue import checks
from gates.evaluation import report_on
from gates.report import write_report
from gates.writing import WrittenText
from pipeline.recipe import PolicyRules
from pipeline.types import StageSeconds
from tests.review_pages import chromium

LONG = "Bezirksschornsteinfegermeister" * 5
ACCOUNT = RunAccount(
    seconds=(StageSeconds(stage="gates", seconds=61.0),), set_aside=(SetAside(name=LONG, reason=f"FAIL: {LONG}"),)
)


@pytest.fixture
def page(case: Any, rights: Any, tmp_path: Path) -> Path:
    """Everything that a report can show, with long words."""
    made = case().run(rights(40, 38), rights(40, 2)).release_set(1, rights(40), rights(40, 3))
    made.standing("retention", "what-everybody-knows-about-harbours", rights(400), rights(400, 3))
    made.documents[0] = replace(made.documents[0], title=LONG)
    made.written = [WrittenText(document=made.documents[0].id, style="self-qa", text=LONG)]
    evidence, policy = made.evidence(), PolicyRules()
    return write_report(report_on(evidence, policy, checks(policy)), evidence, tmp_path / "report.html", ACCOUNT)


@pytest.mark.slow
def test_a_phone_shows_all_of_it_and_dark_is_dark(page: Path, tmp_path: Path) -> None:
    with chromium() as browser:
        for scheme, darker in (("light", False), ("dark", True)):
            shown = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
            shown.goto(page.as_uri())
            assert shown.evaluate("document.documentElement.scrollWidth") <= 390
            assert shown.locator(".narrow svg").first.is_visible()
            assert not shown.locator(".wide-plot svg").first.is_visible()
            shown.screenshot(path=tmp_path / f"phone-{scheme}.png", full_page=True)
            ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(","))) < 200) is darker
            shown.set_viewport_size({"width": 1280, "height": 900})
            assert shown.locator(".wide-plot svg").first.is_visible()
            shown.screenshot(path=tmp_path / f"wide-{scheme}.png", full_page=True)
