"""Where the servers of a workspace answer while `sealed ui` runs: so that other commands use the same Prefect."""

import json
import os
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from flows.services.ui.accounts import read_accounts
from flows.services.ui.ports import Addresses
from flows.services.ui.processes import Plan, folder_of, scheduler_variables
from pipeline.files import write_text

LOCK, _ADDRESSES = "lock", "addresses.json"


def record(plan: Plan) -> None:
    """Says where the servers answer."""
    write_text(plan.folder / _ADDRESSES, json.dumps(asdict(plan.addresses), indent=2) + "\n")


def forget(workspace: Path) -> None:
    """Says that no server answers any more."""
    (folder_of(workspace) / _ADDRESSES).unlink(missing_ok=True)


def read_addresses(workspace: Path) -> Addresses | None:
    """What was recorded last; None where nothing is."""
    file = folder_of(workspace) / _ADDRESSES
    return Addresses(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def running(workspace: Path) -> Addresses | None:
    """Where the servers answer; None where `sealed ui` does not run. A killed one leaves its record, and no lock."""
    found = read_addresses(workspace)
    if found is None:
        return None
    try:
        with FileLock(folder_of(workspace) / LOCK, timeout=0):
            return None
    except Timeout:
        return found


def join_scheduler(workspace: Path) -> None:
    """Makes this process use the Prefect server of a running `sealed ui`, unless PREFECT_API_URL names another.

    To be called before Prefect is imported: it reads its settings then. Two servers over one record of runs would
    lock each other out. Raises BadDataFile.
    """
    folder = workspace.resolve()
    if "PREFECT_API_URL" in os.environ or (found := running(folder)) is None:
        return
    os.environ.update(scheduler_variables(folder, read_accounts(folder_of(folder)), found))
