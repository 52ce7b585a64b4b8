"""Who writes, and who trains, is decided in one place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.wiring import Workspace
from pipeline.adapters.identity import identify_base
from pipeline.config import Settings
from pipeline.engines.base import load_base
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.errors import ModelChanged
from registry import create_ledger
from tests.servers import serving


def made(model: Path, tmp_path: Path, **changes: object) -> Workspace:
    identity = identify_base(model)
    given: dict[str, object] = {
        "model": str(model),
        "base_model": identity.model,
        "base_tokenizer": identity.tokenizer,
        "base_chat_template": identity.chat_template,
        "device": "cpu",
    }
    settings = Settings.at(tmp_path, given | changes)
    return Workspace(settings, create_ledger(settings.database_url))


def test_this_process_writes_where_nothing_else_is_said(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    workspace = made(tiny_model("llama"), tmp_path)
    assert workspace.writer is workspace.engine
    workspace.ledger.close()


def test_a_configured_server_writes_and_this_process_loads_no_weights_for_it(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    base = load_base(str(tiny_model("llama")), device="cpu")
    with serving(base) as server:
        workspace = made(tiny_model("llama"), tmp_path, engine="openai", server_url=server.url, server_model="base")
        asked = workspace.writer.generate(["Who?"], SamplingParams(max_new_tokens=6), adapter=None)
        assert asked == LocalEngine(base).generate(["Who?"], SamplingParams(max_new_tokens=6), adapter=None)
        assert workspace.writer.base_digest == LocalEngine(base).base_digest
        assert len(server.asked) == 1
    assert "base" not in vars(workspace)
    assert isinstance(workspace.engine, LocalEngine)
    workspace.ledger.close()


def test_a_server_is_not_asked_for_a_model_whose_files_changed(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    server = {"engine": "openai", "server_url": "http://127.0.0.1:9", "server_model": "base"}
    workspace = made(tiny_model("llama"), tmp_path, base_tokenizer="another", **server)
    with pytest.raises(ModelChanged):
        _ = workspace.writer
    workspace.ledger.close()
