"""The ledger as the server uses it: opened at its first use, read anew for each request, written once a decision."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from pipeline.config import Settings
from pipeline.errors import BadInput, ConstraintBroken, DatabaseFailed
from pipeline.types import ReviewDecision
from registry.keys import read_keys, read_own
from registry.ledger import Ledger, open_ledger
from registry.mlflow.app.view import LedgerView
from registry.signing import KeyRing, key_id

# How long a person waits for a SQLite ledger that a run writes to, before the answer is 503.
BUSY_SECONDS = 5.0


@dataclass(frozen=True)
class LedgerAddress:
    """Where the ledger is, and the name of the registered model that shows its releases.

    `key`: the private key that signs decisions; `trusted`: the folder of those whose signatures count, where it is
    known here.
    """

    url: str
    model: str
    key: Path | None = None
    trusted: Path | None = None


def ledger_address(environment: Mapping[str, str]) -> LedgerAddress:
    """From SEALED_WORKSPACE, or from SEALED_DATABASE_URL (and SEALED_MODEL_NAME) on a host without the workspace.

    Raises BadInput where neither is set; NoWorkspace where the folder is none.
    """
    folder, url = environment.get("SEALED_WORKSPACE"), environment.get("SEALED_DATABASE_URL")
    if folder:
        settings = Settings.read(Path(folder))
        return LedgerAddress(settings.database_url, settings.model_name, settings.private_key, settings.trusted_keys)
    if url:
        named = environment.get("SEALED_SIGNING_KEY")
        return LedgerAddress(url, environment.get("SEALED_MODEL_NAME") or "sealed", Path(named) if named else None)
    raise BadInput("this server has no ledger: set SEALED_WORKSPACE or SEALED_DATABASE_URL, and start it again.")


def server_keys(address: LedgerAddress) -> KeyRing:
    """The key that signs what people decide on this server, trusted by itself. Raises BadInput where there is none, or
    where the workspace is at hand and does not trust it: nothing that is decided here would count.
    """
    own = read_own(address.key)
    if own is None:
        raise BadInput(
            f"this server has no key to sign decisions with ({address.key or 'none is named'}): nobody could tell them "
            "from rows that somebody put into the database. Make one with `sealed keys new`, name it in "
            "SEALED_SIGNING_KEY, and let whoever keeps the trusted keys run `sealed keys trust --decisions` with its "
            "public key."
        )
    named = key_id(own.public_key())
    if address.trusted is not None and named not in read_keys(None, address.trusted).over_decisions.trusted:
        raise BadInput(
            f"the key {named[:16]} of this server is not trusted in {address.trusted}, so nothing that is decided here "
            "would count. Run `sealed keys trust --decisions` with its public key."
        )
    return KeyRing(trusted={named: own.public_key()}, own=own)


class ServerLedger:
    """The ledger of one server process.

    Every method raises DatabaseFailed where the ledger does not answer, or answers with what no ledger holds: whoever
    asks is to be told so, and not of an error of this server.
    """

    def __init__(self, address: LedgerAddress) -> None:
        self._address = address
        self._keys = server_keys(address)
        self._opening = threading.Lock()
        self._opened: Ledger | None = None

    def view(self) -> LedgerView:
        """What the ledger says now."""
        with _translated():
            ledger = self._ledger()
            waiting = ledger.review_decisions.waiting(self._keys)
            return LedgerView(
                model=self._address.model,
                releases=ledger.releases.listed(),
                history=ledger.deployments.listed(),
                unused=tuple(one.decision for one in waiting if one.forged is None),
                concluded=ledger.review_decisions.concluded(),
            )

    def record(self, decision: ReviewDecision) -> None:
        """Adds a decision, signed, in a transaction of its own."""
        with _translated():
            self._ledger().review_decisions.record(decision, self._keys.expect_own())

    def _ledger(self) -> Ledger:
        with self._opening:
            if self._opened is None:
                self._opened = open_ledger(self._address.url, busy_seconds=BUSY_SECONDS)
            return self._opened


@contextmanager
def _translated() -> Iterator[None]:
    """A constraint that stops a row, or a row that is no noun: somebody else wrote to the ledger."""
    try:
        yield
    except (ConstraintBroken, SQLAlchemyError, ValidationError) as error:
        # Neither message: a statement shows its parameters, and a row may hold anything.
        raise DatabaseFailed(f"the ledger holds or refuses a row that it should not: {type(error).__name__}.") from None
