"""Reads JSON and TOML that others wrote: what is nested too deeply for a parser is a mistake in it like any other."""

import json
import tomllib
from typing import Any

_TOO_DEEP = "it is nested too deeply"


def json_of(text: str, *, words: bool = False) -> Any:
    """The value in a JSON text; `words`: numbers stay the words that stand there. Raises ValueError."""
    try:
        return json.loads(text, parse_int=str, parse_float=str) if words else json.loads(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error


def toml_of(text: str) -> dict[str, Any]:
    """The tables in a TOML text. Raises TOMLDecodeError, which is a ValueError."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise tomllib.TOMLDecodeError(_TOO_DEEP) from error
