"""Compares a run's documents with what production knows, before anything is written or trained.

What contradicts is kept for the run's report. Where the policy requires the gate `contradictions`, and a run holds more
than it allows, the documents leave the run with the evidence and the others go on.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from flows.run_context import RunContext
from flows.services.gate_plans import eval_sets_of
from flows.steps.run_files import read_value, write_value
from flows.wiring import Workspace
from gates.catalogue import CONTRADICTION_GATE
from gates.contradictions import by_exam, by_reading, surely_known, to_read
from gates.document_reading import answers_in
from gates.evidence import RUN, by_item, held_out_items
from gates.known_answers import KnownAnswer, KnownAnswers
from gates.measure import measure
from gates.suite import eval_item_suite
from gates.wording import counted, visible
from pipeline.digests import digest_of
from pipeline.errors import MeasurementFailed
from pipeline.types import (
    Contradiction,
    Contradictions,
    Document,
    DocumentDecision,
    DocumentState,
    ItemScore,
    Run,
    RunState,
)

log = logging.getLogger("sealed")
_HOW = "A document that means to change this is a correction"
_Spoken = Sequence[tuple[Document, tuple[KnownAnswer, ...]]]


def compare_with_known(context: RunContext, run: Run) -> Run:
    """The run without documents that contradict more than its policy allows, which are quarantined. A run that is left
    without any is rejected.

    A run whose update is planned was compared before. What cannot be measured is no finding: the gate then says so.
    """
    if run.finished is not None or run.update is not None:
        return run
    found = _found(context, run)
    undeclared = found.undeclared(run.documents) if found else ()
    for said in _by_document(undeclared).values():
        log.warning("%s", said)
    decisions = _decisions(context, run, undeclared)
    left = context.session.runs.set_aside(run.number, None, decisions) if decisions else run
    if left.documents:
        return left
    sentence = "every document contradicts what production knows: see `sealed documents`, and docs/operating.md"
    return context.session.runs.finish(run.number, RunState.REJECTED_BY_GATES, sentence)


def compared(context: RunContext, run: Run) -> Contradictions | None:
    """What the comparison of the run's documents found; None where there was none."""
    found = read_value(file_of(context.workspace, run.number), Contradictions)
    return found if found is not None and set(run.documents) <= set(found.documents) else None


def _found(context: RunContext, run: Run) -> Contradictions | None:
    """What was found before this run was killed, or is found now; it is kept. None where production cannot be asked."""
    production, policy = context.production(run), context.recipe.policy
    basis = digest_of("compared", production.model.id, context.workspace.suites.digest, policy.question_prompt)
    kept = read_value(file_of(context.workspace, run.number), Contradictions, basis)
    if kept is not None and set(run.documents) <= set(kept.documents):
        return kept
    try:
        found = _compare(context, run)
    except MeasurementFailed as error:
        log.warning("documents are not compared with what production knows: %s", error)
        return None
    write_value(file_of(context.workspace, run.number), found, basis)
    return found


def file_of(workspace: Workspace, run: int) -> Path:
    """Where what was found of a run's documents is kept."""
    return workspace.plans / f"contradictions-{run}.json"


def _compare(context: RunContext, run: Run) -> Contradictions:
    """Asks production what the documents speak about; where they speak about nothing known, it is not even loaded."""
    known = KnownAnswers(context.workspace.suites, eval_sets_of(context.ledger.documents.learned()))
    documents = context.ledger.documents.of(run.documents)
    spoken = [(document, about) for document in documents if (about := known.about(document))]
    if not spoken:
        return Contradictions(documents=run.documents, known=0, found=())
    with context.stage(run, "known_answers", "comparing documents with what production knows"):
        return _asked(context, run, spoken)


def _asked(context: RunContext, run: Run, spoken: _Spoken) -> Contradictions:
    scores = _closed_book(context, run, spoken)
    found, known = list[Contradiction](), set[str]()
    for document, about in spoken:
        sure = surely_known(about, scores)
        known |= {one.item.id for one in sure}
        told = by_exam(document, sure, scores)
        found += [*told, *_open_book(context, run, document, to_read(document, sure, told), scores)]
    return Contradictions(documents=run.documents, known=len(known), found=tuple(found))


def _closed_book(context: RunContext, run: Run, spoken: _Spoken) -> dict[str, ItemScore]:
    """Production's scores by item, on the documents' own test questions too. The gates ask them again of the cache."""
    workspace = context.workspace
    known = eval_item_suite("known-answers", [one.item for _, about in spoken for one in about])
    own = eval_item_suite(RUN, held_out_items([document for document, _ in spoken]))
    production = workspace.checkpoint(context.production(run))
    asked = [suite for suite in (known, own) if len(suite)]
    measured = measure(workspace.base, production, asked, context.recipe.policy, workspace.settings.cache)
    return {id_: score for suite in asked for id_, score in by_item(measured, suite.name).items()}


def _open_book(
    context: RunContext, run: Run, document: Document, asked: Sequence[KnownAnswer], scores: dict[str, ItemScore]
) -> tuple[Contradiction, ...]:
    reader = context.workspace.held_adapter(context.production(run))
    tokens, frame = context.recipe.policy.max_answer_tokens, context.recipe.self_edits.document_prompt
    said = answers_in(context.workspace.engine, document, asked, adapter=reader, tokens=tokens, frame=frame)
    return by_reading(document, said, scores)


def _decisions(context: RunContext, run: Run, undeclared: Sequence[Contradiction]) -> list[DocumentDecision]:
    """Quarantine for each document that contradicts, where the policy requires the gate and there are too many."""
    policy = context.recipe.policy
    if CONTRADICTION_GATE not in policy.required or len(undeclared) <= policy.contradictions.max_in_run:
        return []
    return [
        DocumentDecision(document=document, state=DocumentState.QUARANTINED, reason=f"run {run.number}: {said}. {_HOW}")
        for document, said in _by_document(undeclared).items()
    ]


def _by_document(undeclared: Sequence[Contradiction]) -> dict[str, str]:
    """By document its first contradiction in words, and how many more there are."""
    counts = Counter(one.document for one in undeclared)
    firsts = {one.document: one for one in reversed(undeclared)}
    return {
        document: _sentence(firsts[document])
        + (f", and {counted(count - 1, 'contradiction')} more" if count > 1 else "")
        for document, count in counts.items()
    }


def _sentence(one: Contradiction) -> str:
    title, asked, known, says = (visible(text, 120) for text in (one.title, one.question, one.production, one.says))
    return f"{title} contradicts what production knows: asked “{asked}”, production answers “{known}”, it says “{says}”"
