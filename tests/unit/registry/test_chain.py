"""Chained rows: whoever alters, removes, inserts or reorders one is noticed, with or without digests made anew."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.chain import START, Row, seal, verify_chain
from tests.ledgers import KEYS, SIGNING

MALLORY = Ed25519PrivateKey.generate()


def chain(*names: str, signed: bool = True) -> list[Row]:
    """Rows that each say a name; those in capitals grant something."""
    return rechained(
        [Row(chain="approvals", id=0, content={"actor": name}, seal=_NONE, grants=name.isupper()) for name in names],
        SIGNING if signed else None,
    )


_NONE = seal("approvals", 0, {}, START, None)


def rechained(rows: list[Row], own: Ed25519PrivateKey | None) -> list[Row]:
    """The rows as somebody with the key `own` would write them."""
    made: list[Row] = []
    for id_, row in enumerate(rows, 1):
        previous = made[-1].seal.digest if made else START
        made.append(replace(row, id=id_, seal=seal(row.chain, id_, row.content, previous, own)))
    return made


def altered(rows: list[Row], place: int) -> list[Row]:
    return [replace(row, content={"actor": "mallory"}) if at == place else row for at, row in enumerate(rows)]


@pytest.mark.parametrize("thorough", [True, False])
def test_rows_as_they_were_written_hold(thorough: bool) -> None:
    assert verify_chain(chain("ADA", "GRACE", "ada"), KEYS, thorough=thorough) is None
    assert verify_chain([], KEYS, thorough=thorough) is None


@pytest.mark.parametrize("thorough", [True, False])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_altered_row_is_named(place: int, thorough: bool) -> None:
    said = str(verify_chain(altered(chain("ADA", "GRACE", "ADA"), place), KEYS, thorough=thorough))
    assert said == f"row {place + 1} of the approvals was altered after it was written"


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (lambda rows: [rows[0], rows[2]], "row 2 of the approvals was removed: the next is row 3"),
        (lambda rows: rows[1:], "row 1 of the approvals was removed"),
        (lambda rows: [rows[0], replace(rows[2], id=2)], "row 1 of the approvals was replaced"),
        (lambda rows: [rows[1], rows[0], rows[2]], "row 1 of the approvals was removed"),
        (lambda rows: [replace(rows[1], id=1), rows[0], rows[2]], "row 1 of the approvals is not the first one"),
    ],
)
def test_a_removed_or_reordered_row_is_named(attack: Callable[[list[Row]], list[Row]], words: str) -> None:
    assert words in str(verify_chain(attack(chain("ADA", "GRACE", "ADA")), KEYS))


@pytest.mark.parametrize("thorough", [True, False])
@pytest.mark.parametrize("own", [None, MALLORY])
def test_digests_made_anew_do_not_help_without_the_key(own: Ed25519PrivateKey | None, thorough: bool) -> None:
    forged = rechained(altered(chain("ADA", "GRACE", "ADA"), 1), own)
    whole = [*chain("ADA"), *forged[1:]]
    assert "of the approvals" in str(verify_chain(whole, KEYS, thorough=thorough))
    assert "row 2 of the approvals" in str(verify_chain(whole, KEYS))


@pytest.mark.parametrize("thorough", [True, False])
def test_a_newest_row_that_was_signed_over_another_past_does_not_vouch_for_this_one(thorough: bool) -> None:
    true = chain("ADA", "GRACE", "ADA")
    forged = rechained(altered(true, 1), MALLORY)
    newest = replace(forged[2], seal=replace(forged[2].seal, key=true[2].seal.key, signature=true[2].seal.signature))
    assert verify_chain([true[0], forged[1], newest], KEYS, thorough=thorough) is not None


@pytest.mark.parametrize("thorough", [True, False])
def test_an_unsigned_row_that_grants_something_is_an_inserted_one(thorough: bool) -> None:
    rows = [*chain("ADA"), *rechained(chain("ADA", "GRACE"), None)[1:]]
    said = str(verify_chain(rows, KEYS, thorough=thorough))
    assert "row 2 of the approvals grants something and nobody signed it" in said


def test_an_unsigned_row_that_grants_nothing_holds_and_is_sealed_by_the_next_signed_one() -> None:
    unsigned = chain("run", "run", signed=False)
    approved = seal("approvals", 3, {"actor": "ADA"}, unsigned[-1].seal.digest, SIGNING)
    last = Row(chain="approvals", id=3, content={"actor": "ADA"}, seal=approved, grants=True)
    assert verify_chain([*unsigned, last], KEYS) is None
    forged = rechained(altered(unsigned, 1), None)
    assert verify_chain(forged, KEYS) is None
    assert "row 2 of the approvals was replaced" in str(verify_chain([*forged, last], KEYS))


def test_a_row_of_another_chain_does_not_fit() -> None:
    (row,) = chain("ADA")
    assert "was altered" in str(verify_chain([replace(row, chain="history")], KEYS))


@pytest.mark.parametrize("thorough", [True, False])
def test_a_key_that_is_trusted_no_longer_holds_for_what_a_trusted_one_signed_after_it(thorough: bool) -> None:
    old = rechained(chain("ADA", "GRACE"), MALLORY)
    assert "not trusted here" in str(verify_chain(old, KEYS, thorough=thorough))
    next_ = seal("approvals", 3, {"actor": "ADA"}, old[-1].seal.digest, SIGNING)
    vouched = [*old, Row(chain="approvals", id=3, content={"actor": "ADA"}, seal=next_, grants=True)]
    assert verify_chain(vouched, KEYS, thorough=thorough) is None
    assert "was altered" in str(verify_chain(altered(vouched, 0), KEYS, thorough=thorough))


def test_where_no_row_vouches_for_another_each_must_be_signed() -> None:
    rows = chain("ADA", "GRACE")
    linked = rechained(rows[:1], MALLORY)
    for row in rows[1:]:
        sealed = seal(row.chain, len(linked) + 1, row.content, linked[-1].seal.digest, SIGNING)
        linked.append(replace(row, id=len(linked) + 1, seal=sealed))
    assert verify_chain(linked, KEYS) is None
    said = str(verify_chain(linked, KEYS, vouching=False))
    assert said.startswith("row 1 of the approvals was inserted or altered: it is signed by the key")
