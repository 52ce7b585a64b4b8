"""What can happen to a release in each of its states: every pair of state and event, legal or not."""

import pytest

from pipeline.types import ReleaseState
from registry import lifecycle
from registry.lifecycle import TRANSITIONS, Event, Move

REGISTERING, CANDIDATE, PRODUCTION = ReleaseState.REGISTERING, ReleaseState.CANDIDATE, ReleaseState.PRODUCTION
SUPERSEDED, REJECTED, ROLLED_BACK = ReleaseState.SUPERSEDED, ReleaseState.REJECTED, ReleaseState.ROLLED_BACK
STALE, VOID = ReleaseState.STALE, ReleaseState.VOID

LEGAL = {
    (REGISTERING, Event.RECORDED): CANDIDATE,
    (REGISTERING, Event.GIVEN_UP): VOID,
    (REGISTERING, Event.OUTDATED): STALE,
    (CANDIDATE, Event.APPROVED): PRODUCTION,
    (CANDIDATE, Event.REJECTED): REJECTED,
    (CANDIDATE, Event.EXPIRED): VOID,
    (CANDIDATE, Event.OUTDATED): STALE,
    (PRODUCTION, Event.FOLLOWED): SUPERSEDED,
    (PRODUCTION, Event.ROLLED_BACK): ROLLED_BACK,
    (SUPERSEDED, Event.RESTORED): PRODUCTION,
    (SUPERSEDED, Event.ROLLED_BACK): ROLLED_BACK,
}
PAIRS = [(state, event) for state in ReleaseState for event in Event]


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=lambda one: one.name)
def test_every_event_in_every_state_leads_on_or_is_refused_in_a_sentence(state: ReleaseState, event: Event) -> None:
    objection = lifecycle.against_event(7, state, event)
    if (state, event) in LEGAL:
        assert objection is None
        assert Move(release=7, event=event, reason="").state is LEGAL[state, event]
    else:
        shown = state.value.replace("_", " ")
        assert objection is not None
        assert objection.startswith(f"release 7 is {shown}: only one that is ")
        assert objection.endswith(f"can be {event}")


def test_every_event_is_in_the_table_and_every_state_but_the_first_is_reached() -> None:
    assert set(TRANSITIONS) == set(Event)
    assert {after for _, after in TRANSITIONS.values()} == set(ReleaseState) - {REGISTERING}


@pytest.mark.parametrize("state", [REJECTED, ROLLED_BACK, STALE, VOID])
def test_nothing_brings_an_ended_release_back(state: ReleaseState) -> None:
    assert [event for event in Event if lifecycle.against_event(7, state, event) is None] == []
