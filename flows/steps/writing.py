"""Lets the live model write its self-edits for the night's documents. What was sampled is stored as it comes."""

import logging

from flows.progress import stage
from flows.shift import Shift
from flows.steps.probes import exam_questions
from flows.steps.timing import timed
from pipeline.types import Night, NightState, SelfEdit
from registry.store import documents, nights, releases, self_edits

log = logging.getLogger("sealed")


def write_self_edits(shift: Shift, night: Night) -> tuple[SelfEdit, ...]:
    """The night's self-edits: those already in the ledger, and the missing ones written now by the live model."""
    from pipeline.self_edits.writer import write_self_edits

    house = shift.house
    nights.move(house.store, shift.lease, night.number, NightState.WRITING)
    live = releases.production(house.store)

    def save(edits: tuple[SelfEdit, ...]) -> None:
        self_edits.save(house.store, shift.lease, night.number, edits)

    with timed(shift, night, "self_edits"):
        written = write_self_edits(
            house.engine,
            documents.of(house.store, night.documents),
            house.recipe.self_edits,
            writer=live.model,
            adapter=house.adapter_folder(live),
            seed=house.recipe.seed,
            already={edit.document for edit in self_edits.of_night(house.store, night.number)},
            exam_questions=exam_questions(house),
            save=save,
            progress=stage("writing self-edits"),
        )
    for dropped in written.dropped:
        log.info("%s: %d of style %s dropped: %s", dropped.document[:12], dropped.count, dropped.style, dropped.reason)
    return self_edits.of_night(house.store, night.number)
