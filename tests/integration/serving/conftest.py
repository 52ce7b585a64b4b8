"""The vLLM servers that tests of serving share, on one tiny model."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.vllm_servers import PYTHON, RealServer, SmallServer, real_server, small_server


@pytest.fixture(scope="session")
def wide_model(tiny_model: Callable[..., Path]) -> Path:
    """A tiny Llama with heads that vLLM's CPU build takes."""
    return tiny_model("llama", head=64)


@pytest.fixture(scope="session")
def small(wide_model: Path) -> Iterator[SmallServer]:
    with small_server(wide_model) as server:
        yield server


@pytest.fixture(scope="session")
def real(wide_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    if not PYTHON.exists():
        raise RuntimeError(f"there is no {PYTHON}. Run `make test-vllm`, which installs vLLM there.")
    with real_server(wide_model, tmp_path_factory.mktemp("vllm"), _free_port()) as server:
        yield server


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
