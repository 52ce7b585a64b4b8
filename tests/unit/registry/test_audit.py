"""Whether tables tell one story: what a chain of digests cannot see, such as rows cut off at the end."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline.types import Approval, Deployment, ModelRef, Release, ReleaseState, Transition
from registry.audit import Record, against_record
from tests.ledgers import NOON

CANDIDATE, PRODUCTION, SUPERSEDED = ReleaseState.CANDIDATE, ReleaseState.PRODUCTION, ReleaseState.SUPERSEDED
REGISTERING, ROLLED_BACK = ReleaseState.REGISTERING, ReleaseState.ROLLED_BACK


def release(number: int, state: ReleaseState) -> Release:
    return Release(
        number=number,
        state=state,
        parent=None if not number else 0,
        model=ModelRef(base="b"),
        manifest=f"m{number}",
        update="u",
        proposer="ada",
        created=NOON,
    )


def step(number: int, before: ReleaseState | None, after: ReleaseState, epoch: int = 1) -> Transition:
    return Transition(release=number, before=before, after=after, actor="ada", reason="", epoch=epoch, at=NOON)


RECORD = Record(
    releases=(release(0, SUPERSEDED), release(1, PRODUCTION)),
    deployments=tuple(Deployment(epoch=one, release=one, actor="ada", reason="", at=NOON) for one in (0, 1)),
    approvals=(Approval(release=1, manifest="m1", approved=True, actor="ada", note="", epoch=0, at=NOON),),
    history=(
        step(0, None, PRODUCTION, epoch=0),
        step(1, None, REGISTERING, epoch=0),
        step(1, REGISTERING, CANDIDATE, epoch=0),
        step(0, PRODUCTION, SUPERSEDED),
        step(1, CANDIDATE, PRODUCTION),
    ),
)


def test_a_ledger_that_nobody_touched_tells_one_story() -> None:
    assert against_record(RECORD) is None


def test_a_release_that_was_rolled_back_does_not_return_by_rows_of_its_own() -> None:
    # Nothing of this grants anything, so nothing of it need be signed: only the lifecycle is against it.
    fallen = (step(1, PRODUCTION, ROLLED_BACK, epoch=2), step(0, SUPERSEDED, PRODUCTION, epoch=2))
    returned = (step(0, PRODUCTION, SUPERSEDED, epoch=3), step(1, ROLLED_BACK, PRODUCTION, epoch=3))
    deployed = [replace(RECORD.deployments[0], epoch=epoch, release=one) for epoch, one in ((2, 0), (3, 1))]
    rolled_back = replace(
        RECORD,
        releases=(release(0, PRODUCTION), release(1, ROLLED_BACK)),
        deployments=(*RECORD.deployments, deployed[0]),
        history=(*RECORD.history, *fallen),
    )
    assert against_record(rolled_back) is None
    forged = replace(
        RECORD, deployments=(*RECORD.deployments, *deployed), history=(*RECORD.history, *fallen, *returned)
    )
    assert against_record(forged) == "release 1 went from rolled_back to production, and nothing leads there"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"history": RECORD.history[:-1]}, "release 1 is production, and its history ends in candidate"),
        ({"releases": (release(0, PRODUCTION), release(1, SUPERSEDED))}, "release 0 is production, and its history"),
        (
            {"releases": (*RECORD.releases, release(2, CANDIDATE))},
            "release 2 is candidate, and its history ends in None",
        ),
        ({"history": (RECORD.history[0], *RECORD.history[2:])}, "goes on from registering after it ended in None"),
        ({"history": (RECORD.history[0], *RECORD.history[3:])}, "goes on from candidate after it ended in None"),
        (
            {"history": (RECORD.history[0], step(1, None, CANDIDATE, epoch=0), *RECORD.history[3:])},
            "the history of release 1 begins with candidate",
        ),
        (
            {"releases": (RECORD.releases[0], replace(RECORD.releases[1], proposer="mallory"))},
            "release 1 is said to be of mallory, and its history of ada",
        ),
        (
            {"releases": (RECORD.releases[0], replace(RECORD.releases[1], created=NOON + timedelta(days=9)))},
            "release 1 is said to be of ada",
        ),
        ({"deployments": RECORD.deployments[:1]}, "there are 1 deployments, and the history of releases has 2"),
        (
            {"deployments": (RECORD.deployments[0], replace(RECORD.deployments[1], actor="mallory"))},
            "deployment 1 of release 1 is not that of the history",
        ),
        ({"approvals": ()}, "release 1 became production at epoch 1 without an approval of its adapter"),
        ({"approvals": (replace(RECORD.approvals[0], manifest="m0"),)}, "without an approval of its adapter"),
        ({"approvals": (replace(RECORD.approvals[0], epoch=1),)}, "without an approval of its adapter"),
        ({"approvals": (replace(RECORD.approvals[0], approved=False),)}, "without an approval of its adapter"),
    ],
)
def test_tables_that_contradict_each_other_are_named(changed: dict[str, Any], words: str) -> None:
    assert words in str(against_record(replace(RECORD, **changed)))
