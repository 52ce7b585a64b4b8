"""What a run keeps in files of the workspace while it is under way, because it is too large for the ledger.

A value is read back only as it was written: a file that was changed or damaged counts as none.
"""

import json
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.digests import digest_of
from pipeline.files import write_text
from pipeline.nesting import json_of

T = TypeVar("T")


def write_value(file: Path, value: object, basis: str) -> None:
    """Writes a frozen value with the `basis` on which it was made, a digest, and the digest of both."""
    body = TypeAdapter(type(value)).dump_json(value).decode("utf-8")
    write_text(file, json.dumps({"basis": basis, "digest": digest_of("run file", basis, body), "body": body}))


def read_value(file: Path, kind: type[T], basis: str | None = None) -> T | None:
    """The value of type `kind` in the file; None where there is none, or it was made on another `basis` (if given)."""
    try:
        stored = json_of(file.read_text(encoding="utf-8"))
        written, body = stored["basis"], stored["body"]
        if stored["digest"] != digest_of("run file", written, body) or basis not in (None, written):
            return None
        value: T = TypeAdapter(kind).validate_json(body)
    except (FileNotFoundError, ValueError, LookupError, TypeError, ValidationError):
        return None
    return value
