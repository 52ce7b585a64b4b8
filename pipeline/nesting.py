"""Reads JSON and TOML that others wrote.

What is nested too deeply for a parser, or spells half a character, is a mistake in it like any other.
"""

import json
import re
import tomllib
from typing import Any

_TOO_DEEP = "it is nested too deeply"
_MAYBE_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def json_of(text: str, *, words: bool = False) -> Any:
    """The value in a JSON text; `words`: numbers stay the words that stand there. Raises ValueError."""
    try:
        value = json.loads(text, parse_int=str, parse_float=str) if words else json.loads(text)
        if _MAYBE_HALF.search(text):
            whole_characters(value)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    return value


def whole_characters(value: object) -> None:
    """Raises ValueError where a text in the value holds a lone surrogate: no file or digest can be made of that."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a character (a lone surrogate)") from error


def toml_of(text: str) -> dict[str, Any]:
    """The tables in a TOML text. Raises TOMLDecodeError, which is a ValueError."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise tomllib.TOMLDecodeError(_TOO_DEEP) from error
