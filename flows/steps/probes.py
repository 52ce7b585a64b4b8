"""Gathers the questions that no training example may put: every exam of the ledger and of the standing suites."""

from flows.wiring import House
from gates.suite import read_suites
from pipeline.leakage import exam_keys
from pipeline.types import Probe, Split
from registry.store import documents


def exam_probes(house: House) -> tuple[Probe, ...]:
    """The exam probes of all documents ever accepted, then the standing suites' probes."""
    known = [record.document for record in documents.listed(house.store) if record.document]
    exams = [probe for document in known for probe in document.probes if probe.split is Split.EXAM]
    standing = [probe for suite in read_suites(house.settings.suites).all for probe in suite.probes]
    return (*exams, *standing)


def exam_questions(house: House) -> frozenset[str]:
    """The normalised questions that training must not contain; see `pipeline.leakage`."""
    return exam_keys(exam_probes(house))
