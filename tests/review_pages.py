"""MLflow's pages as a reviewer uses them, in Debian's chromium: what tests and the screenshots do there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.review_server import PASSWORD

HOW_TO_GET_CHROMIUM = "no chromium: install Debian's `chromium`"
SIZE = {"width": 1280, "height": 900}
# The pages load for seconds, and on a busy machine for many.
PATIENCE_MS = 120_000
SETTLE_MS = 2_000


@dataclass(frozen=True)
class ReviewPages:
    """One person's browser."""

    url: str
    page: Page

    def open_model(self) -> None:
        """The page of the registered model."""
        self._open("models/sealed", "Last Modified")

    def open_version(self, version: str) -> None:
        """The page of a version."""
        self._open(f"models/sealed/versions/{version}", f"Version {version}")

    def open_report(self) -> "ReviewPages":
        """From a version's page to the report, by its link, which opens another page of the browser."""
        with self.page.context.expect_page() as opened:
            self.page.get_by_role("link", name="Report with plots").click()
        report = opened.value.frame_locator("iframe").first
        expect(report.get_by_text("This run's questions").first).to_be_visible(timeout=PATIENCE_MS)
        return ReviewPages(self.url, opened.value)

    def say(self, key: str, value: str) -> str:
        """Adds a tag to the version that is open; the sentence with which it is refused, or ""."""
        self.write_tag(key, value)
        return self.add_tag()

    def write_tag(self, key: str, value: str) -> None:
        """Fills in the form of a new tag, in the middle of the page."""
        self.page.get_by_test_id("add-tag-button").evaluate("form => form.scrollIntoView({block: 'center'})")
        self.page.get_by_test_id("tags-form-input-name").fill(key)
        self.page.get_by_test_id("tags-form-input-value").fill(value)

    def add_tag(self) -> str:
        """Presses the button of the form; the sentence with which it is refused, or ""."""
        with self.page.expect_response(lambda answer: answer.url.endswith("/model-versions/set-tag")) as told:
            self.page.get_by_test_id("add-tag-button").click()
        return "" if told.value.ok else str(told.value.json()["message"])

    def show_tag(self, key: str) -> None:
        """Scrolls to a tag, which the table of tags may hide."""
        self.page.get_by_text(key, exact=True).first.evaluate("tag => tag.scrollIntoView({block: 'center'})")

    def expect_text(self, text: str) -> None:
        """Waits until the page shows the text."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)

    def picture(self, file: Path) -> None:
        """The page as it is once its notices have moved in."""
        self.page.wait_for_timeout(SETTLE_MS)
        self.page.screenshot(path=str(file))

    def _open(self, place: str, text: str) -> None:
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/#/{place}", timeout=PATIENCE_MS)
        self.expect_text(text)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's chromium, without a window."""
    path = shutil.which("chromium")
    assert path, HOW_TO_GET_CHROMIUM
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def signed_in(browser: Browser, url: str, who: str) -> Iterator[ReviewPages]:
    """The pages as `who` sees them, signed in by their own password."""
    context = browser.new_context(http_credentials={"username": who, "password": PASSWORD}, viewport=SIZE)
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield ReviewPages(url, context.new_page())
    finally:
        context.close()
