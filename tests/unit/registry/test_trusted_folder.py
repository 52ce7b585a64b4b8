"""Which accounts can change which keys are trusted, by what the system says: tried under another account, as root."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from registry import keys
from registry.trusted_folder import changeable

ROOT = Path(__file__).parents[3]
NOBODY = 65534
ASK = """
import sys
from pathlib import Path
from registry.trusted_folder import changeable
print(changeable(Path(sys.argv[1])))
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root works under other accounts and mounts folders")


@pytest.fixture
def trusted() -> Iterator[Path]:
    """A folder with a key of each kind, which other accounts can reach."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        folder = Path(made).resolve() / "keeper" / "trusted"
        keys.new_key(Path(made) / "private" / "key.pem", folder)
        keys.trust(Path(made) / "private" / "key.pub.pem", folder, only_decisions=True)
        yield folder


def asked_as(user: int, folder: Path) -> Path | None:
    """What that account could change: for a moment this process works under it."""
    os.seteuid(user)
    try:
        return changeable(folder)
    finally:
        os.seteuid(0)


def test_whoever_owns_the_folder_can_change_it_whatever_its_mode_says(trusted: Path) -> None:
    trusted.chmod(0o555)
    assert changeable(trusted) is not None
    trusted.chmod(0o755)


def test_a_folder_that_is_not_there_can_be_made_by_whoever_owns_the_one_above(tmp_path: Path) -> None:
    assert changeable(tmp_path / "keys" / "trusted") == tmp_path


@needs_root
def test_another_account_that_only_reads_can_change_nothing(trusted: Path) -> None:
    assert asked_as(NOBODY, trusted) is None


@needs_root
@pytest.mark.parametrize("within_reach", ["folder", "folder of decisions' keys", "file", "folder above"])
def test_whatever_another_account_can_write_is_named(trusted: Path, within_reach: str) -> None:
    place = {
        "folder": trusted,
        "folder of decisions' keys": trusted / "decisions",
        "file": next(trusted.glob("*.pem")),
        "folder above": trusted.parent,
    }[within_reach]
    place.chmod(0o777)
    assert asked_as(NOBODY, trusted) == place


@needs_root
def test_a_link_that_another_account_can_point_elsewhere_is_named(trusted: Path) -> None:
    open_to_all = trusted.parents[1] / "links"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "trusted").symlink_to(trusted)
    assert asked_as(NOBODY, open_to_all / "trusted") == open_to_all


@needs_root
def test_root_itself_can_change_nothing_that_is_mounted_read_only(trusted: Path) -> None:
    """As a container has it: `trusted:/trusted:ro`."""
    mount = f"mount --bind {trusted} {trusted} && mount -o remount,ro,bind {trusted}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", ASK, str(trusted)],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ermission" in done.stderr or "not permitted" in done.stderr:
        pytest.skip("this container may not mount")
    assert (done.stdout.strip(), done.stderr) == ("None", "")
    assert changeable(trusted) is not None
