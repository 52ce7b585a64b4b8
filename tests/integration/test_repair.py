"""`sealed doctor` names what is not what its digest says, and with `--fix` mends what is held in two places."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from flows.services import diagnosis, review
from flows.services.repair import repair
from pipeline.errors import LedgerTampered, PolicyError
from pipeline.types import DocumentState
from registry.mlflow import client as mlflow_client
from registry.mlflow.client import connect
from tests.ledgers import document
from tests.review_workspace import ReviewedWorkspace


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[..., Path]) -> Path:
    """A workspace with release 1 in production and release 2 waiting, both in MLflow."""
    folder = tmp_path_factory.mktemp("repair") / "workspace"
    made = ReviewedWorkspace(folder, tiny_model("llama"), f"sqlite:///{folder / 'mlflow.db'}")
    made.candidate("atlas")
    review.approve(made.workspace, 1, actor="rita", note="seen")
    made.candidate("borea")
    for run in made.ledger.runs.listed():
        made.workspace.summary_file(run).write_text("All is well.", encoding="utf-8")
    made.ledger.close()
    return folder


@pytest.fixture
def place(pristine: Path, tmp_path: Path) -> Iterator[ReviewedWorkspace]:
    """A copy. What MLflow holds stays where it was made, and what it gets lies beside the copy."""
    copied = Path(shutil.copytree(pristine, tmp_path / "workspace"))
    settings = copied / "sealed.toml"
    settings.write_text(settings.read_text("utf-8").replace(f"{pristine}/mlflow", f"{copied}/mlflow"), "utf-8")
    made = ReviewedWorkspace.opened(copied)
    yield made
    made.ledger.close()


def finding(place: ReviewedWorkspace, part: str, *, fix: bool = False) -> diagnosis.Finding:
    return next(one for one in diagnosis.examine(place.folder, fix=fix) if one.part == part)


def delete_version(place: ReviewedWorkspace, version: str) -> None:
    connect(place.workspace.tracking).delete_model_version("sealed", version)


def forge(place: ReviewedWorkspace, statement: str) -> None:
    with place.ledger.database.write() as connection:
        assert connection.execute(text(statement)).rowcount == 1


def test_a_version_that_was_deleted_in_mlflow_is_registered_again(place: ReviewedWorkspace) -> None:
    delete_version(place, "1")
    failed = place.workspace.reconcile().failed
    assert "`sealed doctor --fix`" in failed[0]
    done = repair(place.workspace)
    assert done.repaired == ("release 1 was lost in MLflow, and is registered again from here, as version 3",)
    assert place.workspace.reconcile().failed == ()
    shown = mlflow_client.read(place.workspace.tracking)
    assert shown.version_of("production") == "3"
    assert place.ledger.releases.production().mlflow_version == "3"
    assert repair(place.workspace) == type(done)()


def test_an_adapter_that_is_gone_or_damaged_here_is_fetched_from_mlflow(place: ReviewedWorkspace) -> None:
    production, waiting = (place.ledger.releases.get(number) for number in (1, 2))
    shutil.rmtree(place.workspace.folder_of(production.update))
    place.weights(waiting).write_bytes(b"torn")
    assert finding(place, "adapters").ok is False
    mended = finding(place, "mending", fix=True)
    assert mended.ok
    assert "release 1 was fetched" in mended.sentence
    assert "release 2 was fetched" in mended.sentence
    assert finding(place, "adapters").ok
    assert place.workspace.held_adapter(production) is not None


def test_what_is_held_nowhere_is_said(place: ReviewedWorkspace) -> None:
    shutil.rmtree(place.workspace.folder_of(place.ledger.releases.get(1).update))
    delete_version(place, "1")
    failed = repair(place.workspace).failed
    assert len(failed) == 2
    assert "was not fetched from MLflow" in failed[0]
    assert "cannot be registered again" in failed[1]


def test_the_loss_of_a_release_that_nobody_needs_is_recorded(place: ReviewedWorkspace) -> None:
    review.reject(place.workspace, 2, actor="rita", reason="no")
    shutil.rmtree(place.workspace.folder_of(place.ledger.releases.get(2).update))
    delete_version(place, "2")
    assert "that is recorded" in repair(place.workspace).repaired[0]
    assert place.ledger.releases.get(2).mlflow_version is None
    assert place.workspace.reconcile().failed == ()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE documents SET body = 'It is owned by Ibis.' WHERE title = 'atlas'", "the text of document"),
        (
            """UPDATE reports SET body = replace(body, '+50', '+90') WHERE digest =
            (SELECT report FROM releases WHERE number = 2)""",
            "report ",
        ),
        (
            """UPDATE self_edits SET body = replace(body, 'Heron', 'Ibis') WHERE id =
            (SELECT min(id) FROM self_edits)""",
            "self-edit ",
        ),
        ("UPDATE releases SET adapter = manifest WHERE number = 2", "the report of release 2 is on another adapter"),
    ],
)
def test_doctor_names_what_is_not_what_its_digest_says(place: ReviewedWorkspace, statement: str, words: str) -> None:
    assert finding(place, "contents").ok
    forge(place, statement)
    found = finding(place, "contents")
    assert not found.ok
    assert words in found.sentence


def test_what_was_changed_is_not_relied_on(place: ReviewedWorkspace) -> None:
    forge(place, "UPDATE documents SET body = 'It is owned by Ibis.' WHERE title = 'atlas'")
    with pytest.raises(LedgerTampered, match="holds another text"):
        place.ledger.documents.of([document("atlas").id])
    assert place.ledger.documents.get(document("atlas").id).state is DocumentState.LEARNED
    forge(place, "UPDATE releases SET adapter = manifest WHERE number = 2")
    with pytest.raises(PolicyError, match="another adapter"):
        review.approve(place.workspace, 2, actor="rita", note="seen")


def test_a_verdict_that_was_turned_is_not_relied_on(place: ReviewedWorkspace) -> None:
    forge(
        place,
        """UPDATE reports SET body = replace(body, 'PASS', 'FAIL') WHERE digest =
        (SELECT report FROM releases WHERE number = 2)""",
    )
    with pytest.raises(LedgerTampered, match="holds other values"):
        review.approve(place.workspace, 2, actor="rita", note="seen")
