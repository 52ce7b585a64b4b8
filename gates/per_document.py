"""What a candidate made of each document of a run: whether it was learned, and which known answers it cost. Pure.

A document has too few questions for a verdict of its own; it is named, and a person looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gates.evidence import RUN, Evidence, Pair, held_out_items
from gates.known_answers import KnownAnswers
from pipeline.types import Document


@dataclass(frozen=True, kw_only=True)
class DocumentScore:
    """How many of a document's `asked` questions are answered right before and after."""

    document: Document
    asked: int
    before: int
    after: int

    @property
    def unlearned(self) -> bool:
        """Whether no more of its questions are answered than before, and not all of them."""
        return self.after <= self.before and self.after < self.asked

    def __str__(self) -> str:
        return f"{titled(self.document)} ({self.after} of {self.asked})"


@dataclass(frozen=True, kw_only=True)
class DocumentLoss:
    """How many of the `known` answers about a document's subject, which production gave, the candidate lost."""

    document: Document
    known: int
    lost: int

    def __str__(self) -> str:
        return f"{titled(self.document)} ({self.lost} of {self.known})"


def titled(document: Document) -> str:
    """A document's title; without one its name, or its id."""
    return document.title or document.name or document.id[:12]


def scored(evidence: Evidence) -> tuple[DocumentScore, ...]:
    """Each document of this run that has test questions. Raises MeasurementFailed where they were not asked."""
    pairs = {pair.item: pair for pair in evidence.pairs(RUN)}
    asked = [(one, [pairs[item.id] for item in held_out_items([one])]) for one in evidence.case.documents]
    return tuple(
        DocumentScore(
            document=document,
            asked=len(own),
            before=sum(pair.before == 1.0 for pair in own),
            after=sum(pair.after == 1.0 for pair in own),
        )
        for document, own in asked
        if own
    )


def losses(evidence: Evidence, pairs: Sequence[Pair]) -> tuple[DocumentLoss, ...]:
    """Each document about whose subject known answers were lost, the most first. `pairs`: those of known answers."""
    case, by_item = evidence.case, {pair.item: pair for pair in pairs}
    known = KnownAnswers(case.suites, case.asked_earlier)
    found = []
    for document in case.documents:
        about = [by_item[one.item.id] for one in known.about(document) if one.item.id in by_item]
        right = [pair for pair in about if pair.before == 1.0]
        lost = sum(pair.after < 1.0 for pair in right)
        found += [DocumentLoss(document=document, known=len(right), lost=lost)] if lost else []
    return tuple(sorted(found, key=lambda one: -one.lost))
