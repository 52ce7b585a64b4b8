"""A deployment names its workspace, by its whole path."""

import pytest

from flows.deployment import named_workspace
from pipeline.errors import BadInput


@pytest.mark.parametrize("workspace", ["", " ", "\n", ".", "workspace", "./workspace"])
def test_a_workspace_that_a_worker_could_not_find_is_refused(workspace: str) -> None:
    with pytest.raises(BadInput, match="nothing was deployed"):
        named_workspace(workspace)


def test_a_whole_path_is_taken() -> None:
    assert named_workspace("/srv/sealed\n") == {"workspace": "/srv/sealed"}
