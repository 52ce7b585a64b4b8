"""Renders addresses and errors so that no secret stands in them, whatever its spelling. The one place for it.

Whoever writes an address, or the words of a driver or a server, into an error, a log or an output goes through here.
Knows no library, so a secret is looked for in two ways: by the spellings of the secrets that an address is known to
hold, and by what gives a secret away (a password before an @, a parameter called token, a bearer's header).
"""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

HIDDEN = "***"

# Names of parameters that hold a secret; `key`, `auth` and `sig` alone do so only in an address's query.
_WORDS = (
    r"[\w.-]*(?:password|passwd|passphrase|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|secret[_-]?key"
    r"|account[_-]?key)"
)
_NAME = re.compile(rf"{_WORDS}|pass|key|auth|authorization|sig|[\w-]*signature", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_USER = re.compile(r"(?<=://)(?P<user>[^\s:/@]*):(?P<password>\S*)@")
_USER_ALONE = re.compile(r"(?<=http://|ttps://)[^\s:/@?#]+@")
_PARAMETER = re.compile(r"(?<=[?&;])(?P<name>[^\s=&;?]+)=(?P<value>[^\s&]*)")
# The value of libpq's keywords ends at a blank, unless it is quoted or the blank is escaped.
_VALUE = r"'(?:[^'\\]|\\.)*'?|\"[^\"]*\"?|(?:\\.|[^\s&'\"])+"
_KEYWORD = re.compile(rf"\b(?P<name>{_WORDS}|pass)(?P<gap>\s*=\s*)(?P<value>{_VALUE})", re.IGNORECASE)
_HEADER = re.compile(r"\b(?P<scheme>Bearer|Basic) +[^\s'\"]+")

# A secret shorter than this is hidden only where it is a word of its own: else it would eat the sentence.
_SHORT = 4


def redacted(text: str, *secrets: str) -> str:
    """`text` with *** for each of `secrets`, however it is spelt, and for whatever looks like a secret."""
    for spelling in sorted(_spellings(secrets), key=len, reverse=True):
        around = r"(?<!\w){}(?!\w)" if len(spelling) < _SHORT else "{}"
        text = re.sub(around.format(re.escape(spelling)), HIDDEN, text)
    return _without_patterns(text)


def redacted_address(address: str) -> str:
    """An address as it may be seen. What is no address at all may be a secret in the wrong place: it is hidden."""
    return redacted(address, *secrets_of(address)) if _SCHEME.match(address) else HIDDEN


def secrets_of(address: str) -> tuple[str, ...]:
    """The secrets that a URL or a libpq keyword string holds, as they are spelt in it and decoded."""
    found = [*_of_user(address), *_of_query(address)]
    found += [_unquoted(match["value"]) for match in _KEYWORD.finditer(address)]
    if not _SCHEME.match(address):
        # No URL: a driver that cannot read it either may quote any word of it.
        found += address.split()
    # A library that takes the wrong @ for the one before the host tells the rest as a host.
    found += [piece for secret in found for piece in secret.split("@")]
    return tuple(dict.fromkeys(secret for secret in found if secret))


def harmless(error: BaseException, *secrets: str) -> BaseException | None:
    """The error as a cause to chain, `raise ... from harmless(error)`; None where its traceback would show a secret.

    Schedulers store the traceback of a failed run, and with it the words of every error that it chains.
    """
    text = "\n".join(f"{one} {one!r} {' '.join(getattr(one, '__notes__', ()))}" for one in _chain(error))
    return error if redacted(text, *secrets) == text else None


def server_address(address: str) -> str:
    """The address of an HTTP server, without the blanks around it. Raises ValueError, which does not show it."""
    address = address.strip()
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not _splits_one_way(address):
        raise ValueError(f"is not the address of a server. Write http://host:port or https://host/path, {_ENCODED}")
    if parts.query or parts.fragment:
        raise ValueError("takes no ?query and no #fragment. Give a key by its own variable, not within the address")
    return address


def database_address(address: str) -> str:
    """The address of a database, without the blanks around it. Raises ValueError, which does not show it.

    One that libraries split in different ways is refused: they would show a part of its password as a host or a port.
    """
    address = address.strip()
    if _SCHEME.match(address) and not address.lower().startswith("sqlite") and not _splits_one_way(address):
        raise ValueError(f"is not the address of a database. Write driver://user:password@host:port/name, {_ENCODED}")
    return address


def header_key(key: str) -> str:
    """A key as it can be sent in a header, without the blanks around it. Raises ValueError, which does not show it."""
    key = key.strip()
    if any(not "!" <= letter <= "~" for letter in key):
        raise ValueError(
            "holds a blank, a line feed or another character that no header may hold. Copy the key again, on one line"
        )
    return key


_ENCODED = "with every character of a user or password that is no letter or digit percent-encoded"


def _splits_one_way(address: str) -> bool:
    """Whether there is only one way to tell user, password, host and port of a URL apart."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    one_at = parts.netloc.count("@") <= 1 and "@" not in parts.path + parts.query + parts.fragment
    return one_at and address.isprintable() and " " not in parts.netloc


def _of_user(address: str) -> Iterator[str]:
    """Secrets before the @: as URLs split them, and as databases do, who let a password hold / and @."""
    _, there, rest = address.partition("://")
    if not there:
        return
    network = re.split(r"[/?#]", rest, maxsplit=1)[0]
    for before in (rest.rpartition("@")[0], rest.partition("@")[0] if "@" in rest else "", network.rpartition("@")[0]):
        user, _, password = before.partition(":")
        if password:
            yield password
            yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
        elif user and address.lower().startswith("http"):
            yield user


def _of_query(address: str) -> Iterator[str]:
    _, _, query = address.partition("?")
    for pair in re.split(r"[&;]", query):
        name, _, value = pair.partition("=")
        if _holds_secret(name, value):
            yield from (value, unquote_plus(value))
            if (within := unquote_plus(value)) != value:
                yield from secrets_of(within)


def _holds_secret(name: str, value: str) -> bool:
    """Whether a parameter is one that holds a secret, or its value another address or keyword string that does."""
    within = unquote_plus(value)
    return bool(_NAME.fullmatch(unquote_plus(name))) or (within != value and _without_patterns(within) != within)


def _without_patterns(text: str) -> str:
    text = _USER.sub(lambda found: f"{found['user']}:{HIDDEN}@" if found["password"] else f"{HIDDEN}@", text)
    text = _USER_ALONE.sub(f"{HIDDEN}@", text)
    text = _PARAMETER.sub(
        lambda found: f"{found['name']}={HIDDEN}" if _holds_secret(found["name"], found["value"]) else found[0], text
    )
    text = _KEYWORD.sub(lambda found: f"{found['name']}{found['gap']}{HIDDEN}", text)
    return _HEADER.sub(rf"\g<scheme> {HIDDEN}", text)


def _unquoted(value: str) -> str:
    """A libpq value without its quotes and escapes."""
    return re.sub(r"\\(.)", r"\1", value.strip("'\""))


def _spellings(secrets: tuple[str, ...]) -> set[str]:
    """Each secret as it is, decoded and encoded: in a URL, in JSON, in a literal of Python."""
    plain = {form for secret in secrets for form in (secret, unquote(secret), unquote_plus(secret))}
    spelt = set(plain)
    for form in plain:
        for encoded in (quote(form, safe=""), quote(form), quote(form, safe=" +"), quote_plus(form)):
            spelt |= {encoded, re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)}
        spelt |= {json.dumps(form)[1:-1], repr(form)[1:-1], repr(form.encode())[2:-1]}
    return spelt - {""}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that it was raised from or while handling."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            inside = one.exceptions if isinstance(one, BaseExceptionGroup) else ()
            waiting += [each for each in (one.__cause__, one.__context__, *inside) if each is not None]
