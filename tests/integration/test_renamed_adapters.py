"""Two valid adapters are renamed to and fro while one is loaded: it is loaded as people approved it, or refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks import releases
from benchmarks.faults import renames
from benchmarks.faults.renames import swapped
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from pipeline.adapters.format import WEIGHTS
from pipeline.engines.base import with_adapter
from pipeline.errors import CorruptAdapter

LOADS, ATTACHED, ASKS = 1000, 20, 6


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> Workspace:
    """A workspace with two releases."""
    folder = tmp_path_factory.mktemp("renamed") / "workspace"
    made = init_workspace(folder, str(tiny_model("llama")), actor="ada", device="cpu")
    releases.make_release(made, 1)
    releases.make_release(made, 2)
    return made


def swapping(workspace: Workspace) -> tuple[Path, Path, dict[str, torch.Tensor]]:
    """Both adapters' folders, and the weights of release 2 as they were approved."""
    one, two = (workspace.folder_of(workspace.ledger.releases.get(number).update) for number in (1, 2))
    return one, two, load_file(two / WEIGHTS)


def test_a_thousand_loads_give_the_approved_bytes_or_none(workspace: Workspace) -> None:
    one, two, approved = swapping(workspace)
    release, loaded = workspace.ledger.releases.get(2), 0
    with swapped(one, two):
        for _ in range(LOADS):
            try:
                folder = workspace.held_adapter(release)
            except CorruptAdapter:
                continue
            assert folder is not None
            found = load_file(folder / WEIGHTS)
            assert all(torch.equal(found[key], approved[key]) for key in approved)
            loaded += 1
    assert loaded


def test_what_is_attached_is_what_was_verified(workspace: Workspace) -> None:
    one, two, approved = swapping(workspace)
    key = next(key for key in approved if ".lora_A." in key)
    named = key.removeprefix("base_model.model.").replace(".weight", ".default.weight")
    folder = workspace.held_adapter(workspace.ledger.releases.get(2))
    with swapped(one, two):
        for _ in range(ATTACHED):
            with with_adapter(workspace.base, folder) as model:
                assert torch.equal(dict(model.named_parameters())[named], approved[key])


def test_answers_are_those_of_the_release_that_they_name(workspace: Workspace) -> None:
    found = renames.asked(workspace, ASKS)
    assert (found.right + found.refused, found.other) == (ASKS, 0)
