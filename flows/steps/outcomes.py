"""How a run ends, in words, and where that leaves its documents: held back, empty, rejected, or waiting for review."""

import logging
from collections.abc import Sequence

from flows.outcome import NOTHING_INGESTED, Ended, RunOutcome
from flows.run_context import RunContext
from gates.batches import lacking
from gates.catalogue import CONTRADICTION_GATE, SERVING_GATE
from gates.evidence import held_out_items
from gates.wording import approve_command, counted, listed
from pipeline.types import (
    Document,
    DocumentDecision,
    DocumentRecord,
    DocumentState,
    GateReport,
    GateResult,
    IngestCounts,
    QueuedDocument,
    Release,
    Run,
    RunState,
    Verdict,
)

log = logging.getLogger("sealed")


def held_back(waiting: Release, taken: IngestCounts = NOTHING_INGESTED) -> RunOutcome:
    """A candidate still waits: a second one could only be void once the first is approved."""
    number = waiting.number
    further = "" if taken is NOTHING_INGESTED else f" {_counted(taken)}. The next run learns what is new."
    return RunOutcome(
        ended=Ended.HELD,
        sentence=f"release {number} still waits for review: {approve_command(number)} or "
        f"`sealed reject {number} --reason ...`."
        f"{further}",
        release=number,
        refused_documents=taken.refused,
        updated_documents=taken.updated,
    )


def not_testable(reasons: Sequence[str], taken: IngestCounts, run: int | None = None) -> RunOutcome:
    """No run trained on the documents that wait, for none could pass. `run`: the one that was given up for it."""
    return RunOutcome(
        ended=Ended.NOT_TESTABLE,
        sentence=f"{'; '.join(reasons)}. Until then the documents wait; {_counted(taken)}.",
        run=run,
        refused_documents=taken.refused,
        updated_documents=taken.updated,
    )


def nothing_to_learn(run: Run, taken: IngestCounts) -> RunOutcome:
    """There was no document in the queue, or every one contradicts what production knows."""
    if run.state is RunState.REJECTED_BY_GATES:
        return RunOutcome(
            ended=Ended.REFUSED,
            sentence=run.sentence,
            run=run.number,
            refused_documents=taken.refused,
            updated_documents=taken.updated,
            verdict=Verdict.FAIL,
        )
    return RunOutcome(
        ended=Ended.NOTHING_NEW,
        sentence=f"no document waits to be learned. {_counted(taken)}.",
        run=run.number,
        refused_documents=taken.refused,
        updated_documents=taken.updated,
    )


def nothing_left() -> RunOutcome:
    """Nothing that was learned stays: what a rebuild would make is the base model itself."""
    return RunOutcome(
        ended=Ended.NOTHING_NEW,
        sentence="no document that is learned stays, so there is nothing to rebuild: "
        "`sealed rollback --to 0 --reason ...` makes the base model production.",
    )


def nothing_written(context: RunContext, run: Run, taken: IngestCounts) -> RunOutcome:
    """Ends a run whose every self-edit was dropped: its documents wait, until their attempts are used."""
    decisions = _unwritten(context, _records(context, run))
    quarantined = sum(decision.state is DocumentState.QUARANTINED for decision in decisions)
    sentence = (
        f"none of {counted(len(decisions), 'document')} gave anything to train on: "
        f"{len(decisions) - quarantined} wait to try again, {quarantined} are quarantined"
    )
    context.session.runs.finish(run.number, RunState.FAILED, sentence, decisions)
    return RunOutcome(
        ended=Ended.UNWRITTEN,
        sentence=sentence,
        run=run.number,
        documents=len(decisions),
        refused_documents=taken.refused,
        updated_documents=taken.updated,
    )


def without_unwritten(context: RunContext, run: Run) -> Run:
    """The run without the documents about which no self-edit could be used: none of them would be learned.

    They wait, until their attempts are used. A run that cannot pass with the others is given up, and these lose no
    attempt. A run whose update is planned was looked at before.
    """
    if run.update is not None:
        return run
    written = {edit.document for edit in context.ledger.self_edits.of_run(run.number) if edit.examples}
    unwritten = [record for record in _records(context, run) if record.id not in written]
    if unwritten:
        log.warning(
            "no self-edit about %s could be used, so this run learns the others: %s. `sealed documents` says what "
            "becomes of them",
            counted(len(unwritten), "document"),
            listed([record.name for record in unwritten]),
        )
        run = context.session.runs.set_aside(run.number, None, _unwritten(context, unwritten))
    left = context.ledger.documents.of(run.documents)
    found = lacking([_queued(one) for one in left], context.recipe.policy)
    return context.session.runs.abandon(run.number, "; ".join(found)) if found else run


def _queued(document: Document) -> QueuedDocument:
    questions = len(held_out_items([document]))
    return QueuedDocument(id=document.id, name=document.name, kind=document.kind, questions=questions)


def _unwritten(context: RunContext, records: Sequence[DocumentRecord]) -> list[DocumentDecision]:
    reason = "no self-edit about it could be used, not even its own text: see the log of the run, or its questions"
    return [try_again(record, reason, context.recipe.documents.max_attempts) for record in records]


def too_few_documents(context: RunContext, run: Run, found: int) -> RunOutcome:
    """Ends a writer training with too few documents to train on some and be evaluated by others."""
    sentence = (
        f"found {counted(found, 'document')} with validation questions, and at least two are needed. "
        "Give a folder, `sealed train-writer --documents DIR`, or learn some first."
    )
    context.session.runs.finish(run.number, RunState.FAILED, sentence)
    return RunOutcome(ended=Ended.NOTHING_NEW, sentence=sentence, run=run.number)


def no_round_helped(context: RunContext, run: Run) -> RunOutcome:
    """Ends a writer training in whose rounds no self-edit earned a reward."""
    sentence = (
        "no self-edit of any round taught anything: the writer stays as it is. See the recipe's [writer_training]"
    )
    context.session.runs.finish(run.number, RunState.FAILED, sentence)
    return RunOutcome(ended=Ended.UNWRITTEN, sentence=sentence, run=run.number)


def reject(context: RunContext, run: Run, report: GateReport, taken: IngestCounts) -> RunOutcome:
    """Ends a run that its gates refused: nothing is registered, each document waits or is quarantined.

    Its adapter stays until the next release is registered; those that it only tried go.
    """
    deciding = _deciding(report)
    sentence = f"{deciding.verdict}: {deciding.sentence}"
    allowed = context.recipe.documents.max_attempts
    decisions = [decide(record, report.verdict, deciding, allowed) for record in _records(context, run)]
    context.session.runs.finish(run.number, RunState.REJECTED_BY_GATES, sentence, decisions)
    context.retain_adapters(report.update)
    ended = f"{sentence}{set_aside(report)}{contradicting(report)}"
    return _evaluated(context, run, report, taken, ended=Ended.REFUSED, sentence=ended)


def _deciding(report: GateReport) -> GateResult:
    """The first required gate with the report's verdict; that of serving only where no other has it."""
    found = [one for one in report.results if one.required and one.verdict is report.verdict]
    return min(found, key=lambda one: one.gate == SERVING_GATE)


def await_review(
    context: RunContext, run: Run, release: Release, report: GateReport, taken: IngestCounts
) -> RunOutcome:
    """Ends a run with a candidate: its row in the ledger waits for a person, no process does."""
    context.workspace.reconcile()
    number = release.number
    sentence = (
        f"release {number} passed its gates and waits for review: `sealed show {number}`, then "
        f"{approve_command(number)}{set_aside(report)}{contradicting(report)}"
    )
    return _evaluated(context, run, report, taken, ended=Ended.WAITING, sentence=sentence, release=number)


def set_aside(report: GateReport) -> str:
    """What became of the documents that made the run fail, as a sentence after another; empty where none was found."""
    found = report.bisection.quarantined if report.bisection else ()
    if report.bisection is None or not found:
        return ""
    of = counted(len(report.bisection.documents), "document")
    return f". {len(found)} of {of} made the run fail and {'is' if len(found) == 1 else 'are'} quarantined"


def contradicting(report: GateReport) -> str:
    """What the run's documents contradict, as a sentence after another; empty where they contradict nothing."""
    named = (one for one in report.results if one.gate == CONTRADICTION_GATE and one.verdict is Verdict.FAIL)
    return next((f". Look at contradictions: {one.sentence.partition(': ')[2]}" for one in named), "")


def _evaluated(
    context: RunContext,
    run: Run,
    report: GateReport,
    taken: IngestCounts,
    *,
    ended: Ended,
    sentence: str,
    release: int | None = None,
) -> RunOutcome:
    return RunOutcome(
        ended=ended,
        sentence=sentence,
        run=run.number,
        release=release,
        documents=len(run.documents),
        eval_items=len(held_out_items(context.ledger.documents.of(run.documents))),
        refused_documents=taken.refused,
        updated_documents=taken.updated,
        verdict=report.verdict,
        bisection=report.bisection,
        figures=report.recall,
        seconds=context.ledger.runs.get(run.number).seconds,
    )


def decide(record: DocumentRecord, verdict: Verdict, deciding: GateResult, allowed: int) -> DocumentDecision:
    """Where a refused document goes: harm is quarantined at once, doubt may try again until its attempts are used.

    What the serving engine refuses, or answers too late, is doubt: a slow machine is no harm of a document.
    """
    harmful = verdict is Verdict.FAIL and deciding.gate != SERVING_GATE
    return try_again(record, f"{verdict}: {deciding.sentence}", 0 if harmful else allowed)


def try_again(record: DocumentRecord, reason: str, allowed: int) -> DocumentDecision:
    """Back to the queue, or quarantined once the document's attempts are used."""
    if record.attempts >= allowed:
        return DocumentDecision(document=record.id, state=DocumentState.QUARANTINED, reason=reason)
    return DocumentDecision(document=record.id, state=DocumentState.QUEUED, reason=f"waits to try again: {reason}")


def _records(context: RunContext, run: Run) -> list[DocumentRecord]:
    return [context.ledger.documents.get(document) for document in run.documents]


def _counted(taken: IngestCounts) -> str:
    updated = f", {taken.updated} known with updated questions" if taken.updated else ""
    new = counted(taken.queued, "new document")
    return f"taken in: {new}; {taken.duplicates} known{updated}; {taken.refused} quarantined"
