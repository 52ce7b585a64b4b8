"""How far the ledger had come when it was last seen here: a file outside the database, so that an older copy of the
whole database in its place is noticed. Whoever can write to the file as well goes unnoticed.
"""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import BadDataFile, LedgerTampered
from pipeline.files import write_text
from registry.store import journal
from registry.store.database import Database

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The newest deployment, the number of rows of the history of releases, and the digest of the last one."""

    epoch: int
    rows: int
    digest: str


_MARK = TypeAdapter(Mark)


@dataclass(frozen=True)
class HighWater:
    """The mark in a `file`, and the ledger that it is of."""

    file: Path
    database: Database

    def expect_reached(self) -> None:
        """Raises LedgerTampered where the ledger does not hold the row at the mark, BadDataFile where nobody can read
        the mark. A ledger that was never seen here passes.
        """
        if (mark := self._read()) is None:
            return
        with self.database.read() as connection:
            found, epoch = journal.digest_of_step(connection, mark.rows), journal.epoch(connection)
        if found == mark.digest:
            return
        how = "is older than" if found is None else "tells another story than"
        raise LedgerTampered(
            f"the ledger at {self.database.address} {how} the one that was here: that had come to epoch {mark.epoch}, "
            f"with {mark.rows} rows of history, and this one is at epoch {epoch}. Put the newest backup back. If this "
            f"is the newest that there is, look at what was decided since, then remove {self.file}."
        )

    def note(self) -> None:
        """Moves the mark to where the ledger is. To be called once its history was checked. What cannot be written is
        logged: it stops no release from being served.
        """
        with self.database.read() as connection:
            rows, digest = journal.last_step(connection)
            reached = Mark(epoch=journal.epoch(connection), rows=rows, digest=digest)
        mark = self._read()
        if mark is not None and mark.rows >= reached.rows:
            return
        try:
            write_text(self.file, json.dumps(asdict(reached)))
        except OSError as error:
            _LOG.warning("the mark of the ledger cannot be kept in %s: %s", self.file, error.strerror)

    def _read(self) -> Mark | None:
        try:
            return _MARK.validate_json(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise BadDataFile(
                f"{self.file} does not say how far the ledger had come ({type(error).__name__}). Put it back, or "
                "remove it if the ledger is the newest."
            ) from None
