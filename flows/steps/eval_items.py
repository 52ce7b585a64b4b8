"""The questions of documents: those that no training example may ask, and those that the model writes itself."""

from collections.abc import Mapping

from flows.run_context import RunContext
from flows.steps.timing import timed
from flows.wiring import Workspace
from gates import suite
from gates.evidence import held_out_items
from gates.suite import read_suites
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.progress import step
from pipeline.self_edits import WriterContext, validation_items
from pipeline.self_edits import write_items as write_validation_items
from pipeline.types import Document, DocumentRecord, DocumentState, EvalItem, Origin, Run, RunState

# A quarantined document is no test: its questions must not be able to empty the rehearsal.
_ASKED = frozenset({DocumentState.QUEUED, DocumentState.LEASED, DocumentState.LEARNED, DocumentState.REVERTED})


def write_items(context: RunContext, run: Run) -> int:
    """Where candidates are to be compared: validation questions by the production model for documents that bring none.

    They are written before any note, so that no note asks one: where there is a note, this has been done. Returns how
    many questions of the model's there are.
    """
    workspace, rules = context.workspace, context.recipe.self_edits
    if not rules.choosing or workspace.ledger.self_edits.of_run(run.number):
        return 0
    context.session.runs.move(run.number, RunState.WRITING)
    live = workspace.ledger.releases.get(run.parent)

    def save(written: Mapping[str, tuple[EvalItem, ...]]) -> None:
        context.session.documents.add_items(written)

    with timed(context, run, "eval_items"), step("writing validation questions"):
        writer = WriterContext(
            engine=workspace.writer,
            rules=rules,
            writer=workspace.checkpoint(live),
            seed=context.recipe.seed,
            guard=TrainingGuard(questions=_held_out(context)),
        )
        write_validation_items(writer, workspace.ledger.documents.of(run.documents), save=save)
    asked = [
        eval_item for document in workspace.ledger.documents.of(run.documents) for eval_item in document.eval_items
    ]
    return sum(eval_item.origin is Origin.MODEL for eval_item in asked)


def training_guard(context: RunContext) -> TrainingGuard:
    """What no training example of the run may ask, name or answer."""
    return TrainingGuard(
        questions=never_trained_on(context),
        subjects=held_out_subjects(context.workspace),
        refusals=refusals(context.workspace),
    )


def never_trained_on(context: RunContext) -> frozenset[str]:
    """The keys (see `pipeline.leakage`) of every test question, and of validation questions where those choose.

    An edit set that was trained on a validation question would win by it.
    """
    if not context.recipe.self_edits.choosing:
        return _held_out(context)
    return _held_out(context) | held_out_keys(
        eval_item for document in _known(context) for eval_item in validation_items(document)
    )


def _held_out(context: RunContext) -> frozenset[str]:
    """The held_out of documents that are or may be learned or are to be forgotten, and of the suites."""
    return suite.held_out_questions(held_out_items(_known(context)), read_suites(context.workspace.settings.suites))


def _known(context: RunContext) -> list[Document]:
    ledger = context.workspace.ledger
    forgotten = frozenset(document.id for document in ledger.withdrawals.remembered())
    return [one.document for one in ledger.documents.listed() if one.document and _examined(one, forgotten)]


def _examined(record: DocumentRecord, forgotten: frozenset[str]) -> bool:
    """What was learned or practised on and withdrawn is asked of a rebuild; another one out of use is no test."""
    once_learned = record.state is DocumentState.WITHDRAWN and record.release is not None
    return record.state in _ASKED or once_learned or record.id in forgotten


def held_out_subjects(workspace: Workspace) -> frozenset[str]:
    """What the standing retention questions are about: nothing that is rehearsed for its own sake names it."""
    return suite.held_out_subjects(read_suites(workspace.settings.suites))


def refusals(workspace: Workspace) -> frozenset[str]:
    """How answers begin by which the model refuses, as the safety suites say."""
    return suite.refusals(read_suites(workspace.settings.suites))
