"""Cuts a text into sentences, also of scripts without spaces. Knows no language: a few abbreviations stay uncut."""

import re

_END = re.compile(r"(?<=[.!?])[\"'”’»)\]]*\s+(?=[^\W\d_a-z]|[\"'“‘«(\d])|(?<=[。！？])|\n\s*\n")
_SHORTEST = 20  # characters; what is shorter ("Dr.", "No.") is no sentence of its own


def sentences(text: str) -> tuple[str, ...]:
    """The sentences in order, each on one line. A very short one joins the next, the last one the one before.

    Linear in the text's length.
    """
    found: list[str] = []
    held = ""
    for piece in _END.split(text):
        held = " ".join(f"{held} {piece}".split())
        if len(held) >= _SHORTEST or not held.isascii():
            found.append(held)
            held = ""
    if held:
        found[-1:] = [f"{found[-1]} {held}"] if found else [held]
    return tuple(one for one in found if one)
