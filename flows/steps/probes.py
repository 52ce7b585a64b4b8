"""Gathers the questions that no training example may put: every exam of the ledger and of the suites."""

from flows.wiring import House
from gates.checks import contamination
from gates.evidence import exam_probes
from gates.suite import read_suites
from pipeline.types import DocumentState
from registry.store import documents

# A quarantined document is no exam: its questions must not be able to empty the rehearsal.
_ASKED = frozenset({DocumentState.QUEUED, DocumentState.LEASED, DocumentState.LEARNED, DocumentState.REVERTED})


def never_trained_on(house: House) -> frozenset[str]:
    """The keys (see `pipeline.leakage`) of the exams of documents that are or may be learned, and of the suites."""
    known = [record.document for record in documents.listed(house.store) if record.document and record.state in _ASKED]
    return contamination.exam_questions(exam_probes(known), read_suites(house.settings.suites))


def exam_subjects(house: House) -> frozenset[str]:
    """What the standing retention questions are about: nothing that is rehearsed for its own sake names it."""
    return contamination.exam_subjects(read_suites(house.settings.suites))
