"""What PEFT loads without a word is refused before PEFT is asked, at each door through which an adapter is loaded.

Each damage is as an attacker would do it: where digests could tell, they are made anew to agree.
"""

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from benchmarks import releases
from pipeline.adapters.foreign import take_foreign
from pipeline.adapters.format import CONFIG, MANIFEST, WEIGHTS, digest_directory, read_manifest, write_manifest
from pipeline.adapters.saving import Provenance
from pipeline.engines.base import BaseModel, load_base, with_adapter
from pipeline.errors import AdapterNotApplied, CorruptAdapter, WrongBase
from pipeline.types import ModelRef, Release, ReleaseState
from registry.servers.local import LocalServer

Damage = Callable[[Path], None]
FROM = Provenance(update="u" * 64, recipe="r", ledger="l", parent_adapter=None)


@pytest.fixture(scope="module")
def base(tiny_model: Callable[..., Path]) -> BaseModel:
    return load_base(str(tiny_model("llama")), device="cpu")


@pytest.fixture
def adapter(base: BaseModel, tmp_path: Path) -> Path:
    releases.save_random(base, tmp_path / "adapter", FROM, seed=1)
    return tmp_path / "adapter"


def agree(folder: Path, **changed: Any) -> None:
    """Writes a manifest that agrees with the files as they are now."""
    parameters = sum(one.numel() for one in load_file(folder / WEIGHTS).values())
    fresh = replace(read_manifest(folder), files=digest_directory(folder), parameters=parameters)
    write_manifest(folder, replace(fresh, **changed))


def configured(folder: Path, **said: object) -> None:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8")) | said
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")


def inflated(folder: Path) -> None:
    configured(folder, lora_alpha=8_000)
    agree(folder, alpha=8_000)


def head_replaced(folder: Path) -> None:
    """The output head is the adapter's own: the base's answers are gone altogether."""
    rows = json.loads((folder.parent / "rows").read_text())
    tensors = load_file(folder / WEIGHTS) | {"base_model.model.lm_head.weight": torch.zeros(*rows)}
    save_file(tensors, folder / WEIGHTS)
    configured(folder, modules_to_save=["lm_head"])
    agree(folder)


def half_renamed(folder: Path) -> None:
    tensors = {key.replace("lora_B", "lora_C"): one for key, one in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS)
    agree(folder)


def all_missing(folder: Path) -> None:
    save_file({}, folder / WEIGHTS)
    agree(folder)


def pickled(folder: Path) -> None:
    """PEFT falls back to this file where there is no other."""
    torch.save(load_file(folder / WEIGHTS), folder / "adapter_model.bin")
    (folder / WEIGHTS).unlink()


OPEN: dict[str, Damage] = {
    "a bit is flipped": releases.flipped_bit,
    "NaN": releases.not_a_number,
    "another base": releases.wrong_base,
    "alpha x 1000": inflated,
    "a layer's keys are missing": releases.missing_layer,
    "all keys are missing": all_missing,
    "a layer's keys are renamed": releases.renamed_keys,
    "all sides B are renamed": half_renamed,
    "the head is replaced": head_replaced,
    "weights in a pickle": pickled,
    "it changes nothing": releases.no_change,
}
# That it does nothing is seen in what the model says, at which the server looks.
WELL_FORMED = "it changes nothing"
# Without a manifest of ours nobody knows digests or base, and a layer that lacks is the integrity gate's to judge.
KNOWN_WITHOUT_MANIFEST = (
    "NaN",
    "alpha x 1000",
    "a layer's keys are renamed",
    "all sides B are renamed",
    "the head is replaced",
    "weights in a pickle",
)


@pytest.fixture(params=OPEN)
def case(request: pytest.FixtureRequest, adapter: Path, base: BaseModel) -> str:
    """The name of a damage, which is done to `adapter`."""
    head = base.model.get_output_embeddings()
    (adapter.parent / "rows").write_text(json.dumps(list(head.weight.shape)))
    OPEN[request.param](adapter)
    return str(request.param)


@pytest.fixture
def no_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        pytest.fail("PEFT was asked")

    monkeypatch.setattr(PeftModel, "from_pretrained", asked)


def release_of(number: int, base: BaseModel, adapter: Path | None) -> Release:
    """A release that stands on the manifest as it is in the folder; without one, the base."""
    manifest = read_manifest(adapter) if adapter else None
    return Release(
        number=number,
        state=ReleaseState.PRODUCTION,
        parent=None,
        model=ModelRef(base=base.identity.digest, adapter=manifest.adapter if manifest else None),
        manifest=manifest.digest if manifest else "",
        update="u",
        proposer="sealed",
        created=datetime.now(UTC),
    )


def server_of(base: BaseModel, adapter: Path) -> LocalServer:
    return LocalServer(base, lambda one: adapter if one.number else None)


def test_peft_takes_each_of_them(case: str, adapter: Path, tiny_model: Callable[..., Path]) -> None:
    """Why they are checked here. Where a newer PEFT refuses one, this test says so."""
    fresh = load_base(str(tiny_model("llama", seed=7 if case == "another base" else 0)), device="cpu")
    with warnings.catch_warnings(action="ignore"):
        PeftModel.from_pretrained(fresh.model, str(adapter))


@pytest.mark.usefixtures("no_peft")
@pytest.mark.parametrize("case", [name for name in OPEN if name != WELL_FORMED], indirect=True)
def test_the_engine_refuses_each_of_them(case: str, adapter: Path, base: BaseModel) -> None:
    with pytest.raises((CorruptAdapter, WrongBase)) as refused, with_adapter(base, adapter):
        pytest.fail("attached")
    assert refused.value.exit_code == 4


def test_the_server_refuses_each_of_them_and_answers_as_before(
    case: str, adapter: Path, base: BaseModel, request: pytest.FixtureRequest
) -> None:
    if case != WELL_FORMED:
        request.getfixturevalue("no_peft")
    before, server = release_of(0, base, None), server_of(base, adapter)
    try:
        server.activate(before)
        with pytest.raises((CorruptAdapter, WrongBase, AdapterNotApplied)):
            server.activate(release_of(1, base, adapter))
        assert server.active() == before
        assert server.loaded() == (before,)
    finally:
        server.close()
    assert not any("lora_" in name for name, _ in base.model.named_modules())


@pytest.mark.usefixtures("no_peft")
@pytest.mark.parametrize("case", KNOWN_WITHOUT_MANIFEST, indirect=True)
def test_an_adapter_of_others_is_refused_likewise(case: str, adapter: Path, base: BaseModel, tmp_path: Path) -> None:
    (adapter / MANIFEST).unlink()
    with pytest.raises(CorruptAdapter):
        take_foreign(adapter, base.identity, base.model, tmp_path / "taken")
    assert case in OPEN


def test_a_name_whose_load_failed_is_served_by_peft_and_not_by_us(
    adapter: Path, base: BaseModel, tiny_model: Callable[..., Path]
) -> None:
    """PEFT keeps the name of an adapter that it could not load, and then serves the base model under it."""
    bad = Path(shutil.copytree(adapter, adapter.parent / "bad"))
    tensors = load_file(bad / WEIGHTS)
    key = next(key for key in tensors if "lora_A" in key)
    save_file(tensors | {key: torch.zeros(4, 3)}, bad / WEIGHTS)
    fresh = load_base(str(tiny_model("llama")), device="cpu")
    with warnings.catch_warnings(action="ignore"):
        loaded: Any = PeftModel.from_pretrained(fresh.model, str(adapter))
        with pytest.raises(RuntimeError, match="size mismatch"):
            loaded.load_adapter(str(bad), "bad")
        loaded.set_adapter("bad")
    agree(bad)
    server = server_of(base, bad)
    try:
        for _ in range(2):  # the first refusal leaves nothing behind that a second try would find
            with pytest.raises(CorruptAdapter):
                server.hold(release_of(1, base, bad))
        assert server.loaded() == ()
    finally:
        server.close()


def test_an_honest_adapter_passes_all_doors(adapter: Path, base: BaseModel, tmp_path: Path) -> None:
    with with_adapter(base, adapter):
        pass
    server = server_of(base, adapter)
    try:
        server.activate(release_of(1, base, adapter))
        assert [one.number for one in server.loaded()] == [1]
    finally:
        server.close()
    (adapter / MANIFEST).unlink()
    assert take_foreign(adapter, base.identity, base.model, tmp_path / "taken").rank == releases.RULES.rank
