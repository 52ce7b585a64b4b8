"""What MLflow must show of the ledger, and what is said when a person moved it."""

from datetime import UTC, datetime

from pipeline.types import Deployment, ModelRef, Release, ReleaseState, ReviewDecision, ReviewKind, ReviewOutcome
from registry.projection import alias_versions, model_description, outcome_tags
from registry.tracking import MlflowState, MlflowVersion, alias_moves, stale_outcomes

AT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


def release(number: int, state: ReleaseState) -> Release:
    return Release(
        number=number,
        state=state,
        parent=number - 1 if number else None,
        model=ModelRef(base="b" * 64),
        manifest="m",
        update="u",
        proposer="trainer",
        created=AT,
        mlflow_version=str(number) if number else None,
    )


def decided(
    number: int, kind: ReviewKind, version: str, who: str, adopted: bool
) -> tuple[ReviewDecision, ReviewOutcome]:
    decision = ReviewDecision(
        who=who, kind=kind, version=version, release=1, manifest="m", epoch=1, text="t", at=AT, number=number
    )
    return decision, ReviewOutcome(decision=number, adopted=adopted, sentence=f"sentence {number}.", at=AT)


LIVE = (release(0, ReleaseState.SUPERSEDED), release(1, ReleaseState.SUPERSEDED), release(2, ReleaseState.PRODUCTION))
WAITING = (*LIVE, release(3, ReleaseState.CANDIDATE))
NEWEST = Deployment(epoch=2, release=2, actor="ada", reason="approved", at=AT)
BASE = Deployment(epoch=0, release=0, actor="owner", reason="the base model", at=AT)


def shown(production: str, epoch: int = 2, outcome: str | None = None) -> MlflowState:
    versions = [MlflowVersion(version=str(n), state=None, release=(None, None), outcome=outcome) for n in (1, 2, 3)]
    aliases = (("candidate", "3"), ("production", production))
    return MlflowState(aliases=aliases, versions=tuple(versions), epoch=epoch)


def test_the_aliases_name_production_and_the_candidate() -> None:
    assert dict(alias_versions(WAITING, NEWEST)) == {"production": "2", "candidate": "3"}
    assert dict(alias_versions(LIVE, BASE)) == {"production": None, "candidate": None}


def test_the_page_of_the_model_says_what_waits_and_what_is_in_production() -> None:
    said = model_description(WAITING, NEWEST, "sealed")
    assert said.startswith("**Release 3 waits for review: [version 3](#/models/sealed/versions/3).**")
    assert (
        "Release 2 ([version 2](#/models/sealed/versions/2)) is production since 2026-11-02 12:00 UTC, by ada." in said
    )
    said = model_description(LIVE, BASE, "sealed")
    assert said.startswith("No release waits for review.")
    assert "Release 0 (the base model) is production" in said


def test_the_tag_of_the_outcome_is_that_of_the_newest_decision_on_each_version() -> None:
    concluded = [
        decided(1, ReviewKind.APPROVE, "1", "ada", adopted=False),
        decided(2, ReviewKind.APPROVE, "1", "grace", adopted=True),
        decided(3, ReviewKind.REJECT, "2", "ada", adopted=True),
    ]
    tags = {"1": "adopted, approval by grace: sentence 2.", "2": "adopted, rejection by ada: sentence 3."}
    assert dict(outcome_tags(concluded)) == tags
    assert dict(stale_outcomes(shown("2"), concluded)) == tags
    assert dict(stale_outcomes(shown("2", outcome=tags["2"]), concluded)) == {"1": tags["1"]}


def test_an_alias_that_was_moved_by_hand_is_put_back_and_reported_with_who_asked() -> None:
    refused = [decided(1, ReviewKind.ROLLBACK, "1", "linus", adopted=False)]
    (move,) = alias_moves(shown("1"), NEWEST, WAITING, refused)
    assert move.sentence == (
        "linus had set the MLflow alias production to version 1: it names version 2 again, as the ledger says"
    )
    (move,) = alias_moves(shown("1"), NEWEST, WAITING)
    assert move.sentence.startswith("somebody had set")
    (move,) = alias_moves(shown("1", epoch=1), NEWEST, WAITING, refused)
    assert move.sentence == "the MLflow alias production moved from version 1 to version 2"
