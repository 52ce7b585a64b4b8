"""Who may change what in MLflow's registry: every action by every role, and the sentence of each refusal."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.types import Deployment, ModelRef, Release, ReleaseState, ReviewDecision, ReviewKind, ReviewOutcome
from registry.mlflow.app.requests import Action, RegistryRequest
from registry.mlflow.app.roles import Roles
from registry.mlflow.app.rules import Allow, Record, Refuse, Ruling, decide
from registry.mlflow.app.view import LedgerView
from registry.projection import NEW_MODEL, model_description

AT = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
ROLES = Roles(
    reviewers=frozenset({"ada", "grace@example.com", "proposer", "linus"}),
    on_call=frozenset({"linus"}),
    trainers=frozenset({"trainer"}),
)
PEOPLE = ("ada", "linus", "trainer", "admin", "nobody-known")


def release(number: int, state: ReleaseState, version: str | None, proposer: str = "proposer") -> Release:
    return Release(
        number=number,
        state=state,
        parent=number - 1 if number else None,
        model=ModelRef(base="b" * 64, adapter="a" * 64 if number else None),
        manifest=f"manifest-{number}" if number else "",
        update=f"update-{number}",
        proposer=proposer,
        created=AT,
        mlflow_version=version,
    )


RELEASES = (
    release(0, ReleaseState.SUPERSEDED, None),
    release(1, ReleaseState.SUPERSEDED, "1"),
    release(2, ReleaseState.PRODUCTION, "2"),
    release(3, ReleaseState.CANDIDATE, "3"),
    release(4, ReleaseState.REGISTERING, None),
    release(5, ReleaseState.ROLLED_BACK, "5"),
)
HISTORY = tuple(Deployment(epoch=n, release=n, actor="ada", reason="approved", at=AT) for n in range(3))
ADOPTED = (
    ReviewDecision(
        who="ada",
        kind=ReviewKind.APPROVE,
        version="2",
        release=2,
        manifest="manifest-2",
        epoch=1,
        text="approved",
        at=AT,
    ),
    ReviewOutcome(decision=1, adopted=True, sentence="release 2 is approved.", at=AT),
)
LEDGER = LedgerView(model="sealed", releases=RELEASES, history=HISTORY, concluded=(ADOPTED,))


def tag(key: str, value: str, version: str = "3") -> RegistryRequest:
    return RegistryRequest(action=Action.TAG_VERSION, model="sealed", version=version, key=key, value=value)


def alias(version: str, name: str = "production") -> RegistryRequest:
    return RegistryRequest(action=Action.SET_ALIAS, model="sealed", version=version, alias=name)


def ruled(request: RegistryRequest, who: str, ledger: LedgerView = LEDGER) -> Ruling:
    return decide(request, who, ROLES, ledger, AT)


def sentence(request: RegistryRequest, who: str, ledger: LedgerView = LEDGER) -> str:
    ruling = ruled(request, who, ledger)
    assert isinstance(ruling, Refuse), ruling
    return ruling.sentence


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("action", list(Action))
def test_no_action_with_made_up_values_is_open_to_anybody(action: Action, who: str) -> None:
    request = RegistryRequest(
        action=action, model="sealed", version="3", key="k", value="v", alias="champion", description="d"
    )
    said = sentence(request, who)
    assert said.startswith(f"{who} may not {action}")
    assert said.endswith(".")


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("action", list(Action))
def test_no_action_on_another_model_is_open_to_anybody(action: Action, who: str) -> None:
    assert isinstance(ruled(RegistryRequest(action=action, model="other", version="3"), who), Refuse)


def test_an_approval_is_recorded_over_the_manifest_and_the_epoch_that_the_reviewer_saw() -> None:
    assert ruled(tag("review.ada", " approved "), "ada") == Record(
        ReviewDecision(
            who="ada",
            kind=ReviewKind.APPROVE,
            version="3",
            release=3,
            manifest="manifest-3",
            epoch=2,
            text="approved",
            at=AT,
        )
    )


def test_a_rejection_is_recorded_with_its_reason() -> None:
    ruling = ruled(tag("review.ada", "rejected: it forgot the rota "), "ada")
    assert isinstance(ruling, Record)
    assert (ruling.decision.kind, ruling.decision.text) == (ReviewKind.REJECT, "it forgot the rota")


def test_the_tag_of_a_name_with_an_at_sign_has_an_underscore() -> None:
    assert isinstance(ruled(tag("review.grace_example.com", "approved"), "grace@example.com"), Record)
    assert "their own, review.grace_example.com" in sentence(tag("review.ada", "approved"), "grace@example.com")


NEITHER = ["", "yes", "Approved", "approved: fine", "rejected", "rejected:", "rejected:  ", "rejected: approved"]


@pytest.mark.parametrize("value", [*NEITHER, "rejected: " + "x" * 2001])
def test_a_review_that_is_neither_an_approval_nor_a_reasoned_rejection_is_refused(value: str) -> None:
    assert "write `approved`, or `rejected: ` and why" in sentence(tag("review.ada", value), "ada")


@pytest.mark.parametrize("who", ["admin", "trainer", "nobody-known", "ADA", "ada "])
def test_only_a_named_reviewer_reviews(who: str) -> None:
    assert sentence(tag(f"review.{who}", "approved"), who).startswith(f"{who} may not review")


def test_nobody_reviews_under_another_name() -> None:
    assert "reviewers set only their own, review.ada" in sentence(tag("review.linus", "approved"), "ada")


@pytest.mark.parametrize("proposer", ["proposer", "Proposer", "pro-poser", "рroposer"])
def test_nobody_approves_what_they_proposed_and_may_reject_it(proposer: str) -> None:
    mine = replace(LEDGER, releases=(*RELEASES[:3], release(3, ReleaseState.CANDIDATE, "3", proposer), *RELEASES[4:]))
    assert f"{proposer} proposed it" in sentence(tag("review.proposer", "approved"), "proposer", mine)
    assert isinstance(ruled(tag("review.proposer", "rejected: I was wrong"), "proposer", mine), Record)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2", "version 2 is release 2, production, and does not wait for review. Version 3 waits."),
        ("5", "version 5 is release 5, rolled back, and does not wait for review. Version 3 waits."),
        ("99", "version 99 is no release, and does not wait for review. Version 3 waits."),
    ],
)
def test_only_the_version_that_waits_is_reviewed(version: str, said: str) -> None:
    assert sentence(tag("review.ada", "approved", version), "ada") == said


def test_a_request_that_is_repeated_is_one_decision() -> None:
    first = ruled(tag("review.ada", "approved"), "ada")
    assert isinstance(first, Record)
    waiting = replace(LEDGER, unused=(replace(first.decision, number=7),))
    assert decide(tag("review.ada", "approved"), "ada", ROLES, waiting, datetime.now(UTC)) == Allow()
    assert isinstance(ruled(tag("review.ada", "rejected: no"), "ada", waiting), Record)


def test_on_call_asks_for_a_rollback_by_moving_production() -> None:
    ruling = ruled(alias("1"), "linus")
    assert isinstance(ruling, Record)
    assert (ruling.decision.kind, ruling.decision.release, ruling.decision.epoch) == (ReviewKind.ROLLBACK, 1, 2)
    assert ruling.decision.text == "moved the MLflow alias production to version 1"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("2", "release 2 is production already"),
        ("3", "release 3 is candidate: a rollback only goes to a release that was production"),
        ("5", "release 5 is rolled back: a rollback only goes to a release that was production"),
        ("99", "version 99 is no release that the ledger knows"),
    ],
)
def test_on_call_moves_production_to_an_earlier_production_release_only(version: str, said: str) -> None:
    assert said in sentence(alias(version), "linus")


@pytest.mark.parametrize("who", ["ada", "trainer", "admin", "nobody-known"])
def test_nobody_else_moves_production(who: str) -> None:
    said = sentence(alias("1"), who)
    assert said.startswith(f"{who} may not set an alias: aliases follow the ledger")


@pytest.mark.parametrize("name", ["candidate", "Production", "champion"])
def test_on_call_sets_no_other_alias(name: str) -> None:
    assert "aliases follow the ledger" in sentence(alias("1", name), "linus")


FOLLOWING = [
    alias("2"),
    alias("3", "candidate"),
    tag("release.state", "candidate"),
    tag("review.outcome", "adopted, approval by ada: release 2 is approved.", "2"),
    RegistryRequest(action=Action.TAG_MODEL, model="sealed", key="sealed.epoch", value="2"),
    RegistryRequest(
        action=Action.DESCRIBE_MODEL,
        model="sealed",
        description=model_description(RELEASES, HISTORY[-1], "sealed"),
    ),
    RegistryRequest(action=Action.CREATE_MODEL, model="sealed", description=NEW_MODEL),
    RegistryRequest(
        action=Action.CREATE_VERSION,
        model="sealed",
        tags=(("release.id", RELEASES[4].id), ("release.number", "4"), ("manifest", "manifest-4")),
    ),
    RegistryRequest(action=Action.DELETE_VERSION, model="sealed", version="4"),
]


def test_a_trainer_registers_again_a_release_whose_loss_is_recorded_and_no_other_one() -> None:
    again = RegistryRequest(action=Action.CREATE_VERSION, model="sealed", tags=(("release.id", RELEASES[2].id),))
    assert isinstance(ruled(again, "trainer"), Refuse)
    for state, ruling in ((ReleaseState.PRODUCTION, Allow), (ReleaseState.ROLLED_BACK, Refuse)):
        lost = replace(LEDGER, releases=(*RELEASES[:2], release(2, state, None), *RELEASES[3:]))
        assert isinstance(ruled(again, "trainer", lost), ruling)
    base = RegistryRequest(action=Action.CREATE_VERSION, model="sealed", tags=(("release.id", RELEASES[0].id),))
    assert isinstance(ruled(base, "trainer"), Refuse)


@pytest.mark.parametrize("request_", FOLLOWING, ids=lambda one: one.action.name)
def test_a_trainer_writes_what_the_ledger_says_and_nobody_else_does(request_: RegistryRequest) -> None:
    assert ruled(request_, "trainer") == Allow()
    for who in ("ada", "admin", "nobody-known"):
        assert isinstance(ruled(request_, who), Refuse)


@pytest.mark.parametrize(
    "request_",
    [
        alias("3"),
        alias("2", "candidate"),
        tag("release.state", "production"),
        tag("review.outcome", "adopted, approval by ada: release 3 is approved."),
        tag("review.ada", "approved"),
        tag("manifest", "another"),
        RegistryRequest(action=Action.TAG_MODEL, model="sealed", key="sealed.epoch", value="3"),
        RegistryRequest(action=Action.DESCRIBE_MODEL, model="sealed", description="Release 3 is fine."),
        RegistryRequest(action=Action.CREATE_VERSION, model="sealed", tags=(("release.id", RELEASES[3].id),)),
        RegistryRequest(action=Action.CREATE_VERSION, model="sealed"),
        RegistryRequest(action=Action.CREATE_MODEL, model="sealed", description="Release 3 is fine."),
        RegistryRequest(action=Action.CREATE_MODEL, model="sealed", tags=(("mlflow.prompt.is_prompt", "true"),)),
        RegistryRequest(action=Action.CREATE_MODEL, model="sealed", tags=(("sealed.epoch", "2"),)),
        *(
            RegistryRequest(action=Action.CREATE_VERSION, model="sealed", tags=(("release.id", RELEASES[4].id), more))
            for more in (
                ("mlflow.prompt.is_prompt", "true"),
                ("release.state", "production"),
                ("release.number", "3"),
                ("manifest", "manifest-3"),
                ("release.id", RELEASES[3].id),
            )
        ),
        RegistryRequest(
            action=Action.CREATE_VERSION,
            model="sealed",
            tags=(("release.id", RELEASES[4].id), ("review.ada", "approved")),
        ),
        RegistryRequest(action=Action.DELETE_VERSION, model="sealed", version="3"),
        RegistryRequest(action=Action.DELETE_VERSION, model="sealed"),
        RegistryRequest(action=Action.DELETE_ALIAS, model="sealed", alias="production"),
    ],
    ids=lambda one: f"{one.action.name} {one.alias or one.key or one.version}",
)
def test_a_trainer_writes_nothing_that_the_ledger_does_not_say(request_: RegistryRequest) -> None:
    assert isinstance(ruled(request_, "trainer"), Refuse)


def test_a_trainer_deletes_an_alias_that_the_ledger_has_no_release_for() -> None:
    nothing_waits = replace(LEDGER, releases=RELEASES[:3])
    request = RegistryRequest(action=Action.DELETE_ALIAS, model="sealed", alias="candidate")
    assert ruled(request, "trainer", nothing_waits) == Allow()
    assert isinstance(ruled(replace(request, alias="champion"), "trainer", nothing_waits), Refuse)
    assert "Nothing waits for review now" in sentence(tag("review.ada", "approved"), "ada", nothing_waits)
