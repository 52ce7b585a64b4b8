"""Rows that vouch for each other: each holds the digest of the one before, its own, and a signature. Pure.

A signed row vouches for every row before it, because its digest stands on theirs. So a row that grants something must
be signed, and one that grants nothing (what a run records, a rollback by somebody without a key) may wait for the next.
What follows the last signed row, and whether rows are missing at the very end, no chain can tell: `registry.audit`
compares it with the rest of the ledger.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.signing import KeyRing, against_signature, canonical, key_id, sign

START = "0" * 64  # what the first row of a chain follows


@dataclass(frozen=True, kw_only=True)
class Seal:
    """The columns that a chained row has beside its content. `key` and `signature` are empty for an unsigned row."""

    previous: str
    digest: str
    key: str = ""
    signature: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A chained row as it was read. `chain`: the table; ids count from 1; `grants`: whether it must be signed."""

    chain: str
    id: int
    content: Mapping[str, object]
    seal: Seal
    grants: bool


def seal(chain: str, id_: int, content: Mapping[str, object], previous: str, own: Ed25519PrivateKey | None) -> Seal:
    """The seal of a new row that follows the row with the digest `previous`; unsigned without a key."""
    data = _data(chain, id_, content, previous)
    digest = hashlib.sha256(data).hexdigest()
    if own is None:
        return Seal(previous=previous, digest=digest)
    return Seal(previous=previous, digest=digest, key=key_id(own.public_key()), signature=sign(data, own))


def against_row(row: Row, keys: KeyRing) -> str | None:
    """What is wrong with a row by itself, in words without its name; None: nothing."""
    return _against_digest(row) or _against_signature(row, keys)


def verify_chain(rows: Sequence[Row], keys: KeyRing, *, thorough: bool = True, vouching: bool = True) -> str | None:
    """The first row that was altered, removed or inserted, in a sentence without its full stop; None: there is none.

    `rows`: all of one chain by their ids. The newest row that a trusted key signed vouches for all before it: whoever
    signs checks first, and a past that changed since shows in its digests. So rows before it may bear the signature of
    a key that is trusted no longer, and unless `thorough`, no other signature before it is checked. Without `vouching`,
    because whoever signs does not check first, every row stands by itself.
    """
    signed = (place for place in reversed(range(len(rows))) if rows[place].seal.key in keys.trusted)
    newest = next(signed, 0) if vouching else 0
    before = START
    for place, row in enumerate(rows):
        if row.id != place + 1:
            return f"row {place + 1} of the {row.chain} was removed: the next is row {row.id}"
        if row.seal.previous != before:
            return _broken_link(row)
        checked = place >= newest or (thorough and row.seal.key in keys.trusted)
        signature = _against_signature(row, keys) if checked else None
        if (objection := _against_digest(row) or signature) is not None:
            return f"row {row.id} of the {row.chain} {objection}"
        before = row.seal.digest
    return None


def _against_digest(row: Row) -> str | None:
    if hashlib.sha256(_data_of(row)).hexdigest() == row.seal.digest:
        return None
    return "was altered after it was written"


def _against_signature(row: Row, keys: KeyRing) -> str | None:
    if not row.seal.key and not row.seal.signature:
        return "grants something and nobody signed it: it was inserted or altered" if row.grants else None
    objection = against_signature(_data_of(row), row.seal.signature, row.seal.key, keys)
    return objection and f"was inserted or altered: {objection}"


def _broken_link(row: Row) -> str:
    if row.id == 1:
        return f"row 1 of the {row.chain} is not the first one that was written"
    return f"row {row.id - 1} of the {row.chain} was replaced: row {row.id} was written after another one"


def _data_of(row: Row) -> bytes:
    return _data(row.chain, row.id, row.content, row.seal.previous)


def _data(chain: str, id_: int, content: Mapping[str, object], previous: str) -> bytes:
    return canonical({"kind": f"sealed/{chain}/1", "id": id_, "previous": previous, "content": content})
