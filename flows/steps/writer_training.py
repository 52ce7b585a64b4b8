"""What a practice does otherwise than a run: rounds that train the writer, and an test of what its notes teach."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.outcome import Ended, RunOutcome
from flows.run_context import RunContext
from flows.steps.eval_items import held_out_subjects, never_trained_on
from flows.steps.timing import timed
from flows.steps.training import rehearsal_context
from flows.steps.writer_request import folder_asked
from gates.evidence import WRITER, held_out_items
from pipeline.errors import BadInput
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.progress import step, titled
from pipeline.types import (
    Checkpoint,
    Document,
    EvalItem,
    Example,
    ItemScore,
    ModelRef,
    Run,
    RunState,
    Scores,
    Trained,
    UpdatePlan,
    WriterTrainingRequest,
)

if TYPE_CHECKING:
    from pipeline.writer_training import DocumentSplit, OuterLoop

log = logging.getLogger("sealed")


def split_documents(context: RunContext, run: Run) -> "DocumentSplit":
    """The documents of the folder that was asked for, which are not learned; or else those that production has learned.

    Where a document brings no validation questions, the production model writes some. Raises BadInput where it is no
    folder: the practice has then failed.
    """
    from pipeline.writer_training import divide

    ledger, recipe = context.workspace.ledger, context.recipe
    try:
        folder = folder_asked(run.asked or WriterTrainingRequest())
    except BadInput as error:
        context.session.runs.finish(run.number, RunState.FAILED, str(error))
        raise
    learned = [one for _, taught in ledger.documents.learned() for one in taught]
    found = learned if folder is None else _read(context, folder)
    return divide(_with_questions(context, found), recipe.writer_training, recipe.seed, known=folder is None)


def _read(context: RunContext, folder: Path) -> list[Document]:
    from pipeline.documents import ingest, read_folder

    rules = context.recipe.documents
    taken = ingest(read_folder(folder, rules.max_bytes), rules)
    taken = context.workspace.ledger.documents.without_withdrawn(taken)
    for refusal in taken.refused:
        log.info("%s is not practised on: %s", refusal.name, refusal.reason)
    return list(taken.accepted)


def _with_questions(context: RunContext, found: list[Document]) -> list[Document]:
    from pipeline.self_edits import WriterContext, write_items

    workspace, live = context.workspace, context.workspace.ledger.releases.production()
    with step("writing validation questions"):
        questions = never_trained_on(context) | held_out_keys(held_out_items(found))
        writer = WriterContext(
            engine=workspace.writer,
            rules=context.recipe.self_edits,
            writer=workspace.checkpoint(live),
            seed=context.recipe.seed,
            guard=TrainingGuard(questions=questions),
        )
        written = write_items(writer, found)
    return [replace(one, eval_items=(*one.eval_items, *written.get(one.id, ()))) for one in found]


def practise(context: RunContext, run: Run, split: "DocumentSplit") -> tuple[UpdatePlan, Trained] | None:
    """Holds the rounds, and gives the last writer's plan and adapter; None where no note was worth learning from.

    A killed practice begins its rounds anew; ReST-EM keeps the adapters of those that were done.
    """
    from pipeline.adapters.saving import trained_adapter
    from pipeline.writer_training import documents_of_rounds, train_writer

    workspace, plan = context.workspace, None
    context.session.runs.move(run.number, RunState.TRAINING)
    on = documents_of_rounds(split.train, context.recipe.writer_training)
    context.session.writer_trainings.record(run.number, on=on, held_out=split.held_out)
    with timed(context, run, "practice"):
        for result in train_writer(_outer_loop(context, run, split), split.train):
            log.info("%s", result.stats.sentence)
            plan = result.plan
    if plan is None:
        return None
    trained = trained_adapter(workspace.identity, plan.update.id, workspace.folder_of(plan.update.id))
    if trained is None:
        raise BadInput(f"the adapter of practice {run.number} is damaged. Run `sealed train-writer` again.")
    context.session.runs.save_update(run.number, plan.update)
    return plan, trained


def examine_writing(context: RunContext, run: Run, split: "DocumentSplit", trained: Trained) -> tuple[Scores, Scores]:
    """Scores on the held-out documents after one self-edit by the production model, and by the new writer."""
    from pipeline.writer_training import held_out_scores

    workspace, loop = context.workspace, _outer_loop(context, run, split, rehearsing=False)
    ref = ModelRef(base=loop.production.ref.base, adapter=trained.manifest.adapter)
    candidate = Checkpoint(ref, workspace.folder_of(trained.manifest.update))
    with timed(context, run, "gates"), titled("examining the writing"):
        before, after = (
            _scores(writer.ref, held_out_scores(loop, split.held_out, writer))
            for writer in (loop.production, candidate)
        )
    return before, after


def _scores(writer: ModelRef, answered: tuple[tuple[Document, tuple[float, ...]], ...]) -> Scores:
    from pipeline.self_edits.edit_sets import validation_items

    items = tuple(
        ItemScore(item=f"{document.id}/{eval_item.id}", score=score, group=document.id)
        for document, scores in answered
        for eval_item, score in zip(validation_items(document), scores, strict=True)
    )
    return Scores(model=writer, suite=WRITER, items=items)


def nothing_to_practise(context: RunContext, run: Run, split: "DocumentSplit") -> RunOutcome:
    """Ends a practice that has too few documents with questions to practise on some and be judged by others."""
    found = len(split.train) + len(split.held_out)
    sentence = (
        f"{found} documents with validation questions are too few to practise: at least two are needed. "
        "Give a folder, `sealed train-writer --documents DIR`, or learn some first."
    )
    context.session.runs.finish(run.number, RunState.FAILED, sentence)
    return RunOutcome(ended=Ended.NOTHING_NEW, sentence=sentence, run=run.number)


def nothing_helped(context: RunContext, run: Run) -> RunOutcome:
    """Ends a practice in whose rounds no note taught anything."""
    sentence = "no note of any round taught anything: the writer stays as it is. See the recipe's [writer_training]"
    context.session.runs.finish(run.number, RunState.FAILED, sentence)
    return RunOutcome(ended=Ended.UNWRITTEN, sentence=sentence, run=run.number)


def _outer_loop(context: RunContext, run: Run, split: "DocumentSplit", *, rehearsing: bool = True) -> "OuterLoop":
    from pipeline.writer_training import OuterLoop

    workspace, recipe = context.workspace, context.recipe
    live = workspace.ledger.releases.get(run.parent)
    never = never_trained_on(context) | held_out_keys(split.questions)
    never |= held_out_keys(held_out_items((*split.train, *split.held_out)))
    return OuterLoop(
        base=workspace.base,
        recipe=recipe,
        production=workspace.checkpoint(live),
        scratch=workspace.settings.adapters,
        from_base=split.known,
        standing=() if split.known else _standing(context),
        rehearsal=_rehearsal(context, run, never) if rehearsing and recipe.writer_training.method == "rest-em" else (),
        guard=TrainingGuard(questions=never),
        ledger=workspace.ledger.documents.ledger_digest(run),
    )


def _standing(context: RunContext) -> tuple[EvalItem, ...]:
    """validation questions of what is learned, of each document in turn."""
    from pipeline.self_edits.edit_sets import validation_items
    from pipeline.updates import evenly

    taught = [validation_items(one) for _, found in context.workspace.ledger.documents.learned() for one in found]
    return tuple(evenly(taught, context.recipe.writer_training.retention_items, context.recipe.seed))


def _rehearsal(context: RunContext, run: Run, never: frozenset[str]) -> tuple[Example, ...]:
    from pipeline.updates import UpdateInput, rehearse
    from pipeline.writer_training import rehearsal_rules

    workspace = context.workspace
    production = workspace.held_adapter(workspace.ledger.releases.get(run.parent))
    guard = TrainingGuard(questions=never, subjects=held_out_subjects(workspace))
    learned = UpdateInput(
        earlier_edits=workspace.ledger.self_edits.learned(),
        earlier_runs=[taught for _, taught in workspace.ledger.documents.learned()],
    )
    gathering = rehearsal_context(context, guard, reader=production)
    recipe = context.recipe.model_copy(update={"rehearsal": rehearsal_rules(context.recipe)})
    with step("rehearsing with the teacher"):
        return rehearse(replace(gathering, recipe=recipe), learned)
