"""Decisions as MLflow's server of ours records them, and a workspace without MLflow that adopts them."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows.services import adoption
from flows.wiring import Workspace
from pipeline.config import Settings
from pipeline.types import Release, ReviewDecision, ReviewKind, ReviewOutcome
from registry import Reconciled, ReviewContext
from registry.store.database import now
from tests.ledgers import KEYS, SIGNING, Ledger


def adopting(ledger: Ledger, folder: Path, patch: pytest.MonkeyPatch) -> Workspace:
    """A workspace without MLflow, whose adapters are all well."""
    patch.setattr(Workspace, "reconcile", lambda _: Reconciled())
    decide_by(patch, ledger.context)
    (folder / "recipe.toml").touch()  # the defaults
    named = dict.fromkeys(("model", "base_model", "base_tokenizer", "base_chat_template"), "x")
    (folder / "recipe.toml").touch()
    return Workspace(Settings.at(folder, named), ledger)


def decide_by(patch: pytest.MonkeyPatch, context: ReviewContext) -> None:
    """Lets every workspace decide by these rules and keys, and this check of adapters."""
    patch.setattr(Workspace, "review_context", property(lambda _: context))
    patch.setattr(Workspace, "trusted_keys", property(lambda _: context.keys))


def taken(
    ledger: Ledger, release: Release, kind: ReviewKind = ReviewKind.APPROVE, who: str = "ada", **changed: object
) -> ReviewDecision:
    """A decision over the release as it is now, but for what is `changed`; not recorded."""
    decision = ReviewDecision(
        who=who,
        kind=kind,
        version=str(release.number),
        release=release.number,
        manifest=release.manifest,
        epoch=ledger.deployments.listed()[-1].epoch,
        text="approved" if kind is ReviewKind.APPROVE else "it answers badly",
        at=now(),
    )
    return replace(decision, **changed)  # type: ignore[arg-type]


def decided(
    ledger: Ledger, release: Release, kind: ReviewKind = ReviewKind.APPROVE, who: str = "ada", **changed: object
) -> ReviewDecision:
    """Likewise, recorded and signed."""
    return ledger.review_decisions.record(taken(ledger, release, kind, who, **changed), SIGNING)


def unused(ledger: Ledger) -> tuple[ReviewDecision, ...]:
    """The decisions that wait for adoption."""
    return tuple(one.decision for one in ledger.review_decisions.waiting(KEYS))


def only(adopted: adoption.Adopted) -> ReviewOutcome:
    """The one outcome."""
    (outcome,) = adopted.outcomes
    return outcome
