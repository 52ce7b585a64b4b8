"""Reads and writes Markdown with YAML front matter. Knows YAML's traps; `fields` knows what the keys mean."""

from collections.abc import Mapping
from typing import Any

import frontmatter
import yaml

from pipeline.errors import BadDocument
from pipeline.types import Document, DocumentKind

_HANDLER = frontmatter.YAMLHandler()
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
    """The fields and the body of Markdown `text` (line feeds only); no fields where it does not begin with `---`.

    Raises BadDocument with the line where the front matter is broken.
    """
    if not _HANDLER.detect(text):
        return {}, text
    try:
        source, body = _HANDLER.split(text)
    except ValueError as error:
        raise BadDocument("broken front matter: line 1: opened by '---' and never closed by another") from error
    if len(source) > _MAX_CHARACTERS:
        raise BadDocument(
            f"broken front matter: {len(source):,} characters, at most {_MAX_CHARACTERS:,} are read; put the document "
            "with its questions on a line of JSONL"
        )
    fields = _load(source, first_line=text[: text.index(source)].count("\n") + 1)
    if not isinstance(fields, dict):
        raise BadDocument("broken front matter: line 2: it must hold 'key: value' lines between the two '---'")
    return fields, body


def _load(source: str, first_line: int) -> object:
    try:
        fields = _HANDLER.load(source, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        raise BadDocument(f"broken front matter: {_located(error, first_line)}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML does not translate all of Python's own errors, as for an escape beyond Unicode.
        raise BadDocument(f"broken front matter: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise BadDocument("broken front matter: it is nested too deeply") from error
    return {} if fields is None else fields


def _located(error: yaml.MarkedYAMLError, first_line: int) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {first_line + (mark.line if mark else 0)}"
    if error.problem and error.problem.endswith("got '?'"):
        # Legal YAML that PyYAML does not read, and just what a question on one line looks like.
        return f"{where}: a question mark within {{ }} needs quotes around the text"
    if error.context and error.problem and error.context_mark:
        return f"{where}: {error.problem} {error.context} (begun in line {first_line + error.context_mark.line})"
    return f"{where}: {error.problem or error.context}"
