"""Addresses of databases and servers, as they may be shown: never with a password. Knows no library."""

import re

_SECRET = re.compile(r"(?<=://)(?P<user>[^:/@\s]*):[^@/\s]*(?=@)")


def shown(text: str) -> str:
    """The text with *** for the password of every address that stands in it."""
    return _SECRET.sub(r"\g<user>:***", text)
