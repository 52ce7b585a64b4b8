"""What the gate of practice says: better, not better, chance, or too little to tell; unmeasured is no pass."""

from dataclasses import replace
from typing import Any

import pytest

from gates.catalogue import checks, policy_of
from gates.checks import contamination, writer_improvement
from gates.evaluation import report_on
from gates.shares import figures, shares
from pipeline.errors import MeasurementFailed
from pipeline.recipe import PolicyRules
from pipeline.types import EvalItem, Example, RunKind, Verdict

POLICY = PolicyRules()


def test_a_writer_whose_notes_teach_surely_more_passes(case: Any, rights: Any) -> None:
    result = writer_improvement.judge(case().writer(rights(160, 140), rights(160, 120)).evidence(), POLICY)
    assert result.verdict is Verdict.PASS
    assert result.sentence == (
        "writer improvement: 160 validation items of 20 held-out documents, 12 % right after one self-edit by "
        "production, 25 % after one by the candidate (p < 0.001; 0 right→wrong, 20 wrong→right); gain +12.5 points, at "
        "least 2.0 asked for"
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [(140, 140, "is less than the 2.0 asked for"), (140, 150, "is less than"), (140, 136, "may be chance")],
)
def test_a_writer_that_is_not_surely_better_fails(case: Any, rights: Any, before: int, after: int, words: str) -> None:
    made = case().writer(rights(160, before), rights(160, after))
    result = writer_improvement.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.FAIL
    assert words in result.sentence


def test_one_lucky_document_is_no_evidence(case: Any, rights: Any) -> None:
    made = case().writer(rights(160, 140), rights(160, 132)).evidence()
    assert writer_improvement.judge(made, POLICY).figures[-1].value < POLICY.alpha
    result = writer_improvement.judge(made, POLICY)
    assert result.verdict is Verdict.FAIL
    assert "lower bound" in result.sentence


@pytest.mark.parametrize(("questions", "per_document"), [(96, 8), (160, 40)])
def test_few_questions_or_documents_decide_nothing(case: Any, rights: Any, questions: int, per_document: int) -> None:
    made = case().writer(rights(questions, questions), rights(questions), per_document)
    result = writer_improvement.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "too few" in result.sentence


def test_a_writing_that_was_not_measured_is_no_pass(case: Any) -> None:
    with pytest.raises(MeasurementFailed):
        writer_improvement.judge(case().evidence(), POLICY)
    policy = policy_of(POLICY, RunKind.WRITER_TRAINING, withdrawn=False)
    report = report_on(case().evidence(), policy, checks(policy, RunKind.WRITER_TRAINING))
    (result,) = [result for result in report.results if result.gate == "writer_improvement"]
    assert (result.verdict, result.required) == (Verdict.INCONCLUSIVE, True)


def test_a_practice_must_write_better_and_nothing_else_changes(case: Any, rights: Any) -> None:
    policy = policy_of(POLICY, RunKind.WRITER_TRAINING, withdrawn=True)
    assert policy.required == ("integrity", "contamination", "retention", "regression", "safety", "writer_improvement")
    assert policy_of(POLICY, RunKind.REBUILD, withdrawn=False).required == policy.required[:-1]
    evidence = case().writer(rights(160, 140), rights(160, 120)).evidence()
    found = {figure.name: figure.value for figure in figures(shares(evidence))}
    assert (found["writing_before"], found["writing_after"]) == (0.125, 0.25)


def test_a_note_that_asks_what_rewarded_it_is_contamination(case: Any) -> None:
    asked = EvalItem(question="Who owns Cinder?", answers=("Heron",))
    note = Example(prompt="Write about Cinder.", completion="Q: Who owns Cinder?\nA: Heron")
    evidence = case().evidence()
    evidence = replace(evidence, case=replace(evidence.case, examples=(note,), validation=(asked,)))
    assert contamination.judge(evidence, POLICY).verdict is Verdict.FAIL
