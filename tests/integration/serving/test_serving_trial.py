"""A candidate is tried in the engine that serves: in this process, and in front of a server of vLLM's protocol."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from benchmarks import releases
from flows.services.initialisation import init_workspace
from flows.services.serving_trial import try_serving
from flows.wiring import Workspace
from gates.served import Served
from pipeline.types import Checkpoint, Release
from registry.servers import local as in_process
from registry.servers.server import TRIAL_PREFIX, served_name
from tests.vllm_servers import Json, SmallServer, vllm_workspace


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> Iterator[Workspace]:
    workspace = init_workspace(tmp_path_factory.mktemp("tried") / "workspace", str(tiny_model("llama")), actor="ada")
    yield workspace
    workspace.ledger.close()


@pytest.fixture
def on_vllm(small: SmallServer, tmp_path: Path) -> Iterator[Workspace]:
    workspace = vllm_workspace(tmp_path / "workspace", small)
    yield workspace
    workspace.ledger.close()


def _tried(workspace: Workspace, release: Release) -> Served:
    folder = workspace.folder_of(release.update)
    manifest = workspace.verify_bytes(release)
    assert manifest
    return try_serving(workspace, Checkpoint(release.model, folder), manifest)


def _tried_name(release: Release) -> str:
    return f"{TRIAL_PREFIX}{release.model.adapter}"


def test_an_adapter_that_changes_the_answers_is_applied(local: Workspace) -> None:
    tried = _tried(local, releases.make_candidate(local, 1))
    assert (tried.engine, tried.broken, tried.failure) == ("local", "", "")
    assert tried.asked == 3
    assert tried.changed > 0
    assert 0.0 < tried.seconds < 10.0
    assert 0.0 < tried.base_seconds < 10.0


def test_an_adapter_that_changes_nothing_is_broken(local: Workspace) -> None:
    tried = _tried(local, releases.make_candidate(local, 2, before=releases.no_change))
    assert "answers just as the base model does" in tried.broken


def test_a_damaged_adapter_is_broken(local: Workspace) -> None:
    release = releases.make_candidate(local, 3)
    folder = local.folder_of(release.update)
    manifest = local.verify_bytes(release)
    releases.flipped_bit(folder)
    assert manifest
    assert try_serving(local, Checkpoint(release.model, folder), manifest).broken


@pytest.mark.parametrize("step", ["hold_adapter", "known_answers"])
def test_a_card_with_too_little_memory_is_no_finding(
    step: str, local: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(in_process, step, full)
    tried = _tried(local, releases.make_candidate(local, 4 if step == "hold_adapter" else 5))
    assert tried.broken == ""
    assert tried.failure.startswith("local could not be tried: the card has too little memory to load release 1: CUDA")


def test_vllm_loads_it_beside_production_and_forgets_it_again(on_vllm: Workspace, small: SmallServer) -> None:
    production = releases.make_release(on_vllm, 1)
    on_vllm.vllm_adapters.load(on_vllm.folder_of(production.update), production.manifest)
    before = set(small.roots)
    candidate = releases.make_candidate(on_vllm, 2)
    tried = _tried(on_vllm, candidate)
    assert (tried.engine, tried.broken, tried.failure) == ("vllm", "", "")
    assert tried.changed > 0
    assert ("/v1/load_lora_adapter", _tried_name(candidate)) in small.calls
    assert set(small.roots) == before


def test_a_trial_of_what_clients_are_served_from_unloads_nothing_of_theirs(
    on_vllm: Workspace, small: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway loads it in the middle of the trial: the candidate is promoted while its gates run once more."""
    release, answer, calls = releases.make_release(on_vllm, 1), small.complete, len(small.calls)

    def load_first(body: Json) -> tuple[list[int], str, Json]:
        if body["model"] == _tried_name(release) and served_name(release) not in small.roots:
            on_vllm.vllm_adapters.load(on_vllm.folder_of(release.update), release.manifest)
        return answer(body)

    monkeypatch.setattr(small, "complete", load_first)
    assert _tried(on_vllm, release).failure == ""
    unloaded = [name for path, name in small.calls[calls:] if path == "/v1/unload_lora_adapter"]
    assert _tried_name(release) in unloaded
    assert served_name(release) not in unloaded
    assert served_name(release) in small.roots


def test_what_a_killed_trial_left_is_unloaded_when_the_gateway_starts(on_vllm: Workspace, small: SmallServer) -> None:
    release = releases.make_candidate(on_vllm, 1)
    on_vllm.vllm_adapters.under(TRIAL_PREFIX).load(on_vllm.folder_of(release.update), release.manifest)
    on_vllm.vllm_adapters.unload_others(())
    assert _tried_name(release) not in small.roots


def test_vllm_that_does_not_apply_it_is_a_finding_and_one_that_is_down_is_none(
    on_vllm: Workspace, small: SmallServer
) -> None:
    candidate = releases.make_candidate(on_vllm, 1)
    small.unapplied.add(_tried_name(candidate))
    try:
        assert "answers just as the base model does" in _tried(on_vllm, candidate).broken
    finally:
        small.unapplied.clear()
    gone = on_vllm.settings.model_copy(update={"server_url": "http://127.0.0.1:9", "server_attempts": 1})
    tried = _tried(Workspace(gone, on_vllm.ledger), candidate)
    assert (tried.broken, "vllm could not be tried" in tried.failure) == ("", True)
