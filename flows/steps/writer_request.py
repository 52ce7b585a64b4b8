"""How a writer training was asked for: kept with its run, so that a killed one is resumed as it was begun."""

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from flows.run_context import RunContext
from pipeline.errors import BadInput, first_problem
from pipeline.files import expect_folder
from pipeline.types import WriterTrainingRequest


def writer_request(
    context: RunContext, documents: Path | None, rounds: int | None, method: str | None
) -> WriterTrainingRequest:
    """The request of this run; where nothing is given, that of the unfinished writer training.

    Raises BadInput where a new one is requested on a folder that is none: the unfinished one then stays.
    """
    folder = None if documents is None else str(documents.resolve())
    given = WriterTrainingRequest(folder=folder, rounds=rounds, method=method)
    unfinished = context.ledger.runs.unfinished()
    begun = unfinished.asked if unfinished is not None else None
    if begun is not None and given in (WriterTrainingRequest(), begun):
        return begun
    requested_folder(given)
    return given


def requested_folder(asked: WriterTrainingRequest) -> Path | None:
    """The folder of the documents, or None for what is learned. Raises BadInput where it is no folder (any more)."""
    folder = None if asked.folder is None else Path(asked.folder)
    if folder is not None:
        expect_folder(folder, "the documents to train the writer on")
    return folder


def as_asked(context: RunContext, asked: WriterTrainingRequest) -> RunContext:
    """The context with the requested values in its recipe. Raises BadInput for values that no recipe may have."""
    changed = {key: value for key, value in (("rounds", asked.rounds), ("method", asked.method)) if value is not None}
    rules = context.recipe.writer_training
    try:
        rules = type(rules).model_validate({**rules.model_dump(), **changed})
    except ValidationError as error:
        raise BadInput(f"the writer cannot be trained so: {first_problem(error)}.") from error
    return replace(context, recipe=context.recipe.model_copy(update={"writer_training": rules}))
