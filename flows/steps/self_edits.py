"""Lets the live model write its self-edits for the night's documents. What was sampled is stored as it comes."""

import logging

from flows.outcome import Ended, NightOutcome
from flows.progress import stage
from flows.run_context import Shift
from flows.steps.eval_items import never_trained_on, refusals
from flows.steps.evaluation import try_again
from flows.steps.timing import timed
from pipeline.types import DocumentState, IntakeCounts, Night, NightState, SelfEdit
from registry.store import documents, releases, runs, self_edits

log = logging.getLogger("sealed")


def write_self_edits(shift: Shift, night: Night) -> tuple[SelfEdit, ...]:
    """The night's self-edits: those already in the ledger, and the missing ones written now by the live model."""
    from pipeline.self_edits.writer import write_self_edits

    house = shift.house
    runs.move(house.store, shift.lease, night.number, NightState.WRITING)
    live = releases.get(house.store, night.parent)

    def save(edits: tuple[SelfEdit, ...]) -> None:
        self_edits.save(house.store, shift.lease, night.number, edits)

    with timed(shift, night, "self_edits"):
        written = write_self_edits(
            house.writer,
            documents.of(house.store, night.documents),
            shift.recipe.self_edits,
            writer=live.model,
            adapter=house.held_adapter(live),
            seed=shift.recipe.seed,
            already={edit.document for edit in self_edits.of_night(house.store, night.number)},
            never=never_trained_on(shift),
            refusals=refusals(house),
            save=save,
            progress=stage("writing self-edits"),
        )
    for dropped in written.dropped:
        log.info("%s: %d of style %s dropped: %s", dropped.document[:12], dropped.count, dropped.style, dropped.reason)
    return self_edits.of_night(house.store, night.number)


def nothing_written(shift: Shift, night: Night, taken: IntakeCounts) -> NightOutcome:
    """Ends a night whose every note was dropped: its documents wait, until their attempts are used."""
    reason = "no note about it could be used, not even its own text: see the log of the night, or its questions"
    allowed = shift.recipe.documents.max_attempts
    records = [documents.get(shift.house.store, document) for document in night.documents]
    decisions = [try_again(record, reason, allowed) for record in records]
    aside = sum(decision.state is DocumentState.QUARANTINED for decision in decisions)
    sentence = (
        f"none of {len(decisions)} documents gave anything to train on: {len(decisions) - aside} wait to try again, "
        f"{aside} are quarantined"
    )
    runs.finish(shift.house.store, shift.lease, night.number, NightState.FAILED, sentence, decisions)
    return NightOutcome(
        ended=Ended.UNWRITTEN, sentence=sentence, night=night.number, documents=len(decisions),
        refused_documents=taken.refused, mended_documents=taken.mended,
    )  # fmt: skip
