"""Reads and writes Markdown with front matter. Knows YAML's traps; `fields` knows what the keys mean."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.documents.cleaning import clean_line
from pipeline.documents.fields import KEYS, by_key
from pipeline.documents.json_texts import load_json_part
from pipeline.errors import BadDocument
from pipeline.types import Document, DocumentKind

_NULLS = ("", "~", "null", "Null", "NULL")
_KNOWN_KEY = re.compile(r"""\s*["']?(?:title|kind|questions?)["']?\s*[:=]""", re.IGNORECASE)
_JSON_OPENING = re.compile(r'\{\s*"(?:title|kind|questions)"\s*:', re.IGNORECASE)
# PyYAML takes up to a second for as much, which are some five hundred questions.
_MAX_CHARACTERS = 64_000


class _PlainLoader(yaml.BaseLoader):
    """Scalars stay the words that stand in the file ("no", "1.10", a date); no aliases, no repeated keys.

    Aliases let a few lines stand for gigabytes ("billion laughs"); BaseLoader builds no Python objects.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.composer.ComposerError(None, None, "anchors and aliases (& and *) are refused", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
        return mapping


def markdown(document: Document) -> str:
    """The document as a Markdown file, which is parsed as the same document again."""
    head: dict[str, object] = {"title": document.title}
    if document.kind is not DocumentKind.PASSAGE:
        head["kind"] = document.kind.value
    head["questions"] = [
        {"question": item.question, "answers": list(item.answers), "split": item.split.value}
        for item in document.eval_items
    ]
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n{document.body}\n"


def split_front_matter(text: str) -> tuple[Mapping[str, object], str]:
    """The fields and the body of Markdown `text` (line feeds only): YAML between `---`, TOML between `+++`, or JSON.

    Blanks and invisible characters before the opening count for nothing. No fields where it opens with none of them,
    or with a horizontal rule: below that stands no `key: value`. Raises BadDocument where the front matter is broken,
    with the line.
    """
    lines = text.split("\n")
    first = next((number for number, line in enumerate(lines) if clean_line(line)), 0)
    opening = clean_line(lines[first])
    if opening.startswith("{"):
        return _json_first("\n".join(lines[first:]), text)
    kind = next((kind for kind in _KINDS if kind.opening.fullmatch(opening)), None)
    if kind is None or not _begins_fields(lines[first + 1 :], kind):
        return {}, text
    last = next((at for at in range(first + 1, len(lines)) if kind.closing.fullmatch(lines[at].rstrip())), None)
    names_key = any(map(_KNOWN_KEY.match, lines[first + 1 : last]))
    if last is None and names_key:
        raise BadDocument(f"broken front matter: line {first + 1}: opened by '{kind.sign}' and never closed by another")
    if last is None:
        return {}, text
    source = "\n".join(lines[first + 1 : last])
    _expect_short(source)
    try:
        return _fields(kind.load(source, first + 2)), "\n".join(lines[last + 1 :])
    except BadDocument:
        # Prose between two rules may begin as a field does; it has paragraphs, and none of our keys.
        if names_key or "\n\n" not in source:
            raise
        return {}, text


def _begins_fields(lines: Sequence[str], kind: "_Kind") -> bool:
    """Whether the first line that holds anything is a field, a comment, or the end."""
    first = next((line for line in lines if line.strip()), "")
    return bool(kind.field.match(first) or kind.closing.fullmatch(first.rstrip()))


def _expect_short(source: str) -> None:
    if len(source) > _MAX_CHARACTERS:
        raise BadDocument(
            f"broken front matter: {len(source):,} characters, at most {_MAX_CHARACTERS:,} are read; put the document "
            "with its questions on a line of JSONL"
        )


def _fields(loaded: object) -> dict[str, object]:
    if loaded is None or loaded == "":
        return {}
    if not isinstance(loaded, dict):
        raise BadDocument("broken front matter: line 2: it must hold 'key: value' lines between the two '---'")
    fields = by_key(loaded, KEYS)
    # YAML's words for nothing stay words in this loader, so that an answer may be "null".
    return {key: None if key in KEYS and value in _NULLS else value for key, value in fields.items()}


def _json_first(rest: str, text: str) -> tuple[Mapping[str, object], str]:
    """The fields of an object that stands before the text, as Hugo has it; a text that begins with a brace has none."""
    if not _JSON_OPENING.match(rest):
        return {}, text
    loaded, end = load_json_part(rest[: _MAX_CHARACTERS + 1], "broken front matter")
    return _fields(loaded), rest[end:]


def _load_yaml(source: str, first_line: int) -> object:
    try:
        return yaml.load(f"{source}\n", _PlainLoader)  # it builds texts, lists and mappings alone
    except yaml.MarkedYAMLError as error:
        raise BadDocument(f"broken front matter: {_located(error, first_line)}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML does not translate all of Python's own errors, as for an escape beyond Unicode.
        raise BadDocument(f"broken front matter: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise BadDocument("broken front matter: it is nested too deeply") from error


def _load_toml(source: str, first_line: int) -> object:
    try:
        return _plain(tomllib.loads(source, parse_float=str))
    except (tomllib.TOMLDecodeError, ValueError, OverflowError) as error:
        raise BadDocument(f"broken front matter: TOML from line {first_line} on: {error}") from error
    except RecursionError as error:
        raise BadDocument("broken front matter: it is nested too deeply") from error


def _plain(value: object) -> object:
    """TOML's numbers and dates as words; true and false stay what they are."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (bool, str)) else str(value)


@dataclass(frozen=True)
class _Kind:
    """A kind of front matter: what opens and closes it, how its first line looks, and what reads it."""

    sign: str
    opening: re.Pattern[str]
    closing: re.Pattern[str]
    field: re.Pattern[str]
    load: Callable[[str, int], object]


_KINDS = (
    _Kind(
        "---",
        re.compile("-{3,}(?: .{0,40})?"),
        re.compile(r"-{3,}|\.\.\."),
        re.compile(r"""\s*(?:[\w"'][^\n:]{0,80}:(?:\s|$)|#|[?{&!%]|<<)"""),
        _load_yaml,
    ),
    _Kind(
        "+++",
        re.compile(r"\+{3,}"),
        re.compile(r"\+{3,}"),
        re.compile(r"""\s*(?:[\w"'.-]{1,80}\s*=|[#\[])"""),
        _load_toml,
    ),
)


def _located(error: yaml.MarkedYAMLError, first_line: int) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {first_line + (mark.line if mark else 0)}"
    if error.problem and error.problem.endswith("got '?'"):
        # Legal YAML that PyYAML does not read, and just what a question on one line looks like.
        return f"{where}: a question mark within {{ }} needs quotes around the text"
    if error.context and error.problem and error.context_mark:
        return f"{where}: {error.problem} {error.context} (begun in line {first_line + error.context_mark.line})"
    return f"{where}: {error.problem or error.context}"
