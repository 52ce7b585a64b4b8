"""What documents contradict, as rows that people read. Pure."""

from dataclasses import dataclass
from itertools import groupby

from gates.evidence import Evidence
from gates.views import label
from gates.wording import visible

_SHOWN = 4  # contradictions of one document


@dataclass(frozen=True, kw_only=True)
class ContradictionRow:
    """One known answer that a document contradicts. status: what becomes of the document, in a word or two."""

    title: str
    question: str
    production: str
    says: str
    known: str
    status: str


def rows(evidence: Evidence) -> tuple[ContradictionRow, ...]:
    """What the run's documents contradict, those that declare it last: a few of each document, cut and harmless."""
    learned = {one.id for one in evidence.case.documents}
    compared = evidence.case.contradictions
    found = sorted(compared.found if compared else (), key=lambda one: (one.declared, one.document in learned))
    by_document = [[*same] for _, same in groupby(found, key=lambda one: one.document)]
    return tuple(
        ContradictionRow(
            title=visible(one.title, 160),
            question=visible(one.question, 400),
            production=visible(one.production, 200),
            says=visible(one.says, 200),
            known=f"{label(one.suite)}: {visible(one.known, 400)}",
            status="declared" if one.declared else "in this run" if one.document in learned else "quarantined",
        )
        for same in by_document
        for one in same[:_SHOWN]
    )
