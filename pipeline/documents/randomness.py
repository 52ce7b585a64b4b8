"""Tells a password or a token from words: by letters and digits, and by what it is put together of."""

import re

_STAND_INS = ("example", "changeme", "placeholder", "xxxx", "://")
_JOINT = re.compile(r"[-_./\\]")
_PATH = re.compile(r"(?:~|\.{0,2})/|[A-Za-z]:\\")
_TURN = re.compile(r"(?<=\d)(?=\D)|(?<=\D)(?=\d)|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[a-z])")
_DIGITS = "0123456789"
_SHORTEST_WORD = 4  # letters
_SHORTEST_MIXED, _FEWEST_TURNS = 10, 4  # characters, and changes between digits and letters, small and capital ones


def is_random(value: str) -> bool:
    """Whether this looks as no word, path or placeholder does. A passphrase of plain words is not told from those."""
    plain = value.casefold()
    return (
        any(char.isdigit() for char in value)
        and any(char.isalpha() for char in value)
        and not any(word in plain for word in _STAND_INS)
        and (not _is_spoken(value) or any(_is_mixed(part) for part in _JOINT.split(value)))
    )


def _is_spoken(value: str) -> bool:
    """Whether it is a path, or a part of it is a word, as in `RFC6750-compliant` and `4096tokens`."""
    return bool(_PATH.match(value)) or any(_is_word(part.lstrip(_DIGITS)) for part in _JOINT.split(value))


def _is_word(part: str) -> bool:
    written = part.islower() or part.isupper() or part.istitle()
    return len(part) >= _SHORTEST_WORD and part.isalpha() and written


def _is_mixed(part: str) -> bool:
    """Whether digits and letters alternate in it as in no word and no date."""
    return len(part) >= _SHORTEST_MIXED and len(_TURN.findall(part)) >= _FEWEST_TURNS
