"""Checks the fields that a parser found, of front matter and JSON alike, and makes the document of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rapidfuzz import fuzz, process

from pipeline.documents.cleaning import clean_line, clean_text
from pipeline.errors import BadDocument
from pipeline.nesting import whole_characters
from pipeline.types import Document, DocumentKind, EvalItem, Split

KEYS = ("title", "kind", "questions")  # of a document, beside its text
_READ = frozenset({*KEYS, "body", "text", "context", "demonstrations", "tests", "validation"})
_KEYS_SHOWN = 8
_ITEM_KEYS = ("question", "answers", "answer", "split")
_ALIKE = 80.0  # Indel similarity, of 100, from which an unknown key is taken for a misspelt one
_LONGEST_KEY = 40  # characters of a key that are shown
LONGEST_QUESTION = 600  # characters: an eval item must fit any context beside its answer
_WORDS_FOR = {bool: "true or false", type(None): "nothing", list: "a list", dict: "a mapping"}


def document_of(name: str, fields: Mapping[str, object], body: object) -> Document:
    """The cleaned document with the title, kind and questions in `fields`. Raises BadDocument on a bad value."""
    given = {key: value for key, value in fields.items() if value is not None}  # null is none
    bare = Document(
        title=clean_line(_text(given.get("title", ""), "the title")),
        body=clean_text(_text(body, "the text")),
        kind=_kind(given.get("kind", DocumentKind.PASSAGE)),
        name=name,
        remarks=_remarks(fields),
    )
    return replace(bare, eval_items=_items(given.get("questions"), group=bare.id))


def by_key(fields: Mapping[object, object], known: Sequence[str], where: str = "") -> dict[str, object]:
    """The fields with their keys in lower case. Raises BadDocument on a key that stands twice, or seems misspelt.

    What is unknown and like no known key is kept, and named in the document's remarks.
    """
    found: dict[str, object] = {}
    for given, value in fields.items():
        key = str(given).strip().casefold()
        if key in found:
            raise BadDocument(f"{where}the key {key[:_LONGEST_KEY]!r} stands twice")
        if key not in known and (meant := _meant(key, known)):
            raise BadDocument(f"{where}unknown key {str(given)[:_LONGEST_KEY]!r}: is {meant!r} meant?")
        found[key] = value
    return found


def _meant(key: str, known: Sequence[str]) -> str | None:
    if len(key) > _LONGEST_KEY:
        return None
    best = process.extractOne(key, known, scorer=fuzz.ratio, score_cutoff=_ALIKE)
    return None if best is None else str(best[0])


def _remarks(fields: Mapping[str, object]) -> tuple[str, ...]:
    unknown = [key for key in fields if key not in _READ]
    shown = ", ".join(clean_line(key[:_LONGEST_KEY]) for key in unknown[:_KEYS_SHOWN])
    more = " and so on" if len(unknown) > _KEYS_SHOWN else ""
    return (f"unknown keys are left out: {shown}{more}",) if unknown else ()


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise BadDocument(f"{what} must be text, not {_WORDS_FOR.get(type(value), 'a number')}")
    try:
        whole_characters(value)
    except ValueError as error:
        raise BadDocument(f"{what} is not valid Unicode: {error}") from error
    return value


def _kind(value: object) -> DocumentKind:
    try:
        return DocumentKind(_text(value, "the kind").strip())
    except ValueError as error:
        raise BadDocument(f"unknown kind {value!r}: it must be one of {', '.join(DocumentKind)}") from error


def _items(value: object, group: str) -> tuple[EvalItem, ...]:
    if value is None or value == "":
        return ()
    if not isinstance(value, list):
        raise BadDocument("malformed questions: they must be a list, each with 'question' and 'answers'")
    eval_items = [_item(item, f"malformed questions: question {number}", group) for number, item in enumerate(value, 1)]
    return tuple({eval_item.id: eval_item for eval_item in eval_items}.values())


def _item(given: object, where: str, group: str) -> EvalItem:
    if not isinstance(given, dict):
        raise BadDocument(f"{where}: must have 'question' and 'answers'")
    item = by_key(given, _ITEM_KEYS, f"{where}: ")
    question = clean_line(_text(item.get("question", ""), f"{where}: the question"))
    if not question:
        raise BadDocument(f"{where}: has no 'question'")
    if len(question) > LONGEST_QUESTION:
        raise BadDocument(f"{where}: is longer than {LONGEST_QUESTION} characters")
    split = _text(item.get("split", Split.TEST), f"{where}: the split").strip()
    if split not in set(Split):
        raise BadDocument(f"{where}: unknown split {split!r}: it must be one of {', '.join(Split)}")
    return EvalItem(question=question, answers=_answers(item, where), split=Split(split), group=group)


def _answers(item: Mapping[str, object], where: str) -> tuple[str, ...]:
    if "answers" in item and "answer" in item:
        raise BadDocument(f"{where}: has both 'answer' and 'answers'")
    given = item.get("answers", item.get("answer", []))
    listed = given if isinstance(given, list) else [given]
    answers = [clean_line(_text(answer, f"{where}: an answer")) for answer in listed]
    if not answers or not all(answers):
        raise BadDocument(f"{where}: has {'an empty' if answers else 'no'} 'answer'")
    return tuple(dict.fromkeys(answers))
