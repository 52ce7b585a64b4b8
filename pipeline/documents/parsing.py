"""Turns a file's bytes into documents by its suffix. Knows the formats, and not where the file came from."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from pipeline.documents.cleaning import plain_name
from pipeline.documents.fields import document_of
from pipeline.documents.front_matter import split_front_matter
from pipeline.documents.markup import read_html
from pipeline.documents.screening import EMPTY, unreadable
from pipeline.documents.workflow import SHOWN, arc_tasks, workflow_of
from pipeline.errors import BadDocument
from pipeline.types import Document, RawDocument, Refusal

Parsed = Iterator[Document | Refusal]
_HEADING = re.compile(r"\s*#[ \t]+(\S[^\n]*)(?:\n|\Z)")


def parse(raw: RawDocument, max_lines: int) -> Parsed:
    """The documents in `raw`, not yet screened, one by one as they are read; a Refusal for what cannot be.

    Never raises. JSONL of more than `max_lines` lines is refused whole.
    """
    name = plain_name(raw.name)
    try:
        yield from _parsed(name, raw.data, max_lines)
    except BadDocument as error:
        yield Refusal(name=name, reason=str(error))


def _parsed(name: str, data: bytes, max_lines: int) -> Parsed:
    if reason := unreadable(data):
        raise BadDocument(reason)
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _PARSERS:
        raise BadDocument(f"unknown suffix {suffix!r}: known are {', '.join(sorted(_PARSERS))}")
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise BadDocument(EMPTY)
    if suffix == ".jsonl" and (lines := text.count("\n") + (not text.endswith("\n"))) > max_lines:
        raise BadDocument(
            f"too many lines: {lines:,}, at most {max_lines:,} are read (advanced.documents.max_lines in the recipe); "
            "split it"
        )
    yield from _PARSERS[suffix](name, text)


def _markdown(name: str, text: str) -> Parsed:
    fields, body = split_front_matter(text)
    if not fields.get("title") and (heading := _HEADING.match(body)):
        # The heading becomes the title, which stands above the body in every prompt.
        fields, body = {**fields, "title": heading[1].rstrip("# \t")}, body[heading.end() :]
    yield document_of(name, fields, body)


def _plain(name: str, text: str) -> Parsed:
    yield document_of(name, {}, text)


def _html(name: str, text: str) -> Parsed:
    title, body = read_html(text)
    yield document_of(name, {"title": title}, body)


def _jsonl(name: str, text: str) -> Parsed:
    """One document a line; a broken line is refused by its number and does not stop the others."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            yield _json_document(where, line)
        except BadDocument as error:
            yield Refusal(name=where, reason=str(error))


def _json(name: str, text: str) -> Parsed:
    """A file of ARC tasks."""
    yield from arc_tasks(name, _loaded(text, "broken JSON"))


def _loaded(text: str, what: str) -> object:
    try:
        # Numbers stay the words that stand in the file: an answer 1.10 is not 1.1.
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise BadDocument(f"{what}: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise BadDocument(f"{what}: it is nested too deeply") from error


def _json_document(name: str, line: str) -> Document:
    fields = _loaded(line, "broken JSON line")
    if not isinstance(fields, dict):
        raise BadDocument("broken JSON line: it must be an object with 'title' and 'body'")
    given = {key: value for key, value in fields.items() if value is not None}
    if SHOWN in given:
        return workflow_of(name, given)
    bodies = [given[key] for key in ("body", "text", "context") if key in given]
    if not bodies:
        raise BadDocument("no text: the object has none of 'body', 'text' and 'context'")
    return document_of(name, given, bodies[0])


_PARSERS: dict[str, Callable[[str, str], Parsed]] = {
    **dict.fromkeys((".md", ".markdown"), _markdown),
    **dict.fromkeys((".txt", ".text"), _plain),
    **dict.fromkeys((".html", ".htm"), _html),
    ".jsonl": _jsonl,
    ".json": _json,
}
