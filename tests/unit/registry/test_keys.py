"""Signing keys on disk: who can read them, which are trusted, and that none is ever overwritten."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipeline.errors import BadInput
from registry import keys
from registry.signing import key_id


def test_a_new_key_is_for_its_owner_alone_and_its_public_half_is_trusted(tmp_path: Path) -> None:
    private, trusted = tmp_path / "keys" / "signing.pem", tmp_path / "keys" / "trusted"
    public = keys.new_key(private, trusted)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    ring = keys.read_keys(private, trusted)
    assert ring.own is not None
    assert set(ring.trusted) == {key_id(ring.own.public_key())} == {keys.id_of(public)}
    (known,) = keys.listed(private, trusted)
    assert (known.id, known.own) == (keys.id_of(public), True)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "key.pem", None)
    before = (tmp_path / "key.pem").read_bytes()
    with pytest.raises(BadInput, match="never overwritten"):
        keys.new_key(tmp_path / "key.pem", None)
    assert (tmp_path / "key.pem").read_bytes() == before


def test_a_teams_key_is_trusted_only_when_its_public_half_is_brought(tmp_path: Path) -> None:
    public = keys.new_key(tmp_path / "key.pem", None)
    assert keys.read_keys(tmp_path / "key.pem", tmp_path / "trusted").trusted == {}
    named = keys.trust(public, tmp_path / "trusted")
    assert keys.trust(public, tmp_path / "trusted") == named
    assert set(keys.read_keys(None, tmp_path / "trusted").trusted) == {named}


def test_a_key_that_counts_for_decisions_alone_counts_for_no_release(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "key.pem", tmp_path / "trusted")
    public = keys.new_key(tmp_path / "server.pem", None)
    named = keys.trust(public, tmp_path / "trusted", only_decisions=True)
    ring = keys.read_keys(tmp_path / "key.pem", tmp_path / "trusted")
    assert named not in ring.trusted
    assert set(ring.over_decisions.trusted) == {named, *ring.trusted}
    assert [one.only_decisions for one in keys.listed(None, tmp_path / "trusted") if one.id == named] == [True]
    assert len(keys.listed(None, tmp_path / "trusted")) == 2


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "key.pem", None)
    (tmp_path / "key.pem").chmod(0o640)
    with pytest.raises(BadInput, match="chmod 600"):
        keys.read_keys(tmp_path / "key.pem", tmp_path / "trusted")


def test_without_a_private_key_what_is_trusted_is_known_all_the_same(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "key.pem", tmp_path / "trusted")
    (tmp_path / "key.pem").unlink()
    ring = keys.read_keys(tmp_path / "key.pem", tmp_path / "trusted")
    assert (ring.own, len(ring.trusted)) == (None, 1)


def test_a_private_key_is_never_put_among_the_trusted_ones(tmp_path: Path) -> None:
    keys.new_key(tmp_path / "key.pem", None)
    with pytest.raises(BadInput, match="holds a private key"):
        keys.trust(tmp_path / "key.pem", tmp_path / "trusted")
    assert not (tmp_path / "trusted").exists()


def test_a_key_of_another_kind_or_no_key_at_all_is_refused(tmp_path: Path) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "rsa.pem").write_bytes(other.public_bytes(*form))
    (tmp_path / "none.pem").write_text("hello")
    with pytest.raises(BadInput, match="another kind than Ed25519"):
        keys.trust(tmp_path / "rsa.pem", tmp_path / "trusted")
    with pytest.raises(BadInput, match="no public key"):
        keys.trust(tmp_path / "none.pem", tmp_path / "trusted")
