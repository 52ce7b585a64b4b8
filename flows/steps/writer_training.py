"""What writer training does otherwise than a run: rounds that train the writer, and the scores of what it writes.

The split of the documents is kept in the workspace, so that a killed run goes on with the same one.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flows.run_context import RunContext
from flows.steps.guard import never_trained_on, training_basis, training_guard
from flows.steps.run_files import read_value, write_value
from flows.steps.self_edits import writer_context
from flows.steps.updates import earlier_runs, find_plan, finished_adapter, rehearsal_context, store_plan
from flows.steps.writer_request import requested_folder
from gates.evidence import WRITER, held_out_items
from gates.writing import WrittenText
from pipeline import updates, writer_training
from pipeline.digests import digest_of
from pipeline.documents import ingest, read_folder
from pipeline.errors import BadInput
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.progress import step, titled
from pipeline.self_edits import validation_items, write_items
from pipeline.types import (
    Checkpoint,
    Document,
    DocumentState,
    EvalItem,
    Example,
    ItemScore,
    ModelRef,
    Run,
    RunState,
    Scores,
    SelfEdit,
    Trained,
    WriterTrainingRequest,
)

log = logging.getLogger("sealed")


@dataclass(frozen=True, kw_only=True)
class SplitCounts:
    """How many documents train the writer, and how many are held out to evaluate it."""

    train: int
    held_out: int


def split_documents(context: RunContext, run: Run) -> SplitCounts:
    """Splits the documents of the requested folder, which are not learned; without one, those that are learned.

    Where a document brings no validation items, the production model writes some. Raises BadInput where the folder is
    gone: the run has then failed.
    """
    split = _current_split(context, run)
    return SplitCounts(train=len(split.train), held_out=len(split.held_out))


def _current_split(context: RunContext, run: Run) -> writer_training.DocumentSplit:
    """The run's split: as stored, or made now if it was made of other documents. A registering run needs no new one."""
    if run.release is not None and (stored := read_value(_file(context, run), writer_training.DocumentSplit)):
        return stored
    folder, recipe = _folder(context, run), context.recipe
    found = _learned(context) if folder is None else _read(context, folder)
    basis = _basis(context, run, found)
    stored = read_value(_file(context, run), writer_training.DocumentSplit, basis)
    if stored is None:
        with_items = _with_items(context, run, found)
        stored = writer_training.divide(with_items, recipe.writer_training, recipe.seed, known=folder is None)
        write_value(_file(context, run), stored, basis)
    return stored


def split_of_rounds(context: RunContext, run: Run) -> writer_training.DocumentSplit:
    """The split as `split_documents` stored it, never made anew after it, without what is held out and was withdrawn.

    Raises BadInput where its file is gone.
    """
    stored = read_value(_file(context, run), writer_training.DocumentSplit)
    if stored is None:
        raise BadInput(f"the document split of run {run.number} is gone from plans/. Run `sealed train-writer` again.")
    withdrawn = {one.id for one in context.ledger.documents.listed(DocumentState.WITHDRAWN)}
    return replace(stored, held_out=tuple(one for one in stored.held_out if one.id not in withdrawn))


def _file(context: RunContext, run: Run) -> Path:
    return context.workspace.plans / f"split-{run.number}.json"


def _basis(context: RunContext, run: Run, documents: Sequence[Document]) -> str:
    """What a stored split and the rounds on it stand on: what may be trained on, and the documents with their items."""
    of = sorted([one.id, *(item.id for item in one.eval_items)] for one in documents)
    return digest_of("writer training", training_basis(context, run, training_guard(context)), of)


def _folder(context: RunContext, run: Run) -> Path | None:
    try:
        return requested_folder(run.asked or WriterTrainingRequest())
    except BadInput as error:
        context.session.runs.finish(run.number, RunState.FAILED, str(error))
        raise


def _learned(context: RunContext) -> list[Document]:
    return [one for documents in earlier_runs(context) for one in documents]


def _read(context: RunContext, folder: Path) -> list[Document]:
    rules = context.recipe.documents
    taken = context.ledger.documents.without_withdrawn(ingest(read_folder(folder, rules.max_bytes), rules))
    for refusal in taken.refused:
        log.info("the writer is not trained on %s: %s", refusal.name, refusal.reason)
    return list(taken.accepted)


def _with_items(context: RunContext, run: Run, found: list[Document]) -> list[Document]:
    with step("writing validation questions"):
        guard = TrainingGuard(questions=never_trained_on(context) | held_out_keys(held_out_items(found)))
        written = write_items(writer_context(context, context.production(run), guard), found)
    return [replace(one, eval_items=(*one.eval_items, *written.get(one.id, ()))) for one in found]


def train_writer(context: RunContext, run: Run) -> Trained | None:
    """Runs the rounds. Returns the last writer's adapter; None where no self-edit was worth learning from.

    A run that was killed in its rounds begins them anew; ReST-EM keeps the adapters of those that were done. One that
    was killed after them has its adapter.
    """
    split, plan = split_of_rounds(context, run), None
    basis = _basis(context, run, (*split.train, *split.held_out))
    if (trained := _trained_before(context, run, basis)) is not None:
        return trained
    context.session.runs.move(run.number, RunState.TRAINING)
    on = writer_training.documents_of_rounds(split.train, context.recipe.writer_training)
    context.session.writer_trainings.record(run.number, on=on, held_out=split.held_out)
    with context.stage(run, "writer_training"):
        for result in writer_training.train_writer(_outer_loop(context, run, split), split.train):
            log.info("%s", result.stats.sentence)
            plan = result.plan
    if plan is None:
        return None
    trained = finished_adapter(context, plan.update.id)
    if trained is None:
        raise BadInput(f"the adapter of run {run.number} is damaged. Run `sealed train-writer` again.")
    store_plan(context, run, plan, basis)
    return trained


def _trained_before(context: RunContext, run: Run, basis: str) -> Trained | None:
    if run.update is None or (run.release is None and find_plan(context, run.update, basis) is None):
        return None
    return finished_adapter(context, run.update)


@dataclass(frozen=True, kw_only=True)
class WriterEvidence:
    """What gates learn about who wrote. validation: items that chose among self-edits, or rewarded the writer.

    written: texts of this run; of writer training the new writer's on the held-out documents, with production's in
    `written_before`, and in `scores` how production and the new writer score after one self-edit by each.
    """

    validation: tuple[EvalItem, ...]
    written: tuple[WrittenText, ...]
    written_before: tuple[WrittenText, ...] = ()
    scores: tuple[Scores, Scores] | None = None


def writer_evidence(context: RunContext, run: Run, trained: Trained) -> WriterEvidence:
    """What production and the new writer write about the held-out documents, and what that is worth."""
    split = split_of_rounds(context, run)
    loop = _outer_loop(context, run, split, rehearsing=False)
    ref = ModelRef(base=loop.production.ref.base, adapter=trained.manifest.adapter)
    candidate = Checkpoint(ref, context.workspace.unapproved_adapter(trained.manifest))
    with titled("examining the writing"):
        before, after = (
            writer_training.held_out_samples(loop, split.held_out, writer) for writer in (loop.production, candidate)
        )
    return WriterEvidence(
        validation=split.questions,
        written=_texts(after),
        written_before=_texts(before),
        scores=(_scores(loop.production.ref, before), _scores(candidate.ref, after)),
    )


def written_texts(self_edits: Iterable[SelfEdit]) -> tuple[WrittenText, ...]:
    """What a model wrote of these: a document's own text is none."""
    return tuple(
        WrittenText(document=edit.document, style=edit.style, text=edit.text) for edit in self_edits if edit.prompt
    )


def _texts(samples: Sequence[writer_training.ScoredSample]) -> tuple[WrittenText, ...]:
    return written_texts(edit for one in samples for edit in one.sample.self_edits)


def _scores(writer: ModelRef, answered: Sequence[writer_training.ScoredSample]) -> Scores:
    items = tuple(
        ItemScore(item=f"{one.sample.document.id}/{eval_item.id}", score=score, group=one.sample.document.id)
        for one in answered
        for eval_item, score in zip(validation_items(one.sample.document), one.evaluation.after, strict=True)
    )
    return Scores(model=writer, suite=WRITER, items=items)


def _outer_loop(
    context: RunContext, run: Run, split: writer_training.DocumentSplit, *, rehearsing: bool = True
) -> writer_training.OuterLoop:
    workspace, recipe = context.workspace, context.recipe
    guard = TrainingGuard(
        questions=never_trained_on(context)
        | held_out_keys(split.questions)
        | held_out_keys(held_out_items((*split.train, *split.held_out)))
    )
    rehearsing = rehearsing and recipe.writer_training.method == "rest-em"
    return writer_training.OuterLoop(
        base=workspace.base,
        recipe=recipe,
        production=workspace.checkpoint(context.production(run)),
        scratch=workspace.settings.adapters,
        from_base=split.known,
        standing=() if split.known else _retention_items(context),
        rehearsal=_rehearsal(context, run, guard) if rehearsing else (),
        guard=guard,
        ledger=context.ledger.documents.ledger_digest(run),
    )


def _retention_items(context: RunContext) -> tuple[EvalItem, ...]:
    """Validation items of what is learned, of each document in turn."""
    learned = [validation_items(one) for one in _learned(context)]
    return tuple(updates.evenly(learned, context.recipe.writer_training.retention_items, context.recipe.seed))


def _rehearsal(context: RunContext, run: Run, guard: TrainingGuard) -> tuple[Example, ...]:
    learned = updates.UpdateInput(
        earlier_edits=context.ledger.self_edits.learned(),
        earlier_runs=earlier_runs(context),
    )
    guard = replace(guard, subjects=training_guard(context).subjects)
    reader = context.workspace.held_adapter(context.production(run))
    recipe = context.recipe.model_copy(update={"rehearsal": writer_training.rehearsal_rules(context.recipe)})
    with step("rehearsing with the teacher"):
        return updates.rehearse(replace(rehearsal_context(context, guard, reader=reader), recipe=recipe), learned)
