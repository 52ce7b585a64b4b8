"""Compares the candidates of each document by the practice questions, and keeps the best. Each choice is stored."""

import logging

from flows.progress import stage
from flows.run_context import Shift
from flows.steps.eval_items import never_trained_on
from flows.steps.timing import timed
from pipeline.self_edits.edit_sets import kept
from pipeline.types import Choice, Night, SelfEdit
from registry.store import documents, releases, self_edits

log = logging.getLogger("sealed")


def choose_candidates(shift: Shift, night: Night, edits: tuple[SelfEdit, ...]) -> tuple[SelfEdit, ...]:
    """The notes that are kept, each with its candidate's reward: all of them where there is one candidate."""
    from pipeline.engines.fitting import fitting
    from pipeline.self_edits.best_of_n import choose_candidates

    house = shift.house
    if not shift.recipe.self_edits.choosing:
        return edits
    live = releases.get(house.store, night.parent)

    def save(choices: tuple[Choice, ...]) -> None:
        self_edits.save_choices(house.store, shift.lease, night.number, choices)

    with timed(shift, night, "choosing"):
        made = choose_candidates(
            house.base,
            documents.of(house.store, night.documents),
            edits,
            shift.recipe,
            live=live.model,
            adapter=house.held_adapter(live),
            already={choice.document for choice in self_edits.choices_of(house.store, night.number)},
            never=never_trained_on(shift),
            fits=fitting(house.engine, shift.recipe.training),
            save=save,
            progress=stage("choosing among candidates"),
        )
    for choice in made:
        log.info("%s: %s", choice.document[:12], choice.sentence)
    return kept(self_edits.of_night(house.store, night.number), self_edits.choices_of(house.store, night.number))
