"""Turns a file's bytes into documents by its suffix. Knows the formats, and not where the file came from."""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from pipeline.documents.cleaning import plain_name
from pipeline.documents.fields import KEYS, by_key, document_of
from pipeline.documents.front_matter import split_front_matter
from pipeline.documents.json_texts import load_json
from pipeline.documents.pages.reader import Format, read_page
from pipeline.documents.screening import EMPTY, unreadable
from pipeline.documents.workflow import HELD_OUT, SHOWN, arc_tasks, workflow_of
from pipeline.errors import BadDocument
from pipeline.recipe import DocumentRules
from pipeline.types import Document, RawDocument, Refusal

Parsed = Iterator[Document | Refusal]
_BODIES = ("body", "text", "context")
_PDF = b"%PDF-"
_HEADING = re.compile(r"\s*#[ \t]+(\S[^\n]*)(?:\n|\Z)")


def parse(raw: RawDocument, rules: DocumentRules) -> Parsed:
    """The documents in `raw`, not yet screened, one by one as they are read; a Refusal for what cannot be.

    JSONL of more lines than the rules have is refused whole. Raises ExternalError where no page can be read at all.
    """
    name = plain_name(raw.name)
    try:
        yield from _parsed(name, raw.data, rules)
    except BadDocument as error:
        yield Refusal(name=name, reason=str(error))


def seconds_for(size: int, rules: DocumentRules) -> float:
    """The computing time that a file of `size` bytes may take."""
    return rules.seconds_per_mb * max(1.0, size / 1e6)


def _parsed(name: str, data: bytes, rules: DocumentRules) -> Parsed:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ".pdf":
        yield _page(name, data, "pdf", rules)
        return
    if reason := unreadable(data):
        raise BadDocument(reason)
    if suffix not in _SUFFIXES:
        raise BadDocument(f"unknown suffix {suffix[:20]!r}: known are {', '.join(sorted(_SUFFIXES))}")
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise BadDocument(EMPTY)
    if suffix == ".jsonl" and (lines := text.count("\n") + (not text.endswith("\n"))) > rules.max_lines:
        raise BadDocument(
            f"too many lines: {lines:,}, at most {rules.max_lines:,} are read (advanced.documents.max_lines in the "
            "recipe); split it"
        )
    if suffix in _PAGES:
        yield _page(name, text.encode(), "html", rules)
    else:
        yield from _PARSERS[suffix](name, text)


def _page(name: str, data: bytes, format_: Format, rules: DocumentRules) -> Document:
    if format_ == "pdf" and not data.startswith(_PDF):
        raise BadDocument("no PDF: it does not begin with %PDF-")
    title, body = read_page(data, format_, seconds_for(len(data), rules), rules.max_bytes)
    return document_of(name, {"title": title}, body)


def _markdown(name: str, text: str) -> Parsed:
    fields, body = split_front_matter(text)
    if not fields.get("title") and (heading := _HEADING.match(body)):
        # The heading becomes the title, which stands above the body in every prompt.
        fields, body = {**fields, "title": heading[1].rstrip("# \t")}, body[heading.end() :]
    yield document_of(name, fields, body)


def _plain(name: str, text: str) -> Parsed:
    yield document_of(name, {}, text)


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
    yield from arc_tasks(name, load_json(text, "broken JSON"))


def _json_document(name: str, line: str) -> Document:
    loaded = load_json(line, "broken JSON line")
    if not isinstance(loaded, dict):
        raise BadDocument("broken JSON line: it must be an object with 'title' and 'body'")
    fields = by_key(loaded, (*KEYS, *_BODIES, SHOWN, *HELD_OUT))
    given = {key: value for key, value in fields.items() if value is not None}
    if SHOWN in given:
        return workflow_of(name, given)
    bodies = [given[key] for key in _BODIES if key in given]
    if not bodies:
        raise BadDocument("no text: the object has none of 'body', 'text' and 'context'")
    return document_of(name, given, bodies[0])


_PARSERS: dict[str, Callable[[str, str], Parsed]] = {
    **dict.fromkeys((".md", ".markdown"), _markdown),
    **dict.fromkeys((".txt", ".text"), _plain),
    ".jsonl": _jsonl,
    ".json": _json,
}
_PAGES = frozenset({".html", ".htm", ".xhtml"})
_SUFFIXES = frozenset({*_PARSERS, *_PAGES, ".pdf"})
