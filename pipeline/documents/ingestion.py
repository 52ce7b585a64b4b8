"""Takes in what a source gave: parsed, cleaned, screened, without duplicates. Reads no file and stores nothing."""

from collections.abc import Iterable, Iterator

from pipeline.documents.parsing import parse
from pipeline.documents.screening import too_large, unteachable
from pipeline.recipe import DocumentRules
from pipeline.types import Document, Ingested, RawDocument, Refusal


def ingest(items: Iterable[RawDocument | Refusal], rules: DocumentRules) -> Ingested:
    """Each document of `items` once, each refusal with its reason; a bad item never stops the rest.

    The first of several documents with the same content wins, with its name and its questions.
    """
    accepted: dict[str, Document] = {}
    refused: list[Refusal] = []
    duplicates = 0
    for found in _found(items, rules):
        if isinstance(found, Refusal):
            refused.append(found)
        elif found.id in accepted:
            duplicates += 1
        else:
            accepted[found.id] = found
    return Ingested(accepted=tuple(accepted.values()), refused=tuple(refused), duplicates=duplicates)


def _found(items: Iterable[RawDocument | Refusal], rules: DocumentRules) -> Iterator[Document | Refusal]:
    for item in items:
        if isinstance(item, Refusal):
            yield item
        elif len(item.data) > rules.max_bytes:
            yield Refusal(name=item.name, reason=too_large(len(item.data), rules.max_bytes))
        else:
            for document in parse(item):
                yield _screened(document, rules)


def _screened(document: Document | Refusal, rules: DocumentRules) -> Document | Refusal:
    if isinstance(document, Document) and (reason := unteachable(document, rules)):
        return Refusal(name=document.name, reason=reason)
    return document
