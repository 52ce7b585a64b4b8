"""Tries to save a run that failed its gates: scales its adapter down, or finds the documents that it fails with.

`gates.bisect` says what is tried. Each adapter is kept under its update's id and each score under its digest, so that a
killed run goes through the same steps again and finds them done.
"""

from collections.abc import Sequence
from dataclasses import replace

from flows.run_context import RunContext
from flows.steps.parts import PartTrials, learnable
from flows.steps.scaling import scale_down
from gates.bisect import LARGEST_SET, CulpritSets, blamed_gates, failing_sentence, find_culprits
from gates.per_document import titled
from gates.wording import visible
from pipeline.types import (
    Bisection,
    BisectStep,
    Culprit,
    Document,
    DocumentDecision,
    DocumentState,
    GateReport,
    Run,
    RunKind,
    Trained,
    Verdict,
)


def bisect(context: RunContext, run: Run, trained: Trained, report: GateReport) -> Run | None:
    """The run as it is to be planned, trained and evaluated once more; None where nothing is to be tried.

    It comes back with a scaled update, without the documents that it fails with, which are quarantined, or as it was,
    where all was in vain: then its report says so. Only a FAIL is a reason, and only of a gate that can judge parts.
    Raises MeasurementFailed where a suite cannot be asked: then nobody is blamed, and the run is to be resumed.
    """
    rules, gates = context.recipe.policy.bisect, blamed_gates(report)
    if run.kind is not RunKind.NIGHTLY or report.verdict is not Verdict.FAIL or not gates:
        return None
    log = report.bisection or Bisection(
        documents=run.documents, gates=gates, failed=failing_sentence(report, gates), limit=rules.max_trainings
    )
    if log.ended or not (rules.scale or rules.documents):
        return None
    log = replace(log, gates=tuple(dict.fromkeys((*log.gates, *gates))))
    with context.stage(run, "bisect"):
        if rules.scale:
            steps, scaled = scale_down(context, run, trained)
            log = _with_steps(log, steps)
            if scaled is not None:
                context.session.runs.save_report(run.number, replace(report, bisection=log))
                return scaled.chosen(context, run)
        if not rules.documents:
            return _ended(context, run, report, replace(log, ended="no smaller share of the adapter passes the gates"))
        return _without_culprits(context, run, trained, report, log)


def _with_steps(log: Bisection, steps: Sequence[BisectStep]) -> Bisection:
    """The log with these steps; those of a run that was killed after it had kept them are there already."""
    return replace(log, steps=tuple(dict.fromkeys((*log.steps, *steps))))


def _without_culprits(context: RunContext, run: Run, trained: Trained, report: GateReport, log: Bisection) -> Run:
    trials = PartTrials.of(context, run, trained, blamed_gates(report))
    found, steps = _searched(trials, log.limit - log.trainings)
    log, rest = _with_steps(log, steps), [one for one in run.documents if not any(one in each for each in found.sets)]
    if reason := _in_vain(found, learnable(trials.learned, rest)):
        return _ended(context, run, report, replace(log, ended=reason))
    documents = {one.id: one for one in trials.learned.documents}
    usual = failing_sentence(report, trials.gates)
    new = tuple(_culprit([documents[one] for one in together], steps, usual) for together in found.sets)
    decisions = [one for culprit in new for one in _decisions(culprit, run)]
    log = replace(log, culprits=(*log.culprits, *new))
    left = context.session.runs.set_aside(run.number, replace(report, bisection=log), decisions)
    context.retain_adapters()
    return left


def _searched(trials: PartTrials, budget: int) -> tuple[CulpritSets, list[BisectStep]]:
    """Answers the search by trainings, batch by batch."""
    search, steps = find_culprits(learnable(trials.learned, trials.run.documents), budget), list[BisectStep]()
    try:
        batch = next(search)
        while True:
            tried = trials.tried(batch)
            steps += tried
            batch = search.send(tuple(bool(step.sentence) for step in tried))
    except StopIteration as done:
        return done.value, steps


def _in_vain(found: CulpritSets, rest: Sequence[str]) -> str:
    """Why the run is rejected as a whole all the same, in words; empty where it goes on with the rest."""
    if not found.sets:
        reason = f"no {LARGEST_SET} documents or fewer were found to fail by themselves"
        return reason if found.complete else f"{reason} within the trainings that are allowed"
    return "" if rest else "nothing is left to learn without the documents that fail"


def _ended(context: RunContext, run: Run, report: GateReport, log: Bisection) -> Run:
    """The run as it was: of all that was tried, its own adapter alone is kept."""
    context.session.runs.save_report(run.number, replace(report, bisection=log))
    context.retain_adapters(report.update)
    return context.ledger.runs.get(run.number)


def _culprit(documents: Sequence[Document], steps: Sequence[BisectStep], usual: str) -> Culprit:
    """`usual`: what the gate said of the whole run, where these are all of it."""
    ids = tuple(one.id for one in documents)
    said = next((step.sentence for step in steps if set(step.documents) == set(ids)), usual)
    titles = tuple(visible(titled(one), 80) for one in documents)
    return Culprit(documents=ids, titles=titles, sentence=said)


def _decisions(culprit: Culprit, run: Run) -> list[DocumentDecision]:
    """Quarantine with the evidence: what the gate says of an adapter trained on exactly these."""
    named = dict(zip(culprit.documents, culprit.titles, strict=True))
    decisions = []
    for one in culprit.documents:
        others = ", ".join(f"{title} ({id_[:12]})" for id_, title in named.items() if id_ != one)
        blame = f"only together with {others}" if others else "with this document alone"
        reason = f"run {run.number}: FAIL {blame}: {culprit.sentence}"
        decisions.append(DocumentDecision(document=one, state=DocumentState.QUARANTINED, reason=reason))
    return decisions
