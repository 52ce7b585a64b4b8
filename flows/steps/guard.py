"""What no training example of a run may ask, name or answer: the questions of documents and of the suites."""

from flows.run_context import RunContext
from gates import suite
from gates.evidence import held_out_items
from pipeline.digests import digest_of
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.self_edits import validation_items
from pipeline.types import Document, DocumentRecord, DocumentState, Run

# A quarantined document is no test: its questions must not be able to empty the rehearsal.
_ASKED = frozenset({DocumentState.QUEUED, DocumentState.LEASED, DocumentState.LEARNED, DocumentState.REVERTED})


def training_guard(context: RunContext) -> TrainingGuard:
    """What no training example of the run may ask, name or answer."""
    suites = context.suites
    return TrainingGuard(
        questions=never_trained_on(context), subjects=suite.held_out_subjects(suites), refusals=suite.refusals(suites)
    )


def training_basis(context: RunContext, run: Run, guard: TrainingGuard) -> str:
    """A digest of what the run may train on, its `training_guard` included: a stored plan is valid as long as it is the
    same.

    It changes where a learned document is withdrawn, and where a test question is added, while a run is interrupted.
    """
    return digest_of(
        "training basis",
        context.ledger.documents.ledger_digest(run),
        *(sorted(keys) for keys in (guard.questions, guard.subjects, guard.refusals)),
    )


def never_trained_on(context: RunContext) -> frozenset[str]:
    """The keys (see `pipeline.leakage`) of every test question, and of validation questions where those select.

    An edit set that was trained on a validation question would win by it.
    """
    if not context.recipe.self_edits.choosing:
        return held_out(context)
    return held_out(context) | held_out_keys(
        eval_item for document in _known(context) for eval_item in validation_items(document)
    )


def held_out(context: RunContext) -> frozenset[str]:
    """The test questions of documents that are or may be learned or are to be forgotten, and of the suites."""
    return suite.held_out_questions(held_out_items(_known(context)), context.suites)


def _known(context: RunContext) -> list[Document]:
    forgotten = frozenset(document.id for document in context.ledger.withdrawals.remembered())
    return [one.document for one in context.ledger.documents.listed() if one.document and _examined(one, forgotten)]


def _examined(record: DocumentRecord, forgotten: frozenset[str]) -> bool:
    """Whether its questions are asked: a withdrawn document's are where a release was trained on it, else of a rebuild.

    Any other document that is out of use is no test.
    """
    once_learned = record.state is DocumentState.WITHDRAWN and record.release is not None
    return record.state in _ASKED or once_learned or record.id in forgotten
