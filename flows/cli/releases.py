"""`sealed releases`, `show`, `ask`, `approve`, `reject` and `rollback`: what people do with releases.

Decisions need no scheduler and no model.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, Actor, AsJson, WorkspaceOption
from flows.cli.runs import show_bisection
from flows.cli.sign_in import password_of
from gates import budgets
from gates.wording import approve_command, in_words
from pipeline.types import Approval, Deployment, GateReport, Release, ReleaseState, Transition

if TYPE_CHECKING:
    from flows.services.review import ProductionChange

Number = Annotated[int, typer.Argument(help="The release's number, as `sealed releases` shows it.", min=0)]


def listed(workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """List the releases, oldest first."""
    from flows.services import releases
    from flows.wiring import open_workspace

    known = releases.list_releases(open_workspace(workspace))
    if json:
        screen.as_json(known)
        return
    rows = [
        (r.number, r.state, r.parent, r.mlflow_version, screen.short(r.manifest), screen.when(r.created), r.reason)
        for r in known
    ]
    columns = ("release", "state", "parent", "MLflow version", "manifest", "made", "reason")
    screen.table("Releases (0 is the base model)", columns, rows)


def show(
    number: Annotated[int, typer.Argument(help="The release's number.", min=0)],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Show a release: what its gates found, who decided, and what to type next."""
    from flows.services import releases
    from flows.wiring import open_workspace

    found = releases.show_release(open_workspace(workspace), number)
    if json:
        shown = {"release": found.release, "report": found.report, "approvals": found.approvals}
        screen.as_json(shown | {"missing": found.missing, "history": found.history})
        return
    _show_release(found.release)
    if found.report:
        _show_report(found.report)
    _show_approvals(found.approvals)
    _show_history(found.history)
    screen.say(*(f"Report: {file}" for file in found.files))
    if found.missing:
        screen.say(f"Missing: {found.missing}")
    if found.release.state is ReleaseState.CANDIDATE:
        screen.say(f"Next: {approve_command(number)}, or `sealed reject {number} --reason ...`")


def _show_release(release: Release) -> None:
    screen.table(
        f"Release {release.number}: {in_words(release.state)}",
        ("what", "value"),
        [
            ("parent", release.parent),
            ("base", release.model.base),
            ("adapter", release.model.adapter),
            ("manifest", release.manifest),
            ("MLflow version", release.mlflow_version),
            ("proposed by", release.proposer),
            ("made", screen.when(release.created)),
            ("reason", release.reason),
        ],
    )


def _show_report(report: GateReport) -> None:
    rows = [
        (one.gate, one.verdict, "" if one.required else "informs", one.sentence.partition(": ")[2])
        for one in report.results
    ]
    screen.table(f"Gates: {report.verdict}", ("gate", "verdict", "", "finding"), rows)
    screen.say(*budgets.sentences(report))
    if report.bisection:
        show_bisection(report.bisection)


def _show_approvals(approvals: tuple[Approval, ...]) -> None:
    if approvals:
        rows = [(screen.when(a.at), a.by.shown, "approved" if a.approved else "rejected", a.note) for a in approvals]
        screen.table("Decisions", ("when", "who", "decision", "note"), rows)


def _show_history(history: tuple[Transition, ...]) -> None:
    rows = [(screen.when(s.at), s.before, s.after, s.epoch, s.by.shown, s.reason) for s in history]
    screen.table("History", ("when", "from", "to", "epoch", "who", "reason"), rows)


def ask(
    questions: Annotated[list[str], typer.Argument(help="One or more questions, each in quotes.")],
    release: Annotated[int | None, typer.Option(help="Ask this release instead of production; 0 is the base.")] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Ask the production model a question, closed-book."""
    from flows.services import releases
    from flows.wiring import open_workspace

    answers = releases.ask(open_workspace(workspace), tuple(questions), release)
    if json:
        screen.as_json(answers)
    elif len(answers) == 1:
        screen.say(f"{answers[0].text}  (release {answers[0].release})")
    else:
        rows = [(answer.question, answer.text) for answer in answers]
        screen.table(f"Release {answers[0].release} answers", ("question", "answer"), rows)


def approve(
    number: Number,
    actor: Actor,
    note: Annotated[str, typer.Option(help="Why it may become production; recorded.")],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Approve a candidate: it becomes production, or waits for a second approver where two are needed.

    A team's reviewer signs in to MLflow by name and password (SEALED_PASSWORD, or typed unseen).
    """
    from flows.services import review
    from flows.wiring import open_workspace

    moved = review.approve(open_workspace(workspace), number, actor=actor, note=note, password=password_of)
    done = f"release {number} is production, approved by {moved.deployment.by.shown}."
    _show_change(moved, json, f"the approval is recorded. {moved.missing}." if moved.missing else done)


def reject(
    number: Number,
    actor: Actor,
    reason: Annotated[str, typer.Option(help="Why not; recorded, and shown with its documents.")],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Reject a candidate: its documents are quarantined with the reason."""
    from flows.services import review
    from flows.wiring import open_workspace

    rejection = review.reject(open_workspace(workspace), number, actor=actor, reason=reason, password=password_of)
    if json:
        screen.as_json(rejection)
    else:
        by = rejection.by.shown
        screen.say(f"release {number} is rejected by {by}; what it learned is quarantined: see `sealed documents`.")


def rollback(
    actor: Actor,
    reason: Annotated[str, typer.Option(help="What went wrong; recorded.")],
    to: Annotated[
        int | None, typer.Option(help="Release to put back; default: the production before this one.", min=0)
    ] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Put an earlier release back, at once; works with MLflow and Prefect down."""
    from flows.services import review
    from flows.wiring import open_workspace

    moved = review.rollback(open_workspace(workspace), to, actor=actor, reason=reason)
    _show_change(moved, json, _rolled_back(moved.deployment, moved.already))


def _rolled_back(done: Deployment, already: bool) -> str:
    if already:
        when = screen.when(done.at)
        return f"release {done.release} is production already, rolled back by {done.by.shown} {when}: nothing was done."
    return f"release {done.release} is production again, rolled back by {done.by.shown}."


def _show_change(moved: "ProductionChange", json: bool, sentence: str) -> None:
    if json:
        screen.as_json(moved)
        return
    screen.say(sentence)
    for failed in moved.reconciled.failed:
        screen.say(f"not yet reconciled: {failed}")
    if moved.reconciled.failed:
        screen.say("This is decided, and in effect here. Do not run it again: `sealed doctor` finishes it.")
