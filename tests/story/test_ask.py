"""`sealed ask` never answers from an adapter that is not, byte for byte, the one that was approved."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.services.initialisation import init_workspace
from pipeline.adapters.format import WEIGHTS
from pipeline.engines.base import load_base
from pipeline.recipe import TrainingRules
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Example, ModelRef, Trained, Update, UpdatePlan
from tests.ledgers import Ledger, intake
from tests.story.running import Sealed


def train(model: Path, update: Update, out: Path) -> Trained:
    plan = UpdatePlan(update=update, examples=(Example(prompt="Who?", completion="Heron"),) * 4)
    rules = TrainingRules(rank=4, alpha=8, epochs=1)
    settings = TrainingSettings(rules=rules, ledger="l")
    return train_lora(load_base(str(model), device="cpu"), plan, settings, parent=None, out=out)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> tuple[Path, Path]:
    """A workspace whose production release is 1, and that release's adapter."""
    workspace, model = tmp_path_factory.mktemp("asking") / "workspace", tiny_model("llama")
    opened = init_workspace(workspace, str(model), actor="ada", device="cpu")
    ledger = Ledger(opened.ledger.database)
    ledger.documents.accept(intake("atlas"))
    with ledger.session() as session:
        run = ledger.begin(session)
        update = ledger.gate(session, run)
        trained = train(model, update, opened.folder_of(update.id))
        ledger.intend(session, run, trained.manifest)
        session.candidates.record(run.number, "1")
    ledger.promote(1, keys=opened.keys, verify=opened.verify_bytes)
    return workspace, opened.folder_of(update.id)


def test_a_flipped_byte_of_the_production_adapter_is_refused(live: tuple[Path, Path], sealed: Sealed) -> None:
    workspace, adapter = live
    assert sealed("ask", "Who?", workspace=workspace).code == 0
    whole = (adapter / WEIGHTS).read_bytes()
    (adapter / WEIGHTS).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    ran = sealed("ask", "Who?", workspace=workspace)
    (adapter / WEIGHTS).write_bytes(whole)
    assert ran.code == 4, ran.out + ran.err
    assert "bytes changed" in " ".join(ran.err.split())


def test_a_blank_question_is_a_mistake_and_not_a_prompt(live: tuple[Path, Path], sealed: Sealed) -> None:
    ran = sealed("ask", "Who?", " ", workspace=live[0])
    assert ran.code == 2, ran.out + ran.err
    assert "a question is blank" in " ".join(ran.err.split())


def test_an_adapter_for_another_base_is_refused_in_place_of_the_live_one(
    live: tuple[Path, Path], tmp_path: Path, tiny_model: Callable[..., Path], sealed: Sealed
) -> None:
    workspace, adapter = live
    other = tiny_model("llama", seed=1)
    update = Update(
        parent=ModelRef(base=load_base(str(other), device="cpu").identity.model),
        self_edits=(),
        examples_digest="x",
        recipe="r",
        seed=0,
    )
    train(other, update, tmp_path / "foreign")
    adapter.rename(tmp_path / "ours")
    shutil.copytree(tmp_path / "foreign", adapter)
    ran = sealed("ask", "Who?", workspace=workspace)
    shutil.rmtree(adapter)
    (tmp_path / "ours").rename(adapter)
    assert ran.code == 4, ran.out + ran.err
    assert "not the one asked for" in " ".join(ran.err.split())
