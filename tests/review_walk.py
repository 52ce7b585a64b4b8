"""A review from its beginning to its end in a real browser: what is refused, what is approved, and what it leads to."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser

from tests.review_pages import chromium, signed_in
from tests.review_server import ADMIN, PASSWORD, ReviewServer

COMMAND = [sys.executable, "-c", "from flows.cli import main; main()"]
PROPOSER, REVIEWER = "ada", "grace"
# Every 5 seconds, and what a pass takes on a busy machine.
ADOPTED_WITHIN = 60.0


def trainer(workspace: Path) -> dict[str, str]:
    """The environment of the service account."""
    account = {"MLFLOW_TRACKING_USERNAME": "trainer", "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    return {**os.environ, **account, "SEALED_WORKSPACE": str(workspace)}


def walk(server: ReviewServer, workspace: Path, version: str, pictures: Path) -> float:
    """Reviews `version`, which the reviewer ada proposed; seconds from the approval until it was adopted.

    Leaves pictures in the folder `pictures`.
    """
    with chromium() as browser, reconciling(workspace):
        _read(browser, server, version, pictures)
        _refused(browser, server, version, pictures)
        return _approved(browser, server, version, pictures)


@contextmanager
def reconciling(workspace: Path) -> Iterator[None]:
    """`sealed reconcile --watch` runs during the block."""
    child = subprocess.Popen([*COMMAND, "reconcile", "--watch"], env=trainer(workspace))
    try:
        yield
    finally:
        child.kill()
        child.wait()


def _read(browser: Browser, server: ReviewServer, version: str, pictures: Path) -> None:
    with signed_in(browser, server.url, REVIEWER) as reviewer:
        reviewer.open_model()
        reviewer.expect_text("waits for review")
        reviewer.picture(pictures / "review-model.png")
        reviewer.open_version(version)
        reviewer.expect_text("acquisition")
        reviewer.picture(pictures / "review-version.png")
        reviewer.open_report().picture(pictures / "review-report.png")


def _refused(browser: Browser, server: ReviewServer, version: str, pictures: Path) -> None:
    attempts = (
        (PROPOSER, f"review.{PROPOSER}", f"{PROPOSER} proposed it"),
        (REVIEWER, f"review.{PROPOSER}", f"reviewers set only their own, review.{REVIEWER}"),
        (ADMIN, f"review.{ADMIN}", f"{ADMIN} may not review"),
        (ADMIN, "checked", f"{ADMIN} may not set a tag of a version"),
        ("trainer", "review.trainer", "trainer may not review"),
    )
    for who, key, words in attempts:
        with signed_in(browser, server.url, who) as person:
            person.open_version(version)
            assert words in person.say(key, "approved")
            person.expect_text(words)
            if who == PROPOSER:
                person.picture(pictures / "review-refused.png")
    assert not [key for key in server.tags(version) if key.startswith("review.")]


def _approved(browser: Browser, server: ReviewServer, version: str, pictures: Path) -> float:
    with signed_in(browser, server.url, REVIEWER) as reviewer:
        reviewer.open_version(version)
        reviewer.write_tag(f"review.{REVIEWER}", "approved")
        reviewer.picture(pictures / "review-tag.png")
        assert reviewer.add_tag() == ""
        started = time.monotonic()
        while "review.outcome" not in server.tags(version):
            assert time.monotonic() - started < ADOPTED_WITHIN, "nobody adopted the approval"
            time.sleep(0.5)
        seconds = time.monotonic() - started
        reviewer.open_version(version)
        reviewer.show_tag("review.outcome")
        reviewer.picture(pictures / "review-adopted.png")
    return seconds
