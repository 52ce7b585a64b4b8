"""Gathers the questions that no training example may put: every exam of the ledger and of the standing suites."""

from flows.wiring import House
from gates.checks import contamination
from gates.evidence import exam_probes
from gates.suite import read_suites
from registry.store import documents


def exam_questions(house: House) -> frozenset[str]:
    """The keys (see `pipeline.leakage`) of all exams of documents ever accepted, and of the standing suites."""
    known = [record.document for record in documents.listed(house.store) if record.document]
    return contamination.exam_questions(exam_probes(known), read_suites(house.settings.suites))
