"""Canonical JSON and SHA-256: the identity of everything here. Knows no noun."""

import hashlib
import json
from pathlib import Path


def canonical_json(value: object) -> str:
    """The one JSON text of `value`: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(*parts: object) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of `parts`."""
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def digest_bytes(data: bytes) -> str:
    """SHA-256 (64 hex digits) of `data`."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file's bytes, read block by block."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def seed_from(*parts: object) -> int:
    """A 32-bit seed that depends on nothing but `parts`: never on the clock."""
    return int(digest_of(*parts)[:8], 16)
