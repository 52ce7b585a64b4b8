"""A row of decisions that MLflow's server did not sign, exactly so, never takes effect.

The attacker of these tests, as a trainer who was taken over, owns the database. They have no key that is trusted.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, text, update

from flows.services import adoption, diagnosis
from flows.wiring import Workspace
from pipeline.errors import BadSignature, LedgerTampered
from pipeline.types import ReleaseState, ReviewDecision, ReviewKind
from registry import KeyRing, ReviewRules, columns
from registry.chain import START, seal
from registry.review_tables import review_decisions, review_outcomes
from registry.signing import key_id
from registry.store import journal
from tests.decisions import adopting, decide_by, decided, only, taken
from tests.ledgers import KEYS, SIGNING, Ledger

PLUGIN, MALLORY = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
# As in a team: who adopts holds the key of releases, and trusts the server's over decisions alone.
TEAM = KeyRing(trusted=KEYS.trusted, own=SIGNING, decisions={key_id(PLUGIN.public_key()): PLUGIN.public_key()})


@pytest.fixture
def team(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    made = adopting(ledger, tmp_path, monkeypatch)
    decide_by(monkeypatch, replace(ledger.context, keys=TEAM, rules=ReviewRules(signed_in=True)))
    monkeypatch.setattr(Workspace, "keys", property(lambda _: TEAM))
    return made


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: what is checked here is no matter of the database."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def disarm(ledger: Ledger) -> None:
    """Drops what keeps the tables append-only, as the database's owner can."""
    with ledger.database.write() as connection:
        for name in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all():
            connection.execute(text(f"DROP TRIGGER {name}"))


def planted(ledger: Ledger, decision: ReviewDecision, own: Ed25519PrivateKey | None) -> None:
    """Inserts a decision whose digest fits, signed with `own` if there is one."""
    with ledger.database.write() as connection:
        place, previous = journal._end(connection, review_decisions)
        made = replace(decision, number=place)
        sealed = seal("review_decisions", place, journal._content(made), previous, own)
        connection.execute(insert(review_decisions).values({**columns.fields_of(made), **columns.fields_of(sealed)}))


def refused(ledger: Ledger, team: Workspace, words: str) -> None:
    """The one decision that waits is refused with these words, for good, and nothing moved."""
    before = ledger.deployments.listed()
    outcome = only(adoption.adopt(team))
    assert not outcome.adopted
    assert words in outcome.sentence
    assert "It takes no effect" in outcome.sentence
    assert ledger.deployments.listed() == before
    assert adoption.adopt(team) == adoption.Adopted()
    assert ledger.review_decisions.concluded()[-1][1] == outcome


def forged_row_is_named(team: Workspace, words: str) -> None:
    found = diagnosis._finding("decisions", diagnosis._decisions, team)
    assert not found.ok
    assert words in found.sentence


def test_what_the_server_signed_is_adopted(ledger: Ledger, team: Workspace) -> None:
    ledger.review_decisions.record(taken(ledger, ledger.candidate("atlas")), PLUGIN)
    assert only(adoption.adopt(team)).adopted
    assert ledger.releases.production().number == 1
    assert "and 1 of decisions in MLflow, signed by trusted keys (2)" in diagnosis._decisions(team)


@pytest.mark.parametrize(
    ("own", "words"),
    [(None, "nobody signed it: it was inserted or altered"), (MALLORY, "which is not trusted here")],
    ids=["unsigned", "signed with a key of the attacker's"],
)
@pytest.mark.parametrize("kind", list(ReviewKind))
def test_a_trainer_who_inserts_a_decision_decides_nothing(
    ledger: Ledger, team: Workspace, kind: ReviewKind, own: Ed25519PrivateKey | None, words: str
) -> None:
    if kind is ReviewKind.ROLLBACK:
        ledger.release("atlas")
        ledger.release("borea")
    target = ledger.releases.get(1) if kind is ReviewKind.ROLLBACK else ledger.candidate("cinder")
    planted(ledger, taken(ledger, target, kind), own)
    refused(ledger, team, words)
    assert ledger.releases.get(target.number).state is target.state
    forged_row_is_named(team, "row 1 of the review_decisions")


def test_a_forged_row_is_named_also_after_the_server_signed_the_next_one(ledger: Ledger, team: Workspace) -> None:
    waiting = ledger.candidate("atlas")
    planted(ledger, taken(ledger, waiting, who="grace"), None)
    ledger.review_decisions.record(taken(ledger, waiting), PLUGIN)
    assert [outcome.adopted for outcome in adoption.adopt(team).outcomes] == [False, True]
    assert [one.actor for one in ledger.releases.approvals(1)] == ["ada"]
    forged_row_is_named(team, "row 1 of the review_decisions grants something and nobody signed it")


@pytest.mark.parametrize(
    "change",
    [
        {"who": "grace"},
        {"kind": ReviewKind.APPROVE},
        {"text": "approved"},
        {"epoch": 1},
        {"release": 2, "manifest": "f" * 64},
        {"version": "7"},
    ],
    ids=", ".join,
)
def test_a_signed_decision_that_is_altered_takes_no_effect(
    ledger: Ledger, team: Workspace, change: dict[str, object]
) -> None:
    """Its digest is made anew, so only the signature tells."""
    ledger.release("atlas")
    waiting = ledger.candidate("borea")
    honest = ledger.review_decisions.record(taken(ledger, waiting, ReviewKind.REJECT, epoch=0), PLUGIN)
    disarm(ledger)
    content = journal._content(replace(honest, **change))  # type: ignore[arg-type]
    values = change | {"digest": seal("review_decisions", 1, content, START, None).digest}
    with ledger.database.write() as connection:
        connection.execute(update(review_decisions).values(values))
    refused(ledger, team, "the signature by the key")
    assert ledger.releases.get(2).state is ReleaseState.CANDIDATE
    forged_row_is_named(team, "row 1 of the review_decisions was")


def test_an_old_decision_that_is_dated_anew_takes_no_effect(ledger: Ledger, team: Workspace) -> None:
    waiting = ledger.candidate("atlas")
    old = taken(ledger, waiting)
    ledger.review_decisions.record(replace(old, at=old.at - timedelta(days=8)), PLUGIN)
    disarm(ledger)
    with ledger.database.write() as connection:
        connection.execute(update(review_decisions).values(at=old.at))
    refused(ledger, team, "was altered after it was written")


def test_a_signed_decision_that_is_used_again_under_the_next_number_takes_no_effect(
    ledger: Ledger, team: Workspace
) -> None:
    """A refused approval, over a byte that changed, is tried again once the byte is back."""
    waiting = ledger.candidate("atlas")
    ledger.review_decisions.record(taken(ledger, waiting, manifest="f" * 64), PLUGIN)
    assert not only(adoption.adopt(team)).adopted
    disarm(ledger)
    with ledger.database.write() as connection:
        row = dict(connection.execute(text("SELECT * FROM review_decisions")).mappings().one())
        names = ", ".join(f'"{name}"' for name in row)
        connection.execute(
            text(f"INSERT INTO review_decisions ({names}) VALUES ({', '.join(f':{name}' for name in row)})"),
            row | {"number": 2, "digest": "d" * 64},
        )
    refused(ledger, team, "was altered after it was written")


def test_a_signed_decision_moved_to_another_release_takes_no_effect(ledger: Ledger, team: Workspace) -> None:
    """The approval of a release that was rejected since is put under the next candidate, manifest and all."""
    first = ledger.candidate("atlas")
    approval = ledger.review_decisions.record(taken(ledger, first), PLUGIN)
    ledger.reject(first.number)
    second = ledger.candidate("borea")
    disarm(ledger)
    moved = replace(approval, release=second.number, version="2", manifest=second.manifest)
    sealed = seal("review_decisions", 1, journal._content(moved), START, None)
    values = columns.fields_of(moved) | {"digest": sealed.digest}
    with ledger.database.write() as connection:
        connection.execute(update(review_decisions).values(values))
    refused(ledger, team, "the signature by the key")


def test_a_decision_that_is_removed_is_missed(ledger: Ledger, team: Workspace) -> None:
    """Somebody hides a rejection before it is adopted; the approval after it stands on it."""
    waiting = ledger.candidate("atlas")
    ledger.review_decisions.record(taken(ledger, waiting, ReviewKind.REJECT, "grace"), PLUGIN)
    ledger.review_decisions.record(taken(ledger, waiting), PLUGIN)
    disarm(ledger)
    with ledger.database.write() as connection:
        connection.execute(text("DELETE FROM review_decisions WHERE number = 1"))
    forged_row_is_named(team, "row 1 of the review_decisions was removed")


def test_a_decision_that_took_effect_takes_none_again_where_its_outcome_is_removed(
    ledger: Ledger, team: Workspace
) -> None:
    ledger.review_decisions.record(taken(ledger, ledger.candidate("atlas")), PLUGIN)
    adoption.adopt(team)
    ledger.rollback(0)
    disarm(ledger)
    with ledger.database.write() as connection:
        connection.execute(review_outcomes.delete())
    before = ledger.deployments.listed()
    assert only(adoption.adopt(team)).adopted  # so it was, at its own time
    assert ledger.deployments.listed() == before


def test_the_servers_key_signs_no_release(ledger: Ledger) -> None:
    """Whoever takes the server over forges decisions, which others adopt and sign, and no approval by its own."""
    ledger.candidate("atlas")
    ledger.record(ledger.approve(1), keys=KeyRing(trusted=TEAM.over_decisions.trusted, own=PLUGIN))
    release = ledger.releases.get(1)
    with pytest.raises(BadSignature, match="which is not trusted here"):
        ledger.deployments.expect_signed(release, ledger.manifest(release), TEAM)
    with pytest.raises(LedgerTampered, match="which is not trusted here"):
        ledger.deployments.expect_unbroken(TEAM)


def test_a_decisions_signature_is_none_over_an_approval(ledger: Ledger) -> None:
    """Both are canonical JSON: the kind, which is signed as well, keeps them apart."""
    made = decided(ledger, ledger.candidate("atlas"))
    content = journal._content(made)
    kinds = {seal(name, 1, content, START, SIGNING).digest for name in ("review_decisions", "approvals", "history")}
    assert len(kinds) == 3
