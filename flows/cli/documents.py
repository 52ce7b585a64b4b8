"""`sealed documents`: what was offered, where each document is, and why."""

from typing import Annotated

import typer

from flows.cli import screen
from flows.cli.options import HERE, Actor, AsJson, WorkspaceOption
from gates.wording import counted
from pipeline.types import DocumentRecord, DocumentState, Split

app = typer.Typer(help="Documents, their states and reasons.", invoke_without_command=True)

_STILL_KNOWN = "production still knows it until a rebuild is released: `sealed rebuild`"

Id = Annotated[str, typer.Argument(help="The document's id, or its first digits.")]
Ids = Annotated[list[str], typer.Argument(help="The documents' ids, or their first digits.")]


@app.callback()
def listed(
    context: typer.Context,
    state: Annotated[DocumentState | None, typer.Option(help="Only documents in this state.")] = None,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """List the documents with their states and reasons."""
    if context.invoked_subcommand:
        return
    from flows.services import documents
    from flows.wiring import open_workspace

    opened = open_workspace(workspace)
    records = documents.list_documents(opened, state)
    if json:
        screen.as_json(records)
        return
    known = documents.withdrawn_but_known(opened)
    rows = [
        (screen.short(one.id), one.state, one.name, _asked(one), one.release, one.attempts, _why(one, known))
        for one in records
    ]
    columns = ("id", "state", "name", "test questions", "release", "tries", "reason")
    screen.table(counted(len(rows), "document"), columns, rows)


@app.command()
def show(id: Id, workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """Show one document as it was ingested, with its questions and which of its edit sets were selected."""
    from flows.services import documents
    from flows.wiring import open_workspace

    found = documents.show_document(open_workspace(workspace), id)
    record = found.record
    if json:
        screen.as_json(record)
        return
    screen.say(f"{record.id}  {record.state}  {record.name}", record.reason)
    screen.say(*(f"Withdrawn {screen.when(it.at)} by {it.actor} (account {it.account})." for it in found.withdrawals))
    screen.say(*(_used_by(run, out) for run, out in found.writer_trainings))
    if record.document:
        screen.say(f"\n{record.document.title}\n\n{record.document.body}\n")
        rows = [(it.split, it.origin, it.question, " | ".join(it.answers)) for it in record.document.eval_items]
        screen.table("Questions", ("split", "written by", "question", "accepted answers"), rows)
        screen.say(*(f"Run {run}: {made.sentence}." for run, made in found.selections))


@app.command()
def requeue(ids: Ids, workspace: WorkspaceOption = HERE, json: AsJson = False) -> None:
    """Let the next run try quarantined or reverted documents again: all of them, or none."""
    from flows.services import documents
    from flows.wiring import open_workspace

    records = documents.requeue(open_workspace(workspace), ids)
    if json:
        screen.as_json(records)
    else:
        screen.say(*map(_moved, records))


@app.command()
def quarantine(
    id: Id,
    reason: Annotated[str, typer.Option(help="Why; recorded.")],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Keep a queued document out of every run until it is queued again."""
    from flows.services import documents
    from flows.wiring import open_workspace

    record = documents.quarantine(open_workspace(workspace), id, reason)
    if json:
        screen.as_json(record)
    else:
        screen.say(_moved(record))


@app.command()
def withdraw(
    ids: Ids,
    reason: Annotated[str, typer.Option(help="Why they must go; recorded.")],
    actor: Actor,
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Withdraw documents: never learned again, and a rebuild forgets those that production knows. For good."""
    from flows.services import documents
    from flows.wiring import open_workspace

    opened = open_workspace(workspace)
    records = documents.withdraw(opened, ids, actor=actor, reason=reason)
    if json:
        screen.as_json(records)
        return
    known = documents.withdrawn_but_known(opened)
    for record in records:
        what = _STILL_KNOWN if record.id in known else "production does not know it, and no run will learn it"
        screen.say(f"{screen.short(record.id)} {record.name} is withdrawn: {what}.")


@app.command()
def correct(
    title: Annotated[str, typer.Argument(help="What the answer is about, named as the questions name it.")],
    says: Annotated[str, typer.Argument(help="The correction in a sentence: it is what the model learns from.")],
    question: Annotated[list[str], typer.Option(help="Answered anew from then on; several wordings examine better.")],
    answer: Annotated[
        list[str],
        typer.Option(
            help="The right answer to each of the questions. Given several times: its spellings, each of which counts; "
            "the correction must say one of them."
        ),
    ],
    workspace: WorkspaceOption = HERE,
    json: AsJson = False,
) -> None:
    """Correct an answer: a document for the next run, which asks the questions as its test.

    All corrections of a run are judged together, by default on sixteen test questions at least.
    """
    from flows.services import documents
    from flows.wiring import open_workspace

    file = documents.deliver_correction(open_workspace(workspace), title, says, question, answer)
    if json:
        screen.as_json({"file": str(file)})
    else:
        screen.say(
            f"{file} waits for the next run that reads {file.parent}: `sealed update` without a folder.",
            "Corrections pass on sixteen test questions or more in a run: give several, each in several wordings.",
        )


def _asked(record: DocumentRecord) -> int | None:
    """How many questions test whether it is learned; None where nothing readable was accepted."""
    if record.document is None:
        return None
    return sum(item.split is Split.TEST for item in record.document.eval_items)


def _why(record: DocumentRecord, known: frozenset[str]) -> str:
    return f"{record.reason}; {_STILL_KNOWN}" if record.id in known else record.reason


def _used_by(run: int, held_out: bool) -> str:
    return f"It evaluated the writer of run {run}." if held_out else f"Run {run} trained the writer on it."


def _moved(record: DocumentRecord) -> str:
    return f"{screen.short(record.id)} {record.name} is {record.state}."
