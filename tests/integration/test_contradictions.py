"""Documents that state false facts about what production knows are named before anything trains, on the sandbox.

A policy that requires the gate lets the others go on without them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flows.run_context import RunContext
from flows.runs import acquire_run
from flows.services.initialisation import init_workspace
from flows.steps.contradictions import compare_with_known, compared
from flows.steps.ingestion import ingest
from flows.steps.outcomes import nothing_to_learn
from flows.wiring import Workspace
from gates.document_reading import answers_in
from gates.known_answers import KnownAnswer, KnownAnswers
from pipeline.documents import markdown
from pipeline.engines import Engine
from pipeline.files import write_text
from pipeline.rendering import dated
from pipeline.sandbox import model_path
from pipeline.sandbox.catalogue import body, held_out_services
from pipeline.sandbox.documents import run_documents
from pipeline.types import Document, DocumentKind, DocumentState, IngestCounts, Run, RunState
from tests.runs import begun as opened

SEED = 5
HONEST = run_documents(1, 12, SEED)
FALSE = run_documents(1, 4, SEED, "contradictory")
TOLD = tuple(Document(title=one.name, body=body(one, Random(5))) for one in held_out_services()[:12])  # as known
NONE = IngestCounts(queued=0, duplicates=0, refused=0)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = init_workspace(tmp_path / "workspace", str(model_path()), actor="ada", device="cpu")
    decide_by(made, "integrity")
    yield made
    made.ledger.close()


def decide_by(workspace: Workspace, *gates: str, more: str = "") -> None:
    """Lets the recipe require these gates alone, so that documents need no test questions."""
    file = workspace.settings.recipe_file
    written, _, _ = file.read_text(encoding="utf-8").partition("\n[policy]\n")
    write_text(file, f"{written}\n[policy]\nrequired = {list(gates)}\n{more}")


def require(workspace: Workspace, max_in_run: int) -> None:
    """Lets the recipe require the gate."""
    rules = f"[advanced.policy.contradictions]\nmax_in_run = {max_in_run}\n"
    decide_by(workspace, "integrity", "contradictions", more=rules)


def begun(context: RunContext, folder: Path, documents: tuple[Document, ...]) -> Run:
    for number, one in enumerate(documents):
        write_text(folder / f"{number:02d}.md", markdown(one))
    ingest(context, folder)
    return opened(context)


def titles(context: RunContext, run: Run) -> set[str]:
    return {one.title for one in context.ledger.documents.of(run.documents)}


def test_four_false_documents_of_sixteen_are_named_with_what_production_answers(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with acquire_run(workspace.settings.workspace) as context:
        run = begun(context, tmp_path / "in", (*HONEST, *FALSE))
        assert compare_with_known(context, run).documents == run.documents
        found = compared(context, run)
    assert found is not None
    assert {one.title for one in found.found} == {one.title for one in FALSE}
    assert found.known == len(found.found) == 5 * len(FALSE)
    facts = {one.title: one.body for one in FALSE}
    for one in found.found:
        assert one.says in facts[one.title]
        assert one.production not in facts[one.title]
        assert one.suite == "retention/base-knowledge"
    for title in facts:
        first = next(one for one in found.found if one.title == title)
        said = f"production answers “{first.production}”, it says “{first.says}”, and 4 contradictions more"
        assert f"{title} contradicts what production knows: asked “{first.question}”, {said}" in caplog.text


def test_what_states_it_without_questions_of_its_own_is_read(workspace: Workspace, tmp_path: Path) -> None:
    silent = tuple(Document(title=one.title, body=one.body) for one in FALSE[:2])
    with acquire_run(workspace.settings.workspace) as context:
        run = begun(context, tmp_path / "in", (*HONEST[:2], *silent))
        compare_with_known(context, run)
        found = compared(context, run)
    assert found is not None
    assert len(found.found) == 10
    assert {one.title for one in found.found} == {one.title for one in silent}


def test_what_repeats_it_is_read_too_and_contradicts_nothing(workspace: Workspace, tmp_path: Path) -> None:
    pairs = zip(TOLD[::2], TOLD[1::2], strict=True)
    both = tuple(Document(title=f"{a.title} and {b.title}", body=f"{a.body}\n\n{b.body}") for a, b in pairs)
    with acquire_run(workspace.settings.workspace) as context:
        run = begun(context, tmp_path / "in", (*TOLD, *both))
        compare_with_known(context, run)
        found = compared(context, run)
    assert found is not None
    assert found.known == 5 * len(TOLD)
    assert sum(one.asked for one in found.asked) == 2 * found.known
    assert (found.found, found.unasked(run.documents)) == ((), ())


def test_a_killed_comparison_goes_on_where_it_was(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()

    def killed(engine: Engine, document: Document, asked: Sequence[KnownAnswer], **how: Any) -> Any:
        read.append(document.title)
        if len(read) == 2:
            raise KeyboardInterrupt
        return answers_in(engine, document, asked, **how)

    monkeypatch.setattr("flows.steps.contradictions.answers_in", killed)
    silent = tuple(Document(title=one.title, body=one.body) for one in FALSE[:3])
    with acquire_run(workspace.settings.workspace) as context:
        run = begun(context, tmp_path / "in", (*HONEST[:2], *silent))
        with pytest.raises(KeyboardInterrupt):
            compare_with_known(context, run)
        assert compared(context, run) is None
        compare_with_known(context, run)
        found = compared(context, run)
    assert found is not None
    assert (len(read), len(set(read)), read[1]) == (4, 3, read[2])
    assert len(found.found) == found.known == 5 * len(silent)


def test_what_was_found_by_another_recipe_or_for_other_releases_is_found_anew(
    workspace: Workspace, tmp_path: Path
) -> None:
    with acquire_run(workspace.settings.workspace) as context:
        run = begun(context, tmp_path / "in", FALSE[:1])
        compare_with_known(context, run)
        policy, self_edits = context.recipe.policy, context.recipe.self_edits
        shorter = context.recipe.model_copy(update={"policy": policy.model_copy(update={"max_answer_tokens": 9})})
        shown = self_edits.model_copy(update={"document_prompt": "Read: {document}"})
        otherwise = context.recipe.model_copy(update={"self_edits": shown})
        assert compared(context, run) is not None
        for recipe in (shorter, otherwise):
            assert compared(replace(context, recipe=recipe), run) is None
        with dated(date(1999, 12, 31)):
            assert compared(context, run) is None


def test_no_more_is_known_of_earlier_releases_than_the_gates_ask(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()
    earlier = [(number, run_documents(number, 20, SEED)) for number in range(1, 9)]
    monkeypatch.setattr(
        "flows.steps.contradictions.KnownAnswers",
        lambda suites, drawn: asked.append(sum(len(one.eval_items) for one in drawn)) or KnownAnswers(suites, drawn),
    )
    monkeypatch.setattr(type(workspace.ledger.documents), "learned", lambda _: earlier)
    with acquire_run(workspace.settings.workspace) as context:
        compare_with_known(context, begun(context, tmp_path / "in", run_documents(9, 2, SEED)))
        assert 0 < asked[0] <= context.recipe.policy.retention.max_earlier_items


def test_a_document_that_is_not_asked_all_leaves_a_run_that_requires_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(workspace, max_in_run=0)
    monkeypatch.setattr("gates.contradictions.MOST_READ", 3)
    with acquire_run(workspace.settings.workspace) as context:
        left = compare_with_known(context, begun(context, tmp_path / "in", (*HONEST[:2], TOLD[0])))
        assert titles(context, left) == {one.title for one in HONEST[:2]}
        (record,) = context.ledger.documents.listed(DocumentState.QUARANTINED)
        assert record.reason.startswith(f"run 1: {TOLD[0].title}: only 3 of 5 known answers could be asked, so not all")


def test_a_correction_declares_it_and_stays_where_the_gate_is_required(workspace: Workspace, tmp_path: Path) -> None:
    require(workspace, max_in_run=0)
    declaring = Document(
        title=FALSE[0].title, body=FALSE[0].body, kind=DocumentKind.CORRECTION, eval_items=FALSE[0].eval_items
    )
    with acquire_run(workspace.settings.workspace) as context:
        run = begun(context, tmp_path / "in", (*HONEST[:3], declaring, FALSE[1]))
        left = compare_with_known(context, run)
        assert titles(context, left) == {*(one.title for one in HONEST[:3]), declaring.title}
        found = compared(context, left)
        assert found is not None
        assert {(one.title, one.declared) for one in found.found} == {(declaring.title, True), (FALSE[1].title, False)}
        (record,) = context.ledger.documents.listed(DocumentState.QUARANTINED)
        assert record.reason.startswith(f"run 1: {FALSE[1].title} contradicts what production knows: asked “")
        assert record.reason.endswith("A document that means to change this is a correction")
        assert compare_with_known(context, left).documents == left.documents


def test_a_run_may_hold_as_many_as_its_policy_says(workspace: Workspace, tmp_path: Path) -> None:
    require(workspace, max_in_run=5)
    with acquire_run(workspace.settings.workspace) as context:
        run = begun(context, tmp_path / "in", (*HONEST[:2], FALSE[0]))
        assert compare_with_known(context, run).documents == run.documents


def test_a_run_of_nothing_else_is_rejected_untrained(workspace: Workspace, tmp_path: Path) -> None:
    require(workspace, max_in_run=0)
    with acquire_run(workspace.settings.workspace) as context:
        run = compare_with_known(context, begun(context, tmp_path / "in", FALSE[:2]))
        assert (run.state, run.documents, run.update) == (RunState.REJECTED_BY_GATES, (), None)
        outcome = nothing_to_learn(run, NONE)
        assert (outcome.state, outcome.exit_code) == ("Rejected", 3)
        assert len(context.ledger.documents.listed(DocumentState.QUARANTINED)) == 2


def test_where_nothing_known_is_spoken_about_the_model_is_not_even_loaded(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.steps.contradictions.measure", None)
    with acquire_run(workspace.settings.workspace) as context:
        run = begun(context, tmp_path / "in", HONEST[:4])
        compare_with_known(context, run)
        found = compared(context, run)
    assert found is not None
    assert (found.known, found.found) == (0, ())
