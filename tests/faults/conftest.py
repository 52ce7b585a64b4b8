"""What tests of killed runs share."""

from collections.abc import Iterator

import pytest

from tests.prefect_servers import prefect_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The Prefect server that all runs of a file are recorded in."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as env, pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        yield
