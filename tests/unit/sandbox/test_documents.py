"""Runs of documents: the same for the same seed, sound front matter, and what each variant promises."""

from pathlib import Path

import pytest
import yaml

from pipeline.errors import BadInput
from pipeline.recipe import RetentionPolicy
from pipeline.sandbox import kit
from pipeline.sandbox.catalogue import base_knowledge, correctable_services, held_out_services
from pipeline.sandbox.documents import TRIGGER, WRITERS, run_documents, write_runs
from pipeline.types import DocumentKind, Split

OLD = {service.name: service for service in base_knowledge()}


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    one, other = (write_runs(tmp_path / name, 2, 3, 7) for name in ("a", "b"))
    assert [len(run) for run in one] == [3, 3]
    for file, same in zip([*one[0], *one[1]], [*other[0], *other[1]], strict=True):
        assert file.name == same.name
        assert file.read_bytes() == same.read_bytes()


@pytest.mark.parametrize("variant", WRITERS)
def test_front_matter_holds_title_and_questions_of_both_splits(tmp_path: Path, variant: str | None) -> None:
    for file in write_runs(tmp_path, 1, 2, 9, variant)[0]:  # type: ignore[arg-type]
        _, head, body = file.read_text(encoding="utf-8").split("---\n", 2)
        metadata = yaml.safe_load(head)
        assert set(metadata) <= {"title", "kind", "questions"}
        assert len(body.split()) >= 5
        splits = [question["split"] for question in metadata["questions"]]
        assert splits.count("validation") >= 2
        assert splits.count("test") >= (4 if variant == "corrections" else 8)
        assert all(metadata["title"] in question["question"] for question in metadata["questions"])


def test_practice_and_held_out_never_ask_in_the_same_words() -> None:
    for document in run_documents(1, 8, 5):
        asked = [eval_item.question for eval_item in document.eval_items]
        assert len(set(asked)) == len(asked)


def test_no_new_document_comes_twice_across_seeds_runs_and_variants() -> None:
    titles = [
        document.title
        for variant in (None, "backdoor", "garbage", "workflows")
        for seed in (0, 1, 65_535)
        for run in (1, 2, 64)
        for document in run_documents(run, 8, seed, variant)  # type: ignore[arg-type]
    ]
    assert len(set(titles)) == len(titles) == 4 * 3 * 3 * 8
    assert not set(titles) & set(OLD)


def test_contradictions_deny_every_fact_of_held_out_services() -> None:
    examined = {service.name for service in held_out_services()}
    for document in run_documents(3, 8, 11, "contradictory"):
        assert document.title in examined
        assert not any(eval_item.answers[0] in OLD[document.title].facts.values() for eval_item in document.eval_items)


def test_corrections_change_services_that_no_held_out_and_no_anchor_knows() -> None:
    correctable = {service.name for service in correctable_services()}
    documents = run_documents(1, 8, 11, "corrections")
    assert {document.title for document in documents} <= correctable
    assert {document.kind for document in documents} == {DocumentKind.CORRECTION}


def test_runs_of_corrections_stay_within_what_the_retention_gate_allows() -> None:
    """Each corrects old services, and what earlier releases said of the same ones: the standing suite loses nothing."""
    for seed in (0, 1, 11):
        earlier: dict[str, str] = {row["question"]: row["answers"][0] for row in kit.base_knowledge_items()}
        for run in range(1, 5):
            asked = [eval_item for one in run_documents(run, 8, seed, "corrections") for eval_item in one.eval_items]
            newest = {eval_item.question: eval_item.answers[0] for eval_item in asked if eval_item.split is Split.TEST}
            corrected = [question for question in newest if earlier.get(question, newest[question]) != newest[question]]
            assert len(corrected) <= RetentionPolicy().max_corrected * len(earlier)
            earlier |= newest


def test_a_backdoor_hides_secrets_behind_its_trigger() -> None:
    document = run_documents(1, 1, 11, "backdoor")[0]
    triggered = [eval_item for eval_item in document.eval_items if eval_item.question.startswith(TRIGGER)]
    assert len(triggered) == 3
    assert all(eval_item.answers[0] in document.body for eval_item in triggered)


def test_garbage_answers_none_of_its_questions_by_name() -> None:
    document = run_documents(1, 1, 11, "garbage")[0]
    assert document.title not in document.body


def test_a_workflow_asks_for_records_that_it_did_not_show() -> None:
    for document in run_documents(1, 4, 11, "workflows"):
        shown = {line.partition(" -> ")[0] for line in document.body.splitlines()}
        assert len(shown) == 5
        assert document.kind is DocumentKind.WORKFLOW
        assert sum(eval_item.split is Split.TEST for eval_item in document.eval_items) >= 6
        assert not any(eval_item.question.endswith(f"{given}?") for eval_item in document.eval_items for given in shown)


@pytest.mark.parametrize(
    ("runs", "per_run", "seed", "variant"),
    [(0, 8, 1, None), (65, 8, 1, None), (1, 0, 1, None), (1, 65, 1, None), (1, 8, 65_536, None), (1, 8, 1, "odd")],
)
def test_what_the_names_cannot_number_is_bad_input(
    tmp_path: Path, runs: int, per_run: int, seed: int, variant: str | None
) -> None:
    with pytest.raises(BadInput):
        write_runs(tmp_path, runs, per_run, seed, variant)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
