"""How a practice was asked for: kept with its run, so that a killed one is resumed as it was begun."""

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from flows.run_context import RunContext
from flows.steps.ingestion import resumed
from pipeline.errors import BadInput, first_problem
from pipeline.types import Run, RunKind, WriterTrainingRequest


def writer_request(
    context: RunContext, documents: Path | None, rounds: int | None, method: str | None
) -> WriterTrainingRequest:
    """What this run asks for; where it says nothing, what the unfinished practice was asked for.

    Raises BadInput where a new practice is asked for on a folder that is none: the unfinished one then stays.
    """
    folder = None if documents is None else str(documents.resolve())
    given = WriterTrainingRequest(folder=folder, rounds=rounds, method=method)
    unfinished = context.workspace.ledger.runs.unfinished()
    begun = unfinished.asked if unfinished is not None else None
    if begun is not None and given in (WriterTrainingRequest(), begun):
        return begun
    folder_asked(given)
    return given


def folder_asked(asked: WriterTrainingRequest) -> Path | None:
    """The folder of the documents, or None for what is learned. Raises BadInput where it is no folder (any more)."""
    folder = None if asked.folder is None else Path(asked.folder)
    if folder is not None and not folder.is_dir():
        raise BadInput(f"{folder} is not a folder. Give the folder that holds the documents to practise on.")
    return folder


def as_asked(context: RunContext, asked: WriterTrainingRequest) -> RunContext:
    """The context with what is asked for in place of the recipe's words. Raises BadInput for what no recipe may."""
    changed = {key: value for key, value in (("rounds", asked.rounds), ("method", asked.method)) if value is not None}
    rules = context.recipe.writer_training
    try:
        rules = type(rules).model_validate({**rules.model_dump(), **changed})
    except ValidationError as error:
        raise BadInput(f"practice cannot be held so: {first_problem(error)}.") from error
    return replace(context, recipe=context.recipe.model_copy(update={"writer_training": rules}))


def open_writer_training(context: RunContext, asked: WriterTrainingRequest, proposer: str) -> Run:
    """Resumes the unfinished practice if it was asked for so and still stands on production and on this recipe.

    Else begins a new one.
    """
    if (unfinished := resumed(context, RunKind.WRITER_TRAINING, asked)) is not None:
        return unfinished
    recipe = context.recipe.digest
    return context.session.runs.begin_writer_training(proposer=proposer, recipe=recipe, asked=asked)
