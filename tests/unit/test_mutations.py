"""Every parser of what others wrote reads it, or refuses it in a typed error: a share of `benchmarks.mutations`."""

import random
from pathlib import Path

import pytest

from benchmarks.mutations import mutated, parsers, problem
from pipeline.errors import BadDataFile
from pipeline.nesting import json_of, toml_of
from registry.gateway.keys import read_keys

COUNT = 60


def test_each_parser_reads_what_is_right_and_refuses_the_rest_in_typed_errors(tmp_path: Path) -> None:
    found = set[str]()
    for name, (reader, seed) in parsers(tmp_path).items():
        for number in range(COUNT):
            data = mutated(random.Random(f"1 {name} {number}"), seed) if number else seed
            if words := problem(reader, data, must_be_read=number == 0):
                found.add(f"{name}, input {number}: {words}")
    assert found == set()


def test_text_that_is_nested_too_deeply_is_a_mistake_like_any_other() -> None:
    for read, head in ((json_of, ""), (toml_of, "a = ")):
        with pytest.raises(ValueError, match="nested too deeply"):
            read(head + "[" * 100_000)


@pytest.mark.parametrize(
    "key",
    [
        '{"name": "a", "sha256": "\\ud800", "created": "x"}',
        '{"name": "a", "sha256": 1, "created": "x"}',
        f'{{"name": 2, "sha256": "{0:064}", "created": "x"}}',
    ],
)
def test_a_file_of_api_keys_holds_names_and_digests(tmp_path: Path, key: str) -> None:
    (tmp_path / "keys.json").write_text(f"[{key}]", "utf-8")
    with pytest.raises(BadDataFile, match="cannot be read as API keys"):
        read_keys(tmp_path / "keys.json")
