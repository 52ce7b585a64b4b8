"""The lock file pins one version of everything, from the package index alone, and says why it pins no hashes."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAD, *PINS = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()


def test_every_line_is_one_exact_version() -> None:
    """No address, no option, no range: nothing is installed from elsewhere, and nothing moves by itself."""
    assert [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9][\w.-]*==[\w.!+]+", line)] == []
    names = [re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in PINS]
    assert len(set(names)) == len(names)


def test_it_says_why_it_has_no_hashes() -> None:
    assert "no hashes" in HEAD
    assert not any("--hash" in line for line in PINS)


def test_the_audit_looks_at_this_file_fails_closed_and_is_no_part_of_the_check() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (audit,) = re.findall(r"^audit:\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    assert "--requirement requirements.lock" in audit
    # Without it, what the index does not know is skipped, and the audit passes.
    assert "--strict" in audit
    assert not re.search(r"^(check|test|test-all):.*audit", makefile, flags=re.MULTILINE)
