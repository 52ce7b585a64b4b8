"""Keeps a document from examining what another one says: its questions would hold that one's text out of training.

Knows the documents that it is given, and no ledger.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b

from pipeline.documents import sentences, words
from pipeline.grading import normalise
from pipeline.leakage import held_out_keys, pieces
from pipeline.types import Document, EvalItem, Ingested

_ASKING = ("?", "？", "؟")
_FEWEST_WORDS = 2  # of a statement; what is shorter is none
_MOST_SAYING = 2  # documents remembered of a statement: the one that asks, and another
_DIGEST = 8  # bytes remembered of a statement, of which a ledger has millions
_Source = tuple[str, str]  # the id and the name of a document


class ForeignStatements:
    """What each document says and asks, over all batches of one reading."""

    def __init__(self, known: Iterable[Document]) -> None:
        """`known`: the documents that a run may learn or has learned; they are looked at with the first batch."""
        self._known: Iterable[Document] = known
        self._saying: dict[bytes, tuple[_Source, ...]] = {}
        self._asking: dict[bytes, str] = {}

    def without_guards(self, ingested: Ingested) -> Ingested:
        """The ingested without questions that are what another document says, and with remarks on those.

        A document that says what an earlier one already asks gets a remark: the earlier question stands.
        """
        if not ingested.accepted:
            return ingested
        for document in self._known:
            self._listen(document)
            self._remember(document)
        self._known = ()
        for document in ingested.accepted:
            self._listen(document)
        accepted = tuple(self._guarded(document) for document in ingested.accepted)
        return replace(ingested, accepted=accepted)

    def _listen(self, document: Document) -> None:
        source = (document.id, document.name)
        for key in _said(document):
            saying = self._saying.get(key, ())
            if len(saying) < _MOST_SAYING and all(id_ != document.id for id_, _ in saying):
                self._saying[key] = (*saying, source)

    def _remember(self, document: Document) -> None:
        for item in document.eval_items:
            self._asking.update(dict.fromkeys(_keys(item), document.name))

    def _guarded(self, document: Document) -> Document:
        remarks = list(document.remarks)
        kept: list[EvalItem] = []
        for number, item in enumerate(document.eval_items, 1):
            if (other := self._said_by_another(item, document.id)) is None:
                kept.append(item)
            else:
                remarks.append(f"question {number} is left out: it is what {other} says")
        asked = {self._asking[key] for key in _said(document) if key in self._asking} - {document.name}
        remarks += [f"{other} asks what it says: that is kept out of training" for other in sorted(asked)]
        guarded = replace(document, eval_items=tuple(kept), remarks=tuple(remarks))
        self._remember(guarded)
        return guarded

    def _said_by_another(self, item: EvalItem, own: str) -> str | None:
        others = (name for key in _keys(item) for id_, name in self._saying.get(key, ()) if id_ != own)
        return next(others, None)


def _said(document: Document) -> set[bytes]:
    """The keys of the statements in a document: all that training is guarded by, and that asks nothing.

    Self-study learns sentences that are cut otherwise (`pipeline.documents.sentences`): these as well.
    """
    said = set(pieces(document.body, *sentences(document.body)))
    telling = (one for one in said if not any(sign in one for sign in _ASKING) and len(words(one)) >= _FEWEST_WORDS)
    return {_digest(normalise(one)) for one in telling}


def _keys(item: EvalItem) -> Iterator[bytes]:
    """The keys of all that a question holds out of training."""
    return map(_digest, held_out_keys((item,)))


def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_DIGEST).digest()
