"""The step of `prefect.yaml` that runs before each deployment is made: it refuses one without a workspace."""

from pathlib import Path

from pipeline.errors import BadInput


def named_workspace(workspace: str = "") -> dict[str, str]:
    """Gives the workspace back. Raises BadInput where SEALED_WORKSPACE names none: its schedule would run on nothing.

    A relative folder is refused as well: a worker would look for it where it happens to be started.
    """
    folder = workspace.strip()
    if not folder:
        raise BadInput(
            "SEALED_WORKSPACE is not set, so nothing was deployed. Name the workspace's folder and deploy again: "
            "`SEALED_WORKSPACE=/srv/sealed prefect deploy --all --no-prompt`."
        )
    if not Path(folder).is_absolute():
        raise BadInput(
            f"SEALED_WORKSPACE is {folder!r}, so nothing was deployed. Give the whole path: workers start elsewhere."
        )
    return {"workspace": folder}
