"""What `sealed status` shows: production, the queue, the last run, and the next thing for a person to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from flows.services.batches import next_batch
from flows.wiring import Workspace
from gates.wording import approve_command, counted, in_words
from pipeline.documents import count_files
from pipeline.errors import BadDataFile, BadRecipe
from pipeline.types import Deployment, DocumentState, Release, ReleaseState, Run, RunKind, RunState
from registry import Canary, WaitingDecision, lifecycle
from registry.store.lease import process_of

_REFUSED = (RunState.REJECTED_BY_GATES, RunState.FAILED)
_TRAIN_WRITER_OTHERWISE = (
    "the writer stays as it was: give more or other documents, or change the recipe's [writer_training], then "
    "`sealed train-writer --documents DIR`"
)


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The state of a workspace at a glance; an empty sentence means there is nothing of the kind.

    `asked`: what people decided in MLflow that nobody judged yet. `canary`: how the newest release does that gets its
    share by steps. `to_forget`: ids of withdrawn documents that
    production still knows.
    """

    production: Release
    deployment: Deployment
    documents: tuple[tuple[DocumentState, int], ...]
    last_run: str
    at_work: str
    in_review: str
    asked: str
    canary: str
    to_forget: tuple[str, ...]
    next_step: str


def overview(workspace: Workspace) -> Overview:
    """Reads the ledger, the recipe, the suites, and where nothing waits the names in incoming/: no model, no MLflow."""
    ledger = workspace.ledger
    held = ledger.lease_holder()
    known = ledger.runs.listed()
    waiting = [release for release in ledger.releases.listed() if release.state is ReleaseState.CANDIDATE]
    candidates = [release.number for release in waiting]
    at, days = datetime.now(UTC), workspace.settings.approval_days
    too_old = lifecycle.against_waiting(waiting[-1], at, days) if waiting else None
    interrupted = ledger.runs.unfinished()
    counts, gone = ledger.documents.count(), tuple(document.id for document in ledger.withdrawals.remembered())
    idle, queued = not (candidates or held or interrupted or gone), dict(counts).get(DocumentState.QUEUED)
    usual = next_step(
        candidates,
        dict(counts),
        unfinished=interrupted.kind if interrupted else None,
        busy=bool(held),
        lacking=_lacking(workspace) if idle else "",
        to_forget=len(gone),
        incoming=count_files(workspace.settings.incoming) if idle and not queued else 0,
        writer_refused=bool(known) and known[-1].kind is RunKind.WRITER_TRAINING and known[-1].state in _REFUSED,
    )
    return Overview(
        production=ledger.releases.production(),
        deployment=ledger.deployments.listed()[-1],
        documents=tuple((state, count) for state, count in counts if count),
        last_run=_summary(known[-1]) if known else "",
        at_work=f"{process_of(held.holder)}, since {held.since:%Y-%m-%d %H:%M} UTC" if held else "",
        in_review=", ".join(f"release {number}" for number in candidates),
        asked=_asked(ledger.review_decisions.waiting(workspace.trusted_keys)),
        canary=_canary(ledger.canaries.current()),
        to_forget=gone,
        next_step=too_old or _second_approval(workspace, candidates) or usual,
    )


def _second_approval(workspace: Workspace, candidates: list[int]) -> str:
    """What the candidate lacks where two people must approve, and one has; "" elsewhere."""
    rules, ledger = workspace.review_rules, workspace.ledger
    if rules.approvers == 1 or not candidates or not ledger.releases.approvals(candidates[-1]):
        return ""
    return ledger.deployments.still_missing(candidates[-1], rules=rules)


def _lacking(workspace: Workspace) -> str:
    """Why no run could pass on the documents that wait, in words; "" where one may. An unreadable recipe is named."""
    try:
        batch = next_batch(workspace, workspace.recipe)
    except (BadRecipe, BadDataFile) as error:
        return f"mend what no run can read: {error}"
    return "" if batch.documents else "; ".join(batch.lacking)


def _asked(waiting: Sequence[WaitingDecision]) -> str:
    """What waits to be judged, in words."""
    decisions = ((one.decision, " (forged)" if one.forged else "") for one in waiting)
    asked = ", ".join(f"{made.kind} of release {made.release} by {made.who}{forged}" for made, forged in decisions)
    return asked and f"{asked}: `sealed reconcile` judges it"


def _canary(canary: Canary | None) -> str:
    """The share of the newest release, and why, in words."""
    return "" if canary is None else f"release {canary.release} gets {100 * canary.share:g} %: {canary.sentence}"


def next_step(
    candidates: list[int],
    counts: dict[DocumentState, int],
    *,
    unfinished: RunKind | None,
    busy: bool,
    lacking: str = "",
    to_forget: int = 0,
    incoming: int = 0,
    writer_refused: bool = False,
) -> str:
    """The one thing that a person would do now, in words. `incoming`: how many files a run would read there."""
    if candidates:
        number = candidates[-1]
        reject = f"`sealed reject {number} --as NAME --reason ...`"
        return f"`sealed show {number}`, then {approve_command(number)} or {reject}"
    if busy:
        return "wait: a run is under way"
    if unfinished is RunKind.REBUILD:
        return "`sealed rebuild` goes on with the interrupted rebuild"
    if unfinished is RunKind.WRITER_TRAINING:
        return "`sealed train-writer` goes on with the interrupted writer training"
    if to_forget:
        return f"`sealed rebuild`: production still knows {counted(to_forget, 'withdrawn document')}"
    if unfinished:
        return "`sealed update` goes on with the interrupted run"
    queued = counts.get(DocumentState.QUEUED)
    learn = lacking or (
        "`sealed update` learns the queued documents"
        if queued
        else _nothing_queued(counts.get(DocumentState.REVERTED, 0), incoming)
    )
    return f"{_TRAIN_WRITER_OTHERWISE}; or go on: {learn}" if writer_refused else learn


def _nothing_queued(reverted: int, incoming: int) -> str:
    there = f" ({counted(incoming, 'file')} there, known or new)" if incoming else ""
    learn = f"put documents into incoming/{there}, then `sealed update`"
    if not reverted:
        return learn
    again = "`sealed documents --state reverted` lists them, `sealed documents requeue ID ...` lets a run try again"
    return f"{learn}; {counted(reverted, 'document')} reverted by a rollback: {again}"


def _summary(run: Run) -> str:
    """How the run went, in words; what was done is said where it was no run of learning."""
    on = f" on {run.asked.folder}" if run.asked and run.asked.folder else ""
    what = "" if run.kind is RunKind.NIGHTLY else f", a {run.kind}{on}"
    return f"run {run.number}{what}: {in_words(run.state)}. {run.sentence}".strip()
