"""Signing keys on disk: a private key that only its owner can read, and a folder of trusted public keys.

Within that folder lies another one, of keys that count for decisions in MLflow alone.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipeline.errors import BadInput
from pipeline.files import write_bytes
from registry.signing import KeyRing, key_id

_SHOWN = 16  # digits of a key's id that name its file
_DECISIONS = "decisions"


@dataclass(frozen=True, kw_only=True)
class TrustedKey:
    """A public key whose signatures count. `since`: when its file was written; `own`: its private key is at hand.

    `only_decisions`: it counts for decisions in MLflow, and for no release.
    """

    id: str
    file: Path
    since: datetime
    own: bool
    only_decisions: bool = False


def new_key(private: Path, trusted: Path | None) -> Path:
    """Makes a key pair: the private key at `private` (mode 0600), the public one beside it, which is returned.

    With `trusted`, the public key is put into that folder too. Raises BadInput where there is a key already.
    """
    key = Ed25519PrivateKey.generate()
    private.parent.mkdir(parents=True, exist_ok=True)
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise BadInput(
            f"{private} is there already, and a key is never overwritten. Use it, or move it away first: what it "
            "signed stays valid as long as its public key is trusted."
        ) from error
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    public = private.with_suffix(".pub.pem")
    write_bytes(public, _pem(key.public_key()))
    if trusted is not None:
        trust(public, trusted)
    return public


def id_of(public: Path) -> str:
    """The id of the public key in a file. Raises BadInput unless it holds one."""
    return key_id(_public(public))


def trust(public: Path, trusted: Path, *, only_decisions: bool = False) -> str:
    """Lets the signatures of the public key in the file `public` count. Returns its id. Idempotent.

    Raises BadInput unless the file holds an Ed25519 public key.
    """
    key = _public(public)
    named = key_id(key)
    place = (trusted / _DECISIONS if only_decisions else trusted) / f"{named[:_SHOWN]}.pem"
    if not place.exists():
        write_bytes(place, _pem(key))
    return named


def listed(private: Path | None, trusted: Path) -> tuple[TrustedKey, ...]:
    """The trusted keys by their ids. Raises BadInput where a file of the folder is none."""
    own = read_keys(private, trusted).own
    mine = key_id(own.public_key()) if own is not None else None
    found = [
        TrustedKey(
            id=(named := key_id(_public(file))),
            file=file,
            since=datetime.fromtimestamp(file.stat().st_mtime, UTC),
            own=named == mine,
            only_decisions=folder != trusted,
        )
        for folder in (trusted, trusted / _DECISIONS)
        for file in _files(folder)
    ]
    return tuple(sorted(found, key=lambda key: (key.id, key.only_decisions)))


def read_keys(private: Path | None, trusted: Path) -> KeyRing:
    """The keys of a workspace as they are now; without a private key where `private` names none that we can read.

    Raises BadInput where a file holds no such key, or others than its owner can read the private one.
    """
    return KeyRing(trusted=_by_id(trusted), own=read_own(private), decisions=_by_id(trusted / _DECISIONS))


def read_own(private: Path | None) -> Ed25519PrivateKey | None:
    """The private key in a file; None where there is none that we can read. Raises BadInput as `read_keys` does."""
    if private is None or not private.is_file() or not os.access(private, os.R_OK):
        return None
    return _private(private)


def _by_id(folder: Path) -> dict[str, Ed25519PublicKey]:
    return {key_id(key): key for key in map(_public, _files(folder))}


def places_in(trusted: Path) -> tuple[Path, ...]:
    """What holds the trusted keys within their folder: the files, and the folder of those for decisions, if any."""
    decisions = trusted / _DECISIONS
    return (*_files(trusted), *([decisions] if decisions.is_dir() else []), *_files(decisions))


def _files(trusted: Path) -> list[Path]:
    return sorted(trusted.glob("*.pem")) if trusted.is_dir() else []


def _private(file: Path) -> Ed25519PrivateKey:
    if file.stat().st_mode & 0o077:
        raise BadInput(f"others can read the signing key {file}. Run `chmod 600 {file}`, and replace it if they did.")
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInput(f"{file} holds no private key that can be read. Make one with `sealed keys new`.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{file} holds a key of another kind than Ed25519. Make one with `sealed keys new`.")
    return key


def _public(file: Path) -> Ed25519PublicKey:
    data = file.read_bytes()
    if b"PRIVATE KEY" in data:
        raise BadInput(f"{file} holds a private key, which nobody else may have. Give the public one beside it.")
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInput(f"{file} holds no public key. Give the .pub.pem file that `sealed keys new` wrote.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"{file} holds a key of another kind than Ed25519. Give one that `sealed keys new` made.")
    return key


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
