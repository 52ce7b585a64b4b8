"""A real adapter is loaded for serving only as people approved and signed it; and how a team approves one."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import text

from flows.run_context import RunContext
from flows.runs import acquire_run
from flows.services import diagnosis, keys, releases, review
from flows.services.initialisation import init_workspace
from flows.services.status import overview
from flows.wiring import Workspace
from pipeline.adapters.format import MANIFEST, WEIGHTS, digest_directory, read_manifest, write_manifest
from pipeline.config import Settings
from pipeline.engines.base import load_base
from pipeline.errors import BadInput, BadSignature, CorruptAdapter, PolicyError
from pipeline.recipe import TrainingRules
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Actor, Example, Identity, Release, Trained, Update, UpdatePlan
from registry import Reconciled, open_ledger
from registry.keys import new_key
from tests.ledgers import Ledger, intake
from tests.sign_in_servers import mlflow_with_sign_in


def train(model: Path, update: Update, out: Path) -> Trained:
    plan = UpdatePlan(update=update, examples=(Example(prompt="Who?", completion="Heron"),) * 4)
    settings = TrainingSettings(rules=TrainingRules(rank=4, alpha=8, epochs=1), ledger="l")
    return train_lora(load_base(str(model), device="cpu"), plan, settings, parent=None, out=out)


@dataclass(frozen=True)
class Place:
    """A workspace whose release 1 is a candidate with a real adapter."""

    workspace: Workspace

    @property
    def release(self) -> Release:
        return self.workspace.ledger.releases.get(1)

    @property
    def adapter(self) -> Path:
        return self.workspace.folder_of(self.release.update)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> Path:
    model = tiny_model("llama")
    opened = init_workspace(tmp_path_factory.mktemp("signed") / "workspace", str(model), actor="ada", device="cpu")
    ledger = Ledger(opened.ledger.database)
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        update = ledger.gate(session, run)
        trained = train(model, update, opened.folder_of(update.id))
        ledger.intend(session, run, trained.manifest)
        session.candidates.record(run.number, "1")
    opened.ledger.close()
    return opened.settings.workspace


def opened(folder: Path, **changes: object) -> Workspace:
    settings = Settings.read(folder).model_copy(update=changes)
    return Workspace(settings, open_ledger(settings.database_url))


@pytest.fixture
def place(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(Workspace, "reconcile", lambda _: Reconciled())
    made = Place(opened(Path(shutil.copytree(pristine, tmp_path / "workspace"))))
    yield made
    made.workspace.ledger.close()


def approved(place: Place) -> Place:
    review.approve(place.workspace, 1, actor="rita", note="seen")
    return place


def flip(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_a_new_workspace_has_a_key_that_only_its_owner_reads(place: Place) -> None:
    (known,) = keys.listed(place.workspace.settings)
    assert known.own
    assert (place.workspace.settings.workspace / "keys" / "signing.pem").stat().st_mode & 0o077 == 0
    with pytest.raises(BadInput, match="never overwritten"):
        keys.new(place.workspace.settings)


def test_a_candidate_that_nobody_approved_is_loaded_by_the_gates_only(place: Place) -> None:
    with pytest.raises(PolicyError, match="only the gates load its adapter"):
        place.workspace.held_adapter(place.release)
    with pytest.raises(PolicyError, match="only the gates load its adapter"):
        releases.ask(place.workspace, ("Who?",), 1)
    manifest = place.workspace.verify_bytes(place.release)
    assert manifest is not None
    assert manifest.digest == place.release.manifest


def test_an_approved_release_is_loaded(place: Place) -> None:
    held = approved(place).workspace.held_adapter(place.release)
    assert held is not None
    assert read_manifest(held).digest == place.release.manifest
    assert place.workspace.held_adapter(place.workspace.ledger.releases.get(0)) is None


def test_a_candidate_whose_file_changed_by_one_bit_is_not_approved(place: Place) -> None:
    flip(place.adapter / WEIGHTS)
    with pytest.raises(CorruptAdapter, match="bytes changed"):
        approved(place)
    assert place.workspace.ledger.releases.approvals(1) == ()


def test_an_approval_is_void_when_a_byte_changes_before_the_second_one(place: Place) -> None:
    two = opened(place.workspace.settings.workspace, approvers=2)
    assert "has those of rita" in review.approve(two, 1, actor="rita", note="seen").missing
    assert "another person must run `sealed approve 1`" in overview(two).next_step
    flip(place.adapter / WEIGHTS)
    with pytest.raises(CorruptAdapter, match="bytes changed"):
        review.approve(two, 1, actor="omar", note="seen")
    flip(place.adapter / WEIGHTS)
    assert review.approve(two, 1, actor="omar", note="seen").deployment.release == 1
    assert two.held_adapter(place.release) is not None
    two.ledger.close()


def test_an_approval_given_elsewhere_is_adopted_as_it_was_given_or_refused_in_words(place: Place) -> None:
    given = place.workspace.ledger.deployments.approve(
        1, actor=Actor(name="rita", identity=Identity.SIGNED_IN), rules=place.workspace.review_rules
    )
    with pytest.raises(PolicyError, match="the approval is for another adapter"):
        review.promote_by(place.workspace, replace(given, manifest="f" * 64))
    with pytest.raises(PolicyError, match="production moved"):
        review.promote_by(place.workspace, replace(given, epoch=7))
    assert review.promote_by(place.workspace, given).deployment.by.shown == "rita (signed-in)"


@pytest.mark.parametrize("name", [WEIGHTS, "adapter_config.json", MANIFEST])
def test_a_release_whose_file_changed_by_one_bit_is_not_loaded(place: Place, name: str) -> None:
    flip(approved(place).adapter / name)
    with pytest.raises(CorruptAdapter):
        place.workspace.held_adapter(place.release)


def test_a_file_swapped_together_with_its_manifest_and_ledger_row_is_not_loaded(place: Place) -> None:
    """All digests are made anew, so only the signature tells."""
    adapter = approved(place).adapter
    flip(adapter / WEIGHTS)
    manifest = read_manifest(adapter)
    forged = type(manifest)(**{**vars_of(manifest), "files": digest_directory(adapter)})
    write_manifest(adapter, forged)
    with place.workspace.ledger.database.write() as connection:
        values = {"manifest": forged.digest, "adapter": forged.adapter}
        connection.execute(
            text("UPDATE releases SET manifest = :manifest, adapter = :adapter WHERE number = 1"), values
        )
    assert place.workspace.verify_bytes(place.release) == forged
    with pytest.raises(BadSignature, match="differs from what is here in files, manifest"):
        place.workspace.held_adapter(place.release)


def vars_of(noun: object) -> dict[str, object]:
    return {name: getattr(noun, name) for name in type(noun).__dataclass_fields__}  # type: ignore[attr-defined]


def test_a_release_whose_signing_key_is_trusted_no_longer_is_not_loaded(place: Place) -> None:
    for file in approved(place).workspace.settings.trusted_keys.iterdir():
        file.unlink()
    with pytest.raises(BadSignature, match="which is not trusted here"):
        place.workspace.held_adapter(place.release)


def test_doctor_counts_the_rows_and_names_a_forged_one(place: Place) -> None:
    found = diagnosis._finding("decisions", diagnosis._decisions, approved(place).workspace)
    assert found.ok
    assert "rows of approvals and history follow each other" in found.sentence
    with place.workspace.ledger.database.write() as connection:
        connection.execute(text("DROP TRIGGER approvals_no_update"))
        connection.execute(text("UPDATE approvals SET actor = 'grace'"))
    found = diagnosis._finding("decisions", diagnosis._decisions, place.workspace)
    assert (found.ok, "row 1 of the approvals was altered" in found.sentence) == (False, True)


def test_a_rollback_takes_less_than_a_second_and_leaves_a_signed_row(place: Place) -> None:
    approved(place)
    started = time.perf_counter()
    moved = review.rollback(place.workspace, None, actor="omar", reason="drill")
    assert time.perf_counter() - started < 1.0
    assert moved.deployment.by.shown.startswith("omar (account ")
    assert place.workspace.ledger.deployments.expect_unbroken(place.workspace.keys) > 6


def test_a_rollback_works_where_the_signing_key_is_gone(place: Place) -> None:
    (approved(place).workspace.settings.workspace / "keys" / "signing.pem").unlink()
    assert review.rollback(place.workspace, None, actor="omar", reason="drill").deployment.release == 0
    place.workspace.ledger.deployments.expect_unbroken(place.workspace.keys)


def test_a_run_of_a_team_refuses_to_hold_the_signing_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    team = opened(place.workspace.settings.workspace, review="team", signing_key=place.adapter / "key.pem")
    monkeypatch.setattr("flows.runs.open_workspace", lambda _: team)
    with pytest.raises(PolicyError, match="must not be able to sign"), acquire_run(team.settings.workspace) as held:
        assert isinstance(held, RunContext)
    team.ledger.close()


def test_a_run_of_a_team_refuses_to_work_where_it_could_trust_a_key_of_its_own(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workspace's own folder of keys: whoever trains there writes there, and could let any key sign."""
    team = opened(place.workspace.settings.workspace, review="team")
    monkeypatch.setattr("flows.runs.open_workspace", lambda _: team)
    with (
        pytest.raises(PolicyError, match=r"trust a key of its own.*trusted:/trusted:ro") as refused,
        acquire_run(team.settings.workspace) as held,
    ):
        assert isinstance(held, RunContext)
    assert refused.value.exit_code == 3
    team.ledger.close()


def test_a_teams_key_does_not_lie_in_the_workspace(place: Place) -> None:
    team = opened(place.workspace.settings.workspace, review="team")
    assert team.keys.own is None
    with pytest.raises(BadInput, match="SEALED_SIGNING_KEY"):
        keys.new(team.settings)
    with pytest.raises(PolicyError, match="ada is a name that nobody proved"):
        review.approve(team, 1, actor="ada", note="by the flow, with no password")
    team.ledger.close()


@pytest.mark.slow
def test_a_team_signs_in_and_approves_from_the_command_line(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, users = place.workspace.settings.workspace, {"ada": "ada's long password", "grace": "grace's long password"}
    key = tmp_path / "reviewers" / "key.pem"
    public = new_key(key, None)

    def sealed(*words: str, password: str = "") -> subprocess.CompletedProcess[str]:
        given = {"SEALED_REVIEW": "team", "SEALED_APPROVERS": "2", "SEALED_TRACKING_URI": address}
        env = {"SEALED_WORKSPACE": str(folder), "SEALED_SIGNING_KEY": str(key), "SEALED_PASSWORD": password}
        for name, value in {**given, **env}.items():
            monkeypatch.setenv(name, value)
        code = "from flows.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )

    with mlflow_with_sign_in(tmp_path / "mlflow", users) as address:
        silent = sealed("approve", "1", "--as", "ada", "--note", "seen")
        assert (silent.returncode, "Set SEALED_PASSWORD" in silent.stderr) == (2, True)
        wrong = sealed("approve", "1", "--as", "ada", "--note", "seen", password="guess")
        assert (wrong.returncode, "name or password is wrong" in wrong.stderr) == (3, True)
        untrusted = sealed("approve", "1", "--as", "ada", "--note", "seen", password=users["ada"])
        assert (untrusted.returncode, "is not trusted in this workspace" in untrusted.stderr) == (3, True)
        assert sealed("keys", "trust", str(public)).returncode == 0
        first = sealed("approve", "1", "--as", "ada", "--note", "seen", password=users["ada"])
        assert first.returncode == 0, first.stderr
        assert "the approval is recorded. release 1 needs 2 approvals by different people" in first.stdout
        again = sealed("approve", "1", "--as", "ada", "--note", "seen", password=users["ada"])
        assert (again.returncode, "ada approved release 1 already" in again.stderr) == (3, True)
        second = sealed("approve", "1", "--as", "grace", "--note", "seen", password=users["grace"])
        assert "release 1 is production, approved by grace (signed-in)" in second.stdout, second.stderr
        shown = json.loads(sealed("show", "1", "--json").stdout)
    assert [one["identity"] for one in shown["approvals"]] == ["signed-in", "signed-in"]
    assert [one["after"] for one in shown["history"]] == ["registering", "candidate", "production"]
