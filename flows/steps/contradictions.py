"""Compares a run's documents with what production knows, before anything is written or trained.

What contradicts is kept for the run's report. Where the policy requires the gate `contradictions`, and a run holds more
than it allows, the documents leave the run with the evidence and the others go on.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from flows.run_context import RunContext
from flows.services.eval_sets import eval_sets_of
from flows.steps.run_files import read_value, write_value
from flows.wiring import Workspace
from gates.catalogue import CONTRADICTION_GATE
from gates.contradictions import Reading, by_reading, readings
from gates.document_reading import answers_in
from gates.draws import draw
from gates.evidence import RUN, ReleaseEvalSet, by_item, held_out_items
from gates.known_answers import KnownAnswer, KnownAnswers
from gates.measure import measure
from gates.suite import eval_item_suite
from gates.wording import counted, visible
from pipeline.digests import digest_of
from pipeline.errors import MeasurementFailed
from pipeline.grading import GRADER
from pipeline.rendering import printed_day
from pipeline.types import (
    AskedOf,
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
_NONE_LEFT = (
    "every document contradicts what production knows, or could not be asked all of it: see `sealed documents`, and "
    "docs/operating.md"
)
_Spoken = Sequence[tuple[Document, tuple[KnownAnswer, ...]]]


def compare_with_known(context: RunContext, run: Run) -> Run:
    """The run without documents that contradict more than its policy allows, or that cannot be asked all, which are
    quarantined. A run that is left without any is rejected.

    A run whose update is planned was compared before. What cannot be measured is no finding: the gate then says so.
    """
    if run.finished is not None or run.update is not None:
        return run
    found = _found(context, run)
    undeclared = found.undeclared(run.documents) if found else ()
    for said in _by_document(undeclared).values():
        log.warning("%s", said)
    unasked = found.unasked(run.documents) if found else ()
    for one in unasked:
        log.warning("%s", _unasked(one))
    decisions = _decisions(context, run, undeclared, unasked)
    left = context.session.runs.set_aside(run.number, None, decisions) if decisions else run
    if left.documents:
        return left
    return context.session.runs.finish(run.number, RunState.REJECTED_BY_GATES, _NONE_LEFT)


def compared(context: RunContext, run: Run) -> Contradictions | None:
    """What the comparison of the run's documents found; None where there was none, or another one would be made now."""
    found = _kept(context, run, _basis(context, run, _drawn(context)))
    return found if set(run.documents) <= set(found.documents) else None


def _found(context: RunContext, run: Run) -> Contradictions | None:
    """What was found before this run was killed, and what is found now; it is kept document by document.

    None where production cannot be asked.
    """
    drawn = _drawn(context)
    basis = _basis(context, run, drawn)
    kept = found = _kept(context, run, basis)
    try:
        for found in _compare(context, run, KnownAnswers(context.suites, drawn), kept):
            write_value(file_of(context.workspace, run.number), found, basis)
    except MeasurementFailed as error:
        log.warning("documents are not compared with what production knows: %s", error)
        return None
    return found


def _drawn(context: RunContext) -> tuple[ReleaseEvalSet, ...]:
    """What is asked of earlier releases: no more than the gates ask, however many there are."""
    learned = eval_sets_of(context.ledger.documents.learned())
    return draw(learned, context.recipe.policy.retention.max_earlier_items)


def _kept(context: RunContext, run: Run, basis: str) -> Contradictions:
    kept = read_value(file_of(context.workspace, run.number), Contradictions, basis)
    return kept or Contradictions(documents=(), known=0, found=())


def _basis(context: RunContext, run: Run, drawn: Sequence[ReleaseEvalSet]) -> str:
    """A digest of all that decides what is found of a document."""
    policy, model = context.recipe.policy, context.production(run).model
    return digest_of(
        "compared",
        model.id,
        context.suites.digest,
        [[one.suite, [[item.id, item.title] for item in one.eval_items]] for one in drawn],
        policy.question_prompt,
        policy.max_answer_tokens,
        context.recipe.self_edits.document_prompt,
        printed_day().isoformat(),
        GRADER,
    )


def file_of(workspace: Workspace, run: int) -> Path:
    """Where what was found of a run's documents is kept."""
    return workspace.plans / f"contradictions-{run}.json"


def _compare(context: RunContext, run: Run, known: KnownAnswers, kept: Contradictions) -> Iterator[Contradictions]:
    """What is found with each further document; where they speak about nothing known, no model is even loaded."""
    if set(run.documents) <= set(kept.documents):
        return
    documents = context.ledger.documents.of(run.documents)
    spoken = [(document, about) for document in documents if (about := known.about(document))]
    if not spoken:
        yield Contradictions(documents=run.documents, known=0, found=())
        return
    with context.stage(run, "known_answers", "comparing documents with what production knows"):
        yield from _asked(context, run, spoken, kept)


def _asked(context: RunContext, run: Run, spoken: _Spoken, kept: Contradictions) -> Iterator[Contradictions]:
    scores = _closed_book(context, run, spoken)
    to_do = readings(spoken, scores)
    known = len({one.item.id for reading in to_do for one in reading.known})
    silent = set(run.documents) - {reading.document.id for reading in to_do}
    found = replace(kept, known=known, documents=tuple(sorted(silent | set(kept.documents))))
    for reading in to_do:
        if reading.document.id not in kept.documents:
            said = _open_book(context, run, reading)
            found = replace(
                found,
                documents=(*found.documents, reading.document.id),
                found=(*found.found, *reading.told, *by_reading(reading.document, said, scores)),
                asked=(*found.asked, reading.asked(len(said))),
            )
            yield found


def _closed_book(context: RunContext, run: Run, spoken: _Spoken) -> dict[str, ItemScore]:
    """Production's scores by item, on the documents' own test questions too. The gates ask them again of the cache."""
    workspace = context.workspace
    known = eval_item_suite("known-answers", [one.item for _, about in spoken for one in about])
    own = eval_item_suite(RUN, held_out_items([document for document, _ in spoken]))
    production = workspace.checkpoint(context.production(run))
    asked = [suite for suite in (known, own) if len(suite)]
    measured = measure(workspace.base, production, asked, context.recipe.policy, workspace.settings.cache)
    return {id_: score for suite in asked for id_, score in by_item(measured, suite.name).items()}


def _open_book(context: RunContext, run: Run, reading: Reading) -> Sequence[tuple[KnownAnswer, str]]:
    """What production answers with the document before it, to the questions that leave it room."""
    if not reading.read:
        return ()
    reader = context.workspace.held_adapter(context.production(run))
    tokens, frame = context.recipe.policy.max_answer_tokens, context.recipe.self_edits.document_prompt
    engine = context.workspace.engine
    return answers_in(engine, reading.document, reading.read, adapter=reader, tokens=tokens, frame=frame)


def _decisions(
    context: RunContext, run: Run, undeclared: Sequence[Contradiction], unasked: Sequence[AskedOf]
) -> list[DocumentDecision]:
    """Quarantine, where the policy requires the gate: for documents that contradict, where there are too many, and for
    those that were not asked all, of which the gate could say nothing."""
    policy = context.recipe.policy
    if CONTRADICTION_GATE not in policy.required:
        return []
    reasons = {one.document: f"{_unasked(one)}" for one in unasked}
    if len(undeclared) > policy.contradictions.max_in_run:
        reasons |= {document: f"{said}. {_HOW}" for document, said in _by_document(undeclared).items()}
    return [
        DocumentDecision(document=document, state=DocumentState.QUARANTINED, reason=f"run {run.number}: {reason}")
        for document, reason in reasons.items()
    ]


def _unasked(one: AskedOf) -> str:
    asked = f"{one.asked} of {counted(one.known, 'known answer')} could be asked"
    return f"{visible(one.title, 120)}: only {asked}, so not all is compared. Split it, or let it name less"


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
