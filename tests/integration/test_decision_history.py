"""What the ledger keeps of decisions, on real databases: who, what and when; and that nobody rewrites it unnoticed.

The attacker of these tests writes to the database with the triggers dropped, as its owner can, and has no key.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, text, update

from pipeline.errors import BadSignature, ConstraintBroken, LedgerTampered, PolicyError
from pipeline.recipe import CanaryPolicy
from pipeline.types import (
    Deployment,
    DocumentState,
    Identity,
    Outcome,
    ReleaseState,
    ReviewDecision,
    ReviewKind,
    ReviewOutcome,
    Transition,
)
from registry import KeyRing, ReviewRules, columns
from registry.migrations import triggers
from registry.signing import key_id
from registry.store import journal
from registry.tables import deployments, releases
from tests.ledgers import KEYS, NOON, SIGNING, Ledger, person

CANDIDATE, PRODUCTION, REGISTERING = ReleaseState.CANDIDATE, ReleaseState.PRODUCTION, ReleaseState.REGISTERING
TWO = ReviewRules(approvers=2)
CHAINED = ("approvals", "history")


def disarm(ledger: Ledger) -> None:
    """Drops every trigger that keeps the tables of decisions append-only."""
    with ledger.database.write() as connection:
        if connection.dialect.name == "postgresql":
            for table in (*CHAINED, "deployments"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            return
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name}"))


def write(ledger: Ledger, *statements: str) -> None:
    with ledger.database.write() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_every_move_is_a_row_with_actor_reason_and_epoch(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.rollback(0)
    found = [(s.before, s.after, s.by.name, s.reason, s.epoch) for s in ledger.releases.history(1)]
    assert found == [
        (None, REGISTERING, "sealed", "run 1 registers it", 0),
        (REGISTERING, CANDIDATE, "sealed", "its gates passed", 0),
        (CANDIDATE, PRODUCTION, "ada", "approved", 1),
        (PRODUCTION, ReleaseState.ROLLED_BACK, "grace", "rolled back by grace: it answers badly", 2),
    ]
    base = [(s.before, s.after, s.reason, s.epoch) for s in ledger.releases.history(0)]
    assert base == [
        (None, PRODUCTION, "the base model", 0),
        (PRODUCTION, ReleaseState.SUPERSEDED, "release 1 followed", 1),
        (ReleaseState.SUPERSEDED, PRODUCTION, "it answers badly", 2),
    ]
    assert ledger.deployments.expect_unbroken(KEYS) == 8


def test_stale_void_and_rejected_releases_have_their_rows_too(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    ledger.candidate("borea")
    ledger.promote(1)
    assert [s.after for s in ledger.releases.history(2)] == [REGISTERING, CANDIDATE, ReleaseState.STALE]
    old = ledger.candidate("cinder")
    ledger.deployments.expire(approval_days=7.0, at=old.created + timedelta(days=8))
    assert ledger.releases.history(3)[-1].after is ReleaseState.VOID
    assert "days ago" in ledger.releases.history(3)[-1].reason
    ledger.candidate()
    ledger.reject(4, reason="names a customer")
    assert ledger.releases.history(4)[-1].reason == "rejected by ada: names a customer"
    ledger.deployments.expect_unbroken(KEYS)


def test_what_is_recorded_is_the_name_and_the_account_and_what_proves_it(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    deployment = ledger.promote(1, "ada")
    (approval,) = ledger.releases.approvals(1)
    for record in (approval, deployment, ledger.releases.history(1)[-1]):
        assert record.by == person("ada")
        assert record.by.shown == "ada (account tester, unproven)"
    assert approval.statement is not None


@pytest.mark.parametrize("table", ["approvals", "history", "deployments"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET actor = 'mallory'", "DELETE FROM {}", "REPLACE"])
def test_the_database_refuses_to_rewrite_what_was_decided(ledger: Ledger, table: str, verb: str) -> None:
    ledger.release("atlas")
    if verb == "REPLACE":
        sqlite = ledger.database.engine.dialect.name == "sqlite"
        verb = "INSERT OR REPLACE INTO {0} SELECT * FROM {0} LIMIT 1" if sqlite else "TRUNCATE {} CASCADE"
    with pytest.raises(ConstraintBroken, match=r"append-only|is the next one"):
        write(ledger, verb.format(table))
    ledger.deployments.expect_unbroken(KEYS)


def fill_every_table(ledger: Ledger) -> None:
    """At least one row in each table that is only ever added to."""
    ledger.promote(ledger.candidate("atlas").number, canary=CanaryPolicy(enabled=True))
    (learned,) = ledger.documents.listed(DocumentState.LEARNED)
    ledger.withdrawals.withdraw([learned.id], actor="ada", reason="gone")
    ledger.canaries.record([Outcome(epoch=1, key="ada", at=NOON, canary_failed=True)])
    decision = ledger.review_decisions.record(
        ReviewDecision(
            who="ada", kind=ReviewKind.REJECT, version="1", release=1, manifest="m", epoch=1, text="no", at=NOON
        ),
        SIGNING,
    )
    outcome = ReviewOutcome(decision=decision.number, adopted=False, sentence="no", at=NOON)
    assert ledger.review_decisions.conclude(outcome)


@pytest.mark.parametrize("table", triggers.APPEND_ONLY)
def test_no_row_takes_the_place_of_another(ledger: Ledger, table: str) -> None:
    fill_every_table(ledger)
    sqlite = ledger.database.engine.dialect.name == "sqlite"
    attack = "INSERT OR REPLACE INTO {0} SELECT * FROM {0} LIMIT 1" if sqlite else "TRUNCATE {} CASCADE"
    with pytest.raises(ConstraintBroken, match=r"append-only|is the next one"):
        write(ledger, attack.format(table))


def test_a_grade_is_not_exchanged_under_another_number(ledger: Ledger) -> None:
    fill_every_table(ledger)
    verb = "INSERT OR REPLACE" if ledger.database.engine.dialect.name == "sqlite" else "INSERT"
    columns = "id, epoch, counts_as, key, source, canary_failed, stable_failed, at"
    again = "SELECT id + 1, epoch, counts_as, key, source, NULL, NOT canary_failed, at FROM outcomes"
    with pytest.raises(ConstraintBroken, match=r"append-only|counts_once"):
        write(ledger, f"{verb} INTO outcomes ({columns}) {again}")


def test_a_forged_approval_row_is_noticed(ledger: Ledger) -> None:
    """Mallory approves release 2 in the database: the row follows the last one, but no trusted key signed it."""
    ledger.release("atlas")
    ledger.candidate("borea")
    disarm(ledger)
    forged = replace(ledger.approve(2, "grace"), identity=Identity.SIGNED_IN)
    with ledger.database.write() as connection:
        journal.add_approval(connection, forged, None)
    with pytest.raises(LedgerTampered, match="row 2 of the approvals grants something and nobody signed it"):
        ledger.deployments.expect_unbroken(KEYS)
    with pytest.raises(LedgerTampered, match="row 2 of the approvals"):
        ledger.promote(2)
    # Nor does another decision, signed on top of it, make it look like one that was checked.
    with pytest.raises(LedgerTampered, match="row 2 of the approvals"):
        ledger.reject(2)
    assert ledger.releases.production().number == 1


def test_an_approval_that_the_attackers_own_key_signed_is_noticed(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    mallory = Ed25519PrivateKey.generate()
    ring = KeyRing(trusted={key_id(mallory.public_key()): mallory.public_key()}, own=mallory)
    ledger.promote(1, keys=ring)
    ledger.deployments.expect_unbroken(ring)
    with pytest.raises(LedgerTampered, match="which is not trusted here"):
        ledger.deployments.expect_unbroken(KEYS)
    release = ledger.releases.get(1)
    with pytest.raises(BadSignature, match="which is not trusted here"):
        ledger.deployments.expect_signed(release, ledger.manifest(release), KEYS)


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("UPDATE approvals SET actor = 'grace' WHERE id = 1", "row 1 of the approvals was altered"),
        ("UPDATE approvals SET identity = 'signed-in' WHERE id = 1", "row 1 of the approvals was altered"),
        ("UPDATE approvals SET note = 'seen' WHERE id = 2", "row 2 of the approvals was altered"),
        ("DELETE FROM approvals WHERE id = 1", "row 1 of the approvals was removed"),
        ("UPDATE history SET reason = 'fine' WHERE id = 3", "row 3 of the history was altered"),
        ("DELETE FROM history WHERE id = 4", "row 4 of the history was removed"),
        (
            "UPDATE deployments SET actor = 'grace' WHERE epoch = 1",
            "deployment 1 of release 1 is not that of the history",
        ),
        ("DELETE FROM deployments WHERE epoch = 2", "there are 2 deployments, and the history of releases has 3"),
        (
            "UPDATE releases SET state = 'rejected' WHERE number = 3",
            "release 3 is rejected, and its history ends in cand",
        ),
        ("UPDATE releases SET manifest = 'f' WHERE number = 1", "without an approval of its adapter"),
    ],
)
def test_a_ledger_that_other_hands_changed_is_noticed_and_nothing_is_promoted(
    ledger: Ledger, attack: str, words: str
) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    ledger.candidate("cinder")
    approval = ledger.approve(3)
    disarm(ledger)
    write(ledger, attack)
    with pytest.raises(LedgerTampered, match=words):
        ledger.deployments.expect_unbroken(KEYS)
    with pytest.raises(LedgerTampered, match="Put the ledger's backup back"):
        ledger.record(approval)
    with pytest.raises(LedgerTampered):
        ledger.rollback()


def test_an_approval_cut_off_at_the_end_is_noticed(ledger: Ledger) -> None:
    ledger.release("atlas")
    disarm(ledger)
    write(ledger, "DELETE FROM approvals")
    with pytest.raises(LedgerTampered, match="release 1 became production at epoch 1 without an approval"):
        ledger.deployments.expect_unbroken(KEYS)


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("UPDATE reports SET body = replace(body, 'acquisition', 'acquisitiom')", "report"),
        ("UPDATE approvals SET statement = replace(statement, 'sealed/release/1', 'sealed/release/2')", "was altered"),
        ("UPDATE approvals SET actor = 'ada' WHERE id = 2", "was altered"),
        ("UPDATE approvals SET approved = false", "nobody approved it"),
    ],
)
def test_a_release_whose_ledger_rows_changed_is_not_loaded(ledger: Ledger, attack: str, words: str) -> None:
    ledger.candidate("atlas")
    ledger.record(ledger.approve(1, "ada"), rules=TWO)
    ledger.promote(1, "grace", rules=TWO)
    disarm(ledger)
    if ledger.database.engine.dialect.name == "postgresql":
        attack = attack.replace("(body,", "(body::text,").replace("(statement,", "(statement::text,")
        attack = attack.replace("'acquisitiom')", "'acquisitiom')::json").replace("release/2')", "release/2')::json")
    write(ledger, attack)
    release = ledger.releases.get(1)
    with pytest.raises((BadSignature, LedgerTampered), match=words):
        ledger.deployments.expect_signed(release, ledger.manifest(release), KEYS)


def test_a_release_with_one_of_two_approvals_is_not_loaded_even_if_the_ledger_calls_it_production(
    ledger: Ledger,
) -> None:
    ledger.candidate("atlas")
    assert ledger.record(ledger.approve(1, "ada"), rules=TWO) is None
    candidate = ledger.releases.get(1)
    with pytest.raises(PolicyError, match="release 1 is candidate and was never production: only the gates load"):
        ledger.deployments.expect_signed(candidate, ledger.manifest(candidate), KEYS)
    write(ledger, "UPDATE releases SET state = 'superseded' WHERE number = 0")
    write(ledger, "UPDATE releases SET state = 'production' WHERE number = 1")
    with pytest.raises(BadSignature, match="2 people must sign it, and fewer did"):
        ledger.deployments.expect_signed(candidate, ledger.manifest(candidate), KEYS)
    with pytest.raises(LedgerTampered):
        ledger.deployments.expect_unbroken(KEYS)


def test_a_release_that_was_rolled_back_is_not_loaded_by_rows_that_need_no_signature(ledger: Ledger) -> None:
    ledger.release("atlas")
    fallen, forged_at = ledger.releases.get(1), NOON + timedelta(days=1)
    ledger.rollback(0)
    back = Transition(
        release=1, before=ReleaseState.ROLLED_BACK, after=PRODUCTION, actor="eve", reason="", epoch=3, at=forged_at
    )
    # What anybody who may write to the tables can do: each row has the next number, and no trigger is dropped.
    with ledger.database.write() as connection:
        for number, state in ((0, ReleaseState.SUPERSEDED), (1, PRODUCTION)):
            connection.execute(update(releases).where(releases.c.number == number).values(state=state))
        forged = Deployment(epoch=3, release=1, actor="eve", reason="", at=forged_at)
        connection.execute(insert(deployments).values(columns.fields_of(forged)))
        journal.add_transition(connection, replace(back, release=0, before=PRODUCTION, after=ReleaseState.SUPERSEDED))
        journal.add_transition(connection, back)
    assert ledger.releases.production().number == 1
    with pytest.raises(LedgerTampered, match="release 1 went from rolled_back to production, and nothing leads there"):
        ledger.deployments.expect_signed(ledger.releases.get(1), ledger.manifest(fallen), KEYS)


def test_a_release_that_is_given_to_another_proposer_is_not_approved(ledger: Ledger) -> None:
    ledger.candidate("atlas")
    write(ledger, "UPDATE releases SET proposer = 'nobody' WHERE number = 1")
    with pytest.raises(LedgerTampered, match="release 1 is said to be of nobody, and its history of sealed"):
        ledger.record(ledger.approve(1, "sealed"))


def test_a_signature_does_not_carry_over_to_another_release(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.candidate("borea")
    other = ledger.releases.get(2)
    disarm(ledger)
    write(ledger, "UPDATE releases SET state = 'superseded' WHERE number = 1")
    write(ledger, "UPDATE releases SET state = 'production' WHERE number = 2")
    with pytest.raises(BadSignature, match="nobody approved it"):
        ledger.deployments.expect_signed(other, ledger.manifest(other), KEYS)
    swapped = ledger.releases.get(1)
    with pytest.raises(BadSignature, match="the adapter on disk is not that of release 1"):
        ledger.deployments.expect_signed(swapped, ledger.manifest(other), KEYS)


def test_on_call_without_a_key_rolls_back_and_the_next_decision_vouches_for_it(ledger: Ledger) -> None:
    ledger.release("atlas")
    ledger.release("borea")
    keyless = replace(ledger.context, keys=KeyRing(trusted=KEYS.trusted))
    ledger.deployments.rollback(None, actor=person("grace"), reason="bad", context=keyless)
    assert ledger.releases.production().number == 1
    ledger.deployments.expect_unbroken(KEYS)
    with pytest.raises(PolicyError, match="`sealed keys new`"):
        ledger.record(ledger.approve(ledger.candidate("cinder").number), keys=keyless.keys)
    ledger.promote(3)
    ledger.deployments.expect_unbroken(KEYS)
