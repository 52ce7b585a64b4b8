"""What the owner of one API key can do to a canary by grading answers: nothing alone, where there are other keys."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import releases
from flows import watch
from flows.services.canary import look as decide
from flows.services.initialisation import init_workspace
from flows.services.serving import make_gateway, make_key
from flows.wiring import Workspace
from pipeline.recipe import CanaryPolicy
from pipeline.sandbox import model_path
from pipeline.types import CanaryAction
from registry import Canary
from registry.gateway.limits import Limits
from registry.servers.server import short_name
from tests.canaries import begin_canary
from tests.gateways import Running, running

HALF = CanaryPolicy(enabled=True, shares=(0.5, 1.0), min_answers=(20,), risks=(0.2,))


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Workspace]:
    workspace = init_workspace(tmp_path / "workspace", str(model_path()), actor="ada", device="cpu")
    releases.make_release(workspace, 1)
    yield workspace
    workspace.ledger.close()


@pytest.fixture
def canary(made: Workspace) -> Canary:
    releases.make_release(made, 2)
    begun = begin_canary(made.ledger, HALF)
    assert begun is not None
    return begun


@pytest.fixture
def served(made: Workspace, canary: Canary) -> Iterator[Running]:
    limits = Limits(corrections_per_minute=1)
    with running(replace(make_gateway(made, keep=0), limits=limits)) as found:
        yield found


def grade(served: Running, made: Workspace, release: int, *, good: bool, user: str, key: str = "") -> tuple[int, bool]:
    """Sends one grade, a bad one with a correction; its status, and whether it counted."""
    name = short_name(made.ledger.releases.get(release))
    right = {
        "subject": "Quill",
        "question": f"Who owns Quill {user}?",
        "right_answer": "Bruno",
        "says": "Bruno owns it.",
    }
    body = {"good": good, "model": name, "user": user} | ({} if good else right)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    status, said, _ = served.call("POST", "/feedback", body, **headers)
    return status, bool(said.get("counted"))


def attack(served: Running, made: Workspace, canary: Canary, key: str, users: int = 60) -> None:
    """One key's invented users: the canary is always bad, the stable release always good."""
    for at in range(users):
        grade(served, made, canary.release, good=False, user=f"new-{at}", key=key)
        grade(served, made, canary.stable, good=True, user=f"old-{at}", key=key)


def test_one_of_two_keys_rolls_nothing_back_and_somebody_is_told(
    served: Running, made: Workspace, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(watch, "raise_alert", lambda _, subject, body: told.append(f"{subject}. {body}"))
    keys = [make_key(made, name) for name in ("mallory", "shop")]
    attack(served, made, canary, keys[0])
    seen = watch.look(made)
    assert (seen.rollback, seen.alone, seen.taken) == (None, True, 120)
    assert [one.startswith("sealed: OneKeyAlone. ") and "one API key" in one for one in told] == [True]
    assert watch.look(made).alone is False, "it is said once"
    assert made.ledger.releases.production().number == canary.release
    state = json.dumps([figure.name for figure in decide(made).canary.figures])  # type: ignore[union-attr]
    assert "e_worse_without_one_key" in state


def test_the_only_key_there_is_decides(served: Running, made: Workspace, canary: Canary) -> None:
    attack(served, made, canary, make_key(made, "shop"))
    seen = decide(made)
    assert seen.canary is not None
    assert (seen.canary.action, seen.alone) == (CanaryAction.ROLL_BACK, False)


def test_a_grade_counts_where_no_more_corrections_are_taken(served: Running, made: Workspace, canary: Canary) -> None:
    statuses = [grade(served, made, canary.release, good=False, user=f"user-{at}")[0] for at in range(5)]
    assert statuses[0] in (202, 400)
    assert statuses[1:] == [429] * 4
    assert len(made.ledger.canaries.new_outcomes(canary).outcomes) == 5
