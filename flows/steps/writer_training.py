"""What a practice does otherwise than a night: rounds that train the writer, and an exam of what its notes teach."""

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flows.outcome import Ended, NightOutcome
from flows.progress import stage
from flows.run_context import Shift
from flows.steps.eval_items import exam_subjects, never_trained_on
from flows.steps.timing import timed
from flows.steps.writer_request import folder_asked
from gates.evidence import WRITING, exam_probes
from pipeline.errors import BadInput
from pipeline.leakage import exam_keys
from pipeline.types import (
    Document,
    Example,
    ItemScore,
    ModelRef,
    Night,
    NightState,
    PracticeAsk,
    Probe,
    Scores,
    Trained,
    UpdatePlan,
)
from registry.store import documents, releases, runs, self_edits, writer_trainings

if TYPE_CHECKING:
    from pipeline.writer_training.outer_loop import School
    from pipeline.writer_training.split import Ground

log = logging.getLogger("sealed")


def practice_ground(shift: Shift, night: Night) -> "Ground":
    """The documents of the folder that was asked for, which are not learned; or else those that production has learned.

    Where a document brings no practice questions, the live model writes some. Raises BadInput where it is no folder:
    the practice has then failed.
    """
    from pipeline.writer_training.split import divide

    store, recipe = shift.house.store, shift.recipe
    try:
        folder = folder_asked(night.asked or PracticeAsk())
    except BadInput as error:
        runs.finish(store, shift.lease, night.number, NightState.FAILED, str(error))
        raise
    learned = [one for _, taught in documents.learned(store) for one in taught]
    found = learned if folder is None else _read(shift, folder)
    return divide(_with_questions(shift, found), recipe.practice, recipe.seed, known=folder is None)


def _read(shift: Shift, folder: Path) -> list[Document]:
    from pipeline.documents.ingestion import take_in
    from pipeline.documents.sources.folder import read

    rules = shift.recipe.documents
    taken = take_in(read(folder, rules.max_bytes), rules)
    taken = documents.without_withdrawn(shift.house.store, taken)
    for refusal in taken.refused:
        log.info("%s is not practised on: %s", refusal.name, refusal.reason)
    return list(taken.accepted)


def _with_questions(shift: Shift, found: list[Document]) -> list[Document]:
    from pipeline.self_edits.eval_items import write_probes

    house, live = shift.house, releases.production(shift.house.store)
    written = write_probes(
        house.writer, found, shift.recipe.self_edits, adapter=house.held_adapter(live), seed=shift.recipe.seed,
        never=never_trained_on(shift) | exam_keys(exam_probes(found)), progress=stage("writing practice questions"),
    )  # fmt: skip
    return [replace(one, probes=(*one.probes, *written.get(one.id, ()))) for one in found]


def practise(shift: Shift, night: Night, ground: "Ground") -> tuple[UpdatePlan, Trained] | None:
    """Holds the rounds, and gives the last writer's plan and adapter; None where no note was worth learning from.

    A killed practice begins its rounds anew; ReST-EM keeps the adapters of those that were done.
    """
    from pipeline.training.lora import trained_adapter
    from pipeline.writer_training.rounds import practise, seen

    house, plan = shift.house, None
    runs.move(house.store, shift.lease, night.number, NightState.TRAINING)
    on = seen(ground.practised, shift.recipe.practice)
    writer_trainings.record(house.store, shift.lease, night.number, on=on, held_out=ground.held_out)
    with timed(shift, night, "practice"):
        for practised in practise(_school(shift, night, ground), ground.practised, _tell):
            log.info("%s", practised.round.sentence)
            plan = practised.plan
    if plan is None:
        return None
    trained = trained_adapter(house.identity, plan.update.id, house.folder_of(plan.update.id))
    if trained is None:
        raise BadInput(f"the adapter of practice {night.number} is damaged. Run `sealed practice` again.")
    runs.save_update(house.store, shift.lease, night.number, plan.update)
    return plan, trained


def examine_writing(shift: Shift, night: Night, ground: "Ground", trained: Trained) -> tuple[Scores, Scores]:
    """What one self-edit by the live model teaches of each document that was held out, and one by the new writer."""
    from pipeline.writer_training.outer_loop import examined

    house, school = shift.house, _school(shift, night, ground, rehearsing=False)
    tell = partial(_named, "examining the writing")
    candidate = ModelRef(base=school.live.base, adapter=trained.manifest.adapter)
    with timed(shift, night, "gates"):
        live, new = (
            _scores(writer, examined(school, ground.held_out, writer, adapter, tell=tell))
            for writer, adapter in (
                (school.live, school.adapter),
                (candidate, house.folder_of(trained.manifest.update)),
            )
        )
    return live, new


def _scores(writer: ModelRef, answered: tuple[tuple[Document, tuple[float, ...]], ...]) -> Scores:
    from pipeline.self_edits.edit_sets import practice_probes

    items = tuple(
        ItemScore(item=f"{document.id}/{probe.id}", score=score, group=document.id)
        for document, scores in answered
        for probe, score in zip(practice_probes(document), scores, strict=True)
    )
    return Scores(model=writer, suite=WRITING, items=items)


def nothing_to_practise(shift: Shift, night: Night, ground: "Ground") -> NightOutcome:
    """Ends a practice that has too few documents with questions to practise on some and be judged by others."""
    found = len(ground.practised) + len(ground.held_out)
    sentence = (
        f"{found} documents with practice questions are too few to practise: at least two are needed. "
        "Give a folder, `sealed practice --documents DIR`, or learn some first."
    )
    runs.finish(shift.house.store, shift.lease, night.number, NightState.FAILED, sentence)
    return NightOutcome(ended=Ended.NOTHING_NEW, sentence=sentence, night=night.number)


def nothing_helped(shift: Shift, night: Night) -> NightOutcome:
    """Ends a practice in whose rounds no note taught anything."""
    sentence = "no note of any round taught anything: the writer stays as it is. See the recipe's [practice]"
    runs.finish(shift.house.store, shift.lease, night.number, NightState.FAILED, sentence)
    return NightOutcome(ended=Ended.UNWRITTEN, sentence=sentence, night=night.number)


def _school(shift: Shift, night: Night, ground: "Ground", *, rehearsing: bool = True) -> "School":
    from pipeline.writer_training.outer_loop import School

    house, recipe = shift.house, shift.recipe
    live = releases.get(house.store, night.parent)
    never = never_trained_on(shift) | exam_keys(ground.questions)
    never |= exam_keys(exam_probes((*ground.practised, *ground.held_out)))
    return School(
        base=house.base,
        recipe=recipe,
        live=live.model,
        adapter=house.held_adapter(live),
        scratch=house.settings.adapters,
        afresh=ground.known,
        standing=() if ground.known else _standing(shift),
        rehearsal=_rehearsal(shift, night, never) if rehearsing and recipe.practice.method == "rest-em" else (),
        never=never,
        ledger=documents.ledger_digest(house.store, night),
    )


def _standing(shift: Shift) -> tuple[Probe, ...]:
    """Practice questions of what is learned, of each document in turn."""
    from pipeline.self_edits.edit_sets import practice_probes
    from pipeline.updates.plan import evenly

    taught = [practice_probes(one) for _, found in documents.learned(shift.house.store) for one in found]
    return tuple(evenly(taught, shift.recipe.practice.standing, shift.recipe.seed))


def _rehearsal(shift: Shift, night: Night, never: frozenset[str]) -> tuple[Example, ...]:
    from pipeline.updates.corrections import in_order
    from pipeline.updates.rehearsal import rehearse
    from pipeline.updates.rehearsal_prompts import read_anchors
    from pipeline.writer_training.rest_em import rehearsal_rules

    house, recipe = shift.house, shift.recipe
    live = releases.get(house.store, night.parent)
    return rehearse(
        house.engine,
        recipe=recipe.model_copy(update={"rehearsal": rehearsal_rules(recipe)}),
        live_adapter=house.held_adapter(live),
        night=(),
        earlier=self_edits.learned(house.store),
        documents=in_order(taught for _, taught in documents.learned(house.store)),
        anchors=read_anchors(house.settings.anchors),
        never=never,
        subjects=exam_subjects(house),
        cache=house.settings.cache,
        progress=stage("rehearsing with the teacher"),
    )


def _named(name: str, what: str, done: int, of: int) -> None:
    stage(f"{name}: {what}")(done, of)


def _tell(what: str, done: int, of: int) -> None:
    stage(what)(done, of)
