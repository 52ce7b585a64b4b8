"""The questions of documents: those that no training example may put, and those that the live model writes itself."""

from collections.abc import Mapping

from flows.progress import stage
from flows.run_context import Shift
from flows.steps.timing import timed
from flows.wiring import House
from gates.checks import contamination, safety
from gates.evidence import exam_probes
from gates.suite import read_suites
from pipeline.leakage import exam_keys
from pipeline.self_edits.edit_sets import practice_probes
from pipeline.types import Document, DocumentRecord, DocumentState, Night, NightState, Origin, Probe
from registry.store import documents, releases, runs, self_edits, withdrawals

# A quarantined document is no exam: its questions must not be able to empty the rehearsal.
_ASKED = frozenset({DocumentState.QUEUED, DocumentState.LEASED, DocumentState.LEARNED, DocumentState.REVERTED})


def write_probes(shift: Shift, night: Night) -> int:
    """Where candidates are to be compared: practice questions by the live model for documents that bring none.

    They are written before any note, so that no note asks one: where there is a note, this has been done. Returns how
    many questions of the model's there are.
    """
    from pipeline.self_edits.eval_items import write_probes

    house, rules = shift.house, shift.recipe.self_edits
    if not rules.choosing or self_edits.of_night(house.store, night.number):
        return 0
    runs.move(house.store, shift.lease, night.number, NightState.WRITING)
    live = releases.get(house.store, night.parent)

    def save(written: Mapping[str, tuple[Probe, ...]]) -> None:
        documents.add_probes(house.store, shift.lease, written)

    with timed(shift, night, "probes"):
        write_probes(
            house.writer,
            documents.of(house.store, night.documents),
            rules,
            adapter=house.held_adapter(live),
            seed=shift.recipe.seed,
            never=_exams(shift),
            save=save,
            progress=stage("writing practice questions"),
        )
    asked = [probe for document in documents.of(house.store, night.documents) for probe in document.probes]
    return sum(probe.origin is Origin.MODEL for probe in asked)


def never_trained_on(shift: Shift) -> frozenset[str]:
    """The keys (see `pipeline.leakage`) of every exam question; and where they choose, of practice questions likewise:

    a candidate that was trained on them would win by them.
    """
    if not shift.recipe.self_edits.choosing:
        return _exams(shift)
    return _exams(shift) | exam_keys(probe for document in _known(shift) for probe in practice_probes(document))


def _exams(shift: Shift) -> frozenset[str]:
    """The exams of documents that are or may be learned or are to be forgotten, and of the suites."""
    return contamination.exam_questions(exam_probes(_known(shift)), read_suites(shift.house.settings.suites))


def _known(shift: Shift) -> list[Document]:
    store = shift.house.store
    forgotten = frozenset(document.id for document in withdrawals.remembered(store))
    return [one.document for one in documents.listed(store) if one.document and _examined(one, forgotten)]


def _examined(record: DocumentRecord, forgotten: frozenset[str]) -> bool:
    """What was learned or practised on and withdrawn is asked of a rebuild; another one out of use is no exam."""
    once_learned = record.state is DocumentState.WITHDRAWN and record.release is not None
    return record.state in _ASKED or once_learned or record.id in forgotten


def exam_subjects(house: House) -> frozenset[str]:
    """What the standing retention questions are about: nothing that is rehearsed for its own sake names it."""
    return contamination.exam_subjects(read_suites(house.settings.suites))


def refusals(house: House) -> frozenset[str]:
    """How answers begin by which the model refuses, as the safety suites say."""
    return safety.refusals(read_suites(house.settings.suites))
