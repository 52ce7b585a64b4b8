"""The accounts of a workspace's own servers: made once, kept in a file that only its owner can read."""

import os
import secrets
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.actors import against_name, skeleton
from pipeline.errors import BadDataFile, BadInput

FILE = "accounts.toml"
ADMIN, REVIEWER = "admin", "reviewer"
_BYTES = 18
_ABOUT = """\
# Made by `sealed ui`. The reviewer approves and rolls back in MLflow; the admin makes accounts there, and signs in
# to Prefect. Only this account can read the file. Nothing reads a password that you change in MLflow back into it.
"""


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Who may sign in. `cookies` is the key that signs MLflow's forms."""

    reviewer: str
    reviewer_password: str = field(repr=False)
    admin: str = ADMIN
    admin_password: str = field(repr=False)
    cookies: str = field(repr=False)

    @property
    def scheduler_sign_in(self) -> str:
        """What Prefect takes for basic authentication: name and password with a colon between them."""
        return f"{self.admin}:{self.admin_password}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error and no output may show."""
        return (self.reviewer_password, self.admin_password, self.cookies)


def accounts_of(folder: Path, reviewer: str | None, proposer: str) -> tuple[Accounts, bool]:
    """The accounts kept in `folder`, and whether they were made now; `reviewer` names the person, when they are made.

    Raises BadInput where the name proves nothing, is the `proposer`'s, or is another than the one in the file;
    BadDataFile where the file cannot be read.
    """
    file = folder / FILE
    made = not file.exists()
    if made:
        _write(file, _made(reviewer or REVIEWER))
    accounts = read_accounts(folder)
    if reviewer is not None and accounts.reviewer != reviewer:
        raise BadInput(
            f"the reviewer of this workspace is {accounts.reviewer}, by {file}. Leave --reviewer out, or make another "
            "account as the administrator, at /signup of MLflow, and name it in SEALED_REVIEWERS."
        )
    if skeleton(accounts.reviewer) == skeleton(proposer):
        raise BadInput(
            f"the reviewer {accounts.reviewer} and the proposer {proposer} could be taken for one person, who may not "
            f"approve their own work. Remove {file} and give --reviewer NAME, or name a service in SEALED_PROPOSER."
        )
    return accounts, made


def _made(reviewer: str) -> Accounts:
    if (objection := against_name(reviewer)) is not None:
        raise BadInput(f"nobody can review under this name: {objection}.")
    if reviewer == ADMIN:
        raise BadInput(f"{ADMIN} administers the accounts. Give the reviewer another name.")
    password, other, cookies = (secrets.token_urlsafe(_BYTES) for _ in range(3))
    return Accounts(reviewer=reviewer, reviewer_password=password, admin_password=other, cookies=cookies)


def _write(file: Path, accounts: Accounts) -> None:
    from tomlkit import dumps

    text = _ABOUT + dumps(asdict(accounts))
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def read_accounts(folder: Path) -> Accounts:
    """The accounts kept in `folder`. Raises BadDataFile."""
    file = folder / FILE
    try:
        return Accounts(**tomllib.loads(file.read_text(encoding="utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise BadDataFile(
            f"{file} does not hold the accounts of `sealed ui` ({type(error).__name__}). Put it back, or remove it and "
            "accounts.db beside it: both are made anew."
        ) from None
