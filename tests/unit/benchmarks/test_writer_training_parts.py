"""What the benchmarks of writer training train on, and what they report on, have nothing in common."""

import json
from pathlib import Path

from benchmarks.plots import draw_writer_training
from benchmarks.writer_training_parts import asked_all, composition, training_documents, workflow_halves
from pipeline.sandbox.documents import run_documents
from pipeline.types import Split


def test_no_composition_is_trained_on_and_reported_on() -> None:
    halves = [workflow_halves(seed) for seed in (1003, 1004)]
    trained = {composition(one) for seen, _ in halves for one in seen}
    reported = {composition(one) for _, unseen in halves for one in unseen}
    assert trained
    assert reported
    assert trained.isdisjoint(reported)
    assert sum(len(seen) + len(unseen) for seen, unseen in halves) == 128


def test_training_documents_ask_every_question_for_validation_and_none_held_out() -> None:
    asked = training_documents(1003, 2)
    assert [document.title for document in asked] == [one.title for one in run_documents(1, 2, 1003)]
    assert {len(document.eval_items) for document in asked} == {24}
    workflow = asked_all(run_documents(1, 1, 1003, "workflows")[0])
    assert {eval_item.split for one in (*asked, workflow) for eval_item in one.eval_items} == {Split.VALIDATION}


def test_the_plot_is_drawn_from_the_results_alone(tmp_path: Path) -> None:
    figures = [
        {"name": "facts: one self-edit by the base", "value": 0.1},
        {"name": "facts: mean reward in ReST-EM round 1", "value": 0.1},
        {"name": "GRPO: mean reward at step 1", "value": 0.1},
    ]
    (tmp_path / "r.json").write_text(json.dumps({"figures": figures}))
    draw_writer_training(tmp_path / "r.json", tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
