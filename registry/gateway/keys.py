"""API keys: only their digests are kept, in one file of the workspace, and compared in constant time.

A key has 256 random bits, so a plain SHA-256 of it cannot be guessed back.
"""

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import BadDataFile, BadInput, Unauthorised
from pipeline.files import write_text
from pipeline.nesting import json_of

ANONYMOUS = "anonymous"
_PREFIX = "sk-sealed-"
_LOG = logging.getLogger(__name__)
_DIGEST = re.compile("[0-9a-f]{64}")
_LONGEST = 200  # characters of a presented key that are looked at


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A client's key: its name, the digest of its secret, and when it was made (ISO 8601)."""

    name: str
    sha256: str
    created: str


def read_keys(file: Path) -> tuple[ApiKey, ...]:
    """The keys of a file; none where there is no file. Raises BadDataFile."""
    if not file.is_file():
        return ()
    try:
        keys = tuple(ApiKey(**one) for one in json_of(file.read_text(encoding="utf-8")))
        if not all(map(_whole, keys)):
            raise ValueError("a key needs a name, a digest of 64 hexadecimal digits and a time")
        return keys
    except (ValueError, TypeError, OSError) as error:
        raise BadDataFile(
            f"{file} cannot be read as API keys: {error}. Put it back, or remove it and add keys."
        ) from error


def _whole(key: ApiKey) -> bool:
    texts = all(isinstance(one, str) for one in (key.name, key.sha256, key.created))
    return texts and key.name.isprintable() and bool(_DIGEST.fullmatch(key.sha256))


def add_key(file: Path, name: str) -> str:
    """Adds a key of that name, and returns its secret, which is kept nowhere. Raises BadInput, BadDataFile."""
    known = read_keys(file)
    if not name.strip() or name != name.strip() or len(name) > 64 or not name.isprintable() or name == ANONYMOUS:
        raise BadInput(f"{name!r} is no name for an API key. Take 1 to 64 letters, and not {ANONYMOUS!r}.")
    if any(key.name == name for key in known):
        raise BadInput(f"there is a key named {name!r}. Remove it first, or take another name.")
    secret = _PREFIX + secrets.token_urlsafe(32)
    _write(
        file, (*known, ApiKey(name=name, sha256=_digest(secret), created=datetime.now(UTC).isoformat("T", "seconds")))
    )
    return secret


def remove_key(file: Path, name: str) -> None:
    """Removes the key of that name. Raises BadInput where there is none, BadDataFile."""
    known = read_keys(file)
    if all(key.name != name for key in known):
        raise BadInput(f"there is no API key named {name!r}. See `sealed api-keys`.")
    _write(file, tuple(key for key in known if key.name != name))


def owner(keys: tuple[ApiKey, ...], secret: str) -> str | None:
    """The name of the key with this secret, or None. Takes as long for every secret. Pure."""
    presented, found = _digest(secret), None
    for key in keys:
        if hmac.compare_digest(key.sha256.encode(), presented.encode()):
            found = key.name
    return found


@dataclass
class KeyRing:
    """The keys of a file, read again when it changes. `required`: a key is needed even where the file has none.

    Once there was a key one is required for as long as this lives: a file that vanishes opens nothing.
    """

    file: Path
    required: bool
    _read: Callable[[Path], tuple[ApiKey, ...]] = read_keys
    _keys: tuple[ApiKey, ...] = ()
    _seen: tuple[int, int, int] | None = field(default=None)

    def caller(self, authorization: str | None) -> str:
        """The name of whoever sent this Authorization header. Raises Unauthorised, BadDataFile."""
        keys = self._current()
        if not keys and not self.required:
            return ANONYMOUS
        scheme, _, secret = (authorization or "").partition(" ")
        name = owner(keys, secret.strip()[:_LONGEST]) if scheme.lower() == "bearer" else None
        if name is None:
            raise Unauthorised(
                "no valid API key. Send one as `Authorization: Bearer KEY`; `sealed api-keys add NAME` makes one."
            )
        return name

    @property
    def several(self) -> bool:
        """Whether there is more than one key, so that what one of them says needs another's word."""
        return len(self._current()) > 1

    def _current(self) -> tuple[ApiKey, ...]:
        try:
            state = os.stat(self.file)
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
        except FileNotFoundError:
            seen = None
        if seen is None or seen != self._seen:
            keys = self._read(self.file)
            if self._keys and not keys:
                _LOG.error("%s has no API key any more: everybody is refused until one is added.", self.file)
            self._keys, self._seen, self.required = keys, seen, self.required or bool(keys)
        return self._keys


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _write(file: Path, keys: tuple[ApiKey, ...]) -> None:
    write_text(file, json.dumps([asdict(key) for key in keys], indent=2) + "\n")
    file.chmod(0o600)
