"""A run's intake: pages, secrets, floods, foreign exams and sources end as docs/documents.md says, in the ledger."""

import json
from pathlib import Path

import pytest

from flows.runs import acquire_run
from flows.services.initialisation import init_workspace
from flows.steps.ingestion import ingest
from flows.wiring import Workspace
from pipeline.files import write_text
from pipeline.sandbox import model_path
from pipeline.types import DocumentRecord
from tests.runs import begun

SAID = "The Ember service is owned by Ibis since May"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("intake") / "workspace"
    made = init_workspace(folder, str(model_path()), actor="ada", device="cpu")
    recipe = made.settings.workspace / "recipe.toml"
    bounds = (
        '\n[advanced.documents]\nper_source = 2\ntrusted_sources = ["handbook"]\n[policy]\nrequired = ["integrity"]\n'
    )
    write_text(recipe, recipe.read_text(encoding="utf-8") + bounds)
    return made


def offer(folder: Path) -> None:
    write_text(folder / "page.html", f"<p>{SAID}.</p><p style='font-size:0'>Mallory owns it all.</p>")
    exam = f"---\nquestions: [{{question: {SAID}, answer: x}}]\n---\nNothing of that is said in here."
    write_text(folder / "exam.md", exam)
    secret = "ghp_" + "Zx8mV2bT" * 4 + "abcd"
    write_text(folder / "key.txt", f"The key of the Ember service is {secret} now.")
    text = "All of the invoices are kept in the second drawer of the blue cabinet beside the door to the archive"
    for number in range(9):
        write_text(folder / "feed" / f"{number}.txt", f"{text}, copy {number}.")
        write_text(folder / "handbook" / f"{number}.txt", f"Rule {number} of the handbook is read by everyone.")


def test_what_is_offered_ends_as_the_docs_say(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    offer(tmp_path)
    write_text(tmp_path / "the-same-page.html", (tmp_path / "page.html").read_text(encoding="utf-8"))
    with acquire_run(workspace.settings.workspace) as context:
        counts = ingest(context, tmp_path)
        records = {record.name: record for record in context.ledger.documents.listed()}
        leased = begun(context).documents
    assert (counts.queued, counts.refused) == (2 + 4 + 9, 1 + 5)
    said = "15 new documents, 6 quarantined, 1 known already or the same as another."
    assert any(line.startswith(said) for line in caplog.messages)
    assert body(records["page.html"]) == f"{SAID}."
    assert records["exam.md"].reason == "question 1 is left out: it is what page.html says"
    assert records["key.txt"].reason.startswith("GitHub Token at character 32 of its text: remove it")
    assert sum(record.reason.startswith("a near-duplicate of feed/0.txt") for record in records.values()) == 5
    taken = [record.name for record in records.values() if record.id in leased]
    assert sum(name.startswith("feed/") for name in taken) == 2
    assert sum(name.startswith("handbook/") for name in taken) == 9


def body(record: DocumentRecord) -> str:
    return record.document.body if record.document else ""


def test_an_edited_page_replaces_its_earlier_text_that_still_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = init_workspace(tmp_path / "workspace", str(model_path()), actor="ada", device="cpu")
    page, rows = made.settings.incoming / "page.md", made.settings.incoming / "rows.jsonl"
    lines = [json.dumps({"title": f"Rule {one}", "body": f"Rule {one} is read by everyone."}) for one in range(3)]
    write_text(page, f"{SAID}.")
    write_text(rows, "\n".join(lines[1:]))
    write_text(tmp_path / "other" / "page.md", "Another page of that name stands in another folder.")
    with acquire_run(made.settings.workspace) as context:
        documents = context.ledger.documents
        ingest(context, None)
        (earlier,) = (one.id for one in documents.queued() if one.name == "page.md")
        write_text(rows, "\n".join(lines))  # each known row has another number now
        ingest(context, None)
        ingest(context, tmp_path / "other")
        (other,) = (one.id for one in documents.queued() if one.name == "page.md" and one.id != earlier)
        assert not caplog.messages
        documents.quarantine(other, "not now")
        write_text(page, f"---\ntitle: Ember\n---\n{SAID}.")
        ingest(context, None)
        assert (documents.get(earlier).state, len(documents.queued())) == ("quarantined", 1 + 3)
        assert documents.get(earlier).reason.startswith("its file was changed before a run took it")
        (told,) = caplog.messages
        assert told.startswith(
            f"changed files: their earlier content is quarantined, the new one waits: page.md ({earlier[:12]})"
        )
        documents.requeue([earlier])
        ingest(context, None)
        assert (documents.get(earlier).state, caplog.messages) == ("queued", [told])
