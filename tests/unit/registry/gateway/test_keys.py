"""Keys are known by their digests alone, and whoever has none is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import BadDataFile, BadInput, Unauthorised
from registry.gateway.keys import ANONYMOUS, KeyRing, add_key, owner, read_keys, remove_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "api-keys.json"


def test_the_file_holds_no_secret_and_is_the_owners_alone(file: Path) -> None:
    secret = add_key(file, "web shop")
    assert secret.startswith("sk-sealed-")
    assert secret not in file.read_text()
    assert os.stat(file).st_mode & 0o077 == 0
    assert owner(read_keys(file), secret) == "web shop"
    assert owner(read_keys(file), secret[:-1]) is None
    assert owner(read_keys(file), "") is None


def test_a_key_is_taken_from_the_header_and_refused_once_it_is_removed(file: Path) -> None:
    first, second = add_key(file, "one"), add_key(file, "two")
    ring = KeyRing(file, required=True)
    assert ring.caller(f"Bearer {first}") == "one"
    assert ring.caller(f"bearer {second}") == "two"
    remove_key(file, "one")
    with pytest.raises(Unauthorised, match="sealed api-keys add"):
        ring.caller(f"Bearer {first}")
    assert ring.caller(f"Bearer {second}") == "two"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer sk-sealed-wrong", "Bearer " + "x" * 9999]
)
def test_no_key_and_a_wrong_one_are_refused(file: Path, header: str | None) -> None:
    add_key(file, "one")
    with pytest.raises(Unauthorised):
        KeyRing(file, required=False).caller(header)


def test_without_keys_only_a_gateway_of_this_machine_is_open(file: Path) -> None:
    assert KeyRing(file, required=False).caller(None) == ANONYMOUS
    with pytest.raises(Unauthorised):
        KeyRing(file, required=True).caller(None)


@pytest.mark.parametrize("goes", [lambda file: file.unlink(), lambda file: remove_key(file, "one")])
def test_keys_that_vanish_open_nothing_and_a_new_one_is_let_in(
    file: Path, goes: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    ring, secret = KeyRing(file, required=False), add_key(file, "one")
    assert ring.caller(f"Bearer {secret}") == "one"
    goes(file)
    for header in (None, f"Bearer {secret}"):
        with pytest.raises(Unauthorised):
            ring.caller(header)
    assert "everybody is refused" in caplog.text
    new = add_key(file, "two")
    assert ring.caller(f"Bearer {new}") == "two"


def test_a_key_added_later_closes_an_open_gateway(file: Path) -> None:
    ring = KeyRing(file, required=False)
    assert ring.caller(None) == ANONYMOUS
    secret = add_key(file, "one")
    with pytest.raises(Unauthorised):
        ring.caller(None)
    assert ring.caller(f"Bearer {secret}") == "one"


@pytest.mark.parametrize(
    "text", ["[{}]", "{", '[{"name": "a", "sha256": 1, "created": ""}]', "[" * 100_000, '[["name"]]', "null"]
)
def test_a_damaged_file_lets_nobody_in(file: Path, text: str) -> None:
    add_key(file, "one")
    ring = KeyRing(file, required=False)
    file.write_text(text)
    with pytest.raises(BadDataFile, match="cannot be read as API keys"):
        ring.caller(None)


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "x" * 65, ANONYMOUS])
def test_a_name_is_one_line_that_people_read(file: Path, name: str) -> None:
    with pytest.raises(BadInput, match="no name"):
        add_key(file, name)


def test_a_name_stands_once_and_a_missing_one_cannot_be_removed(file: Path) -> None:
    add_key(file, "one")
    with pytest.raises(BadInput, match="there is a key named 'one'"):
        add_key(file, "one")
    with pytest.raises(BadInput, match="no API key named 'two'"):
        remove_key(file, "two")
