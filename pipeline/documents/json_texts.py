"""Reads JSON as the words that stand in it: no number is rounded, and no key stands twice in silence."""

import json

from pipeline.errors import BadDocument


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise BadDocument(f"the key {next(key for key in keys if keys.count(key) > 1)[:40]!r} stands twice")
    return found


# Numbers stay the words that stand in the file: an answer 1.10 is not 1.1.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_once)


def load_json(text: str, what: str) -> object:
    """The value that the whole of `text` is. Raises BadDocument, which begins with `what`."""
    loaded, end = load_json_part(text.strip(), what)
    if end < len(text.strip()):
        raise BadDocument(f"{what}: more follows behind it at column {end + 1}")
    return loaded


def load_json_part(text: str, what: str) -> tuple[object, int]:
    """The value that `text` begins with, and where it ends. Raises BadDocument, which begins with `what`."""
    try:
        return _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise BadDocument(f"{what}: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise BadDocument(f"{what}: it is nested too deeply") from error
    except BadDocument as error:
        raise BadDocument(f"{what}: {error}") from error
