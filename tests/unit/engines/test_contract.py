"""Every engine keeps the one contract, so that whoever asks need not know which one answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engines.base import load_base
from pipeline.engines.local import LocalEngine
from tests.engines import ScriptedEngine, check_engine


def test_the_scripted_engine_keeps_the_contract() -> None:
    check_engine(ScriptedEngine())


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_the_local_engine_keeps_the_contract(tiny_model: Callable[..., Path], kind: str) -> None:
    check_engine(LocalEngine(load_base(str(tiny_model(kind)), device="cpu")))
