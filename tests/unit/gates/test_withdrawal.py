"""What the withdrawal gate says: forgotten, still known, or nothing to tell by; and what a rebuild is asked at all."""

from dataclasses import replace
from typing import Any

import pytest

from gates import views
from gates.account import NO_ACCOUNT
from gates.catalogue import checks, policy_of
from gates.checks import contamination, withdrawal
from gates.evaluation import report_on
from gates.report import render
from gates.summary import markdown
from pipeline.recipe import PolicyRules, WithdrawalPolicy
from pipeline.types import Document, Example, RunKind, Verdict

POLICY = PolicyRules()
UNEXAMINED = PolicyRules(withdrawal=WithdrawalPolicy(min_items=0))


def test_what_is_answered_as_by_the_base_is_forgotten(case: Any, rights: Any) -> None:
    made = case().withdrawn(rights(32, 1), rights(32, 30), rights(32, 30))
    result = withdrawal.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.PASS
    assert result.sentence == (
        "withdrawal: of 32 questions about 4 withdrawn documents production answers 31, the candidate 2, and the "
        "base model, which never saw them, 2; 0.0 points, margin 3.0: forgotten"
    )


@pytest.mark.parametrize("still", [4, 5, 8])
def test_what_is_surely_answered_more_often_than_by_the_base_is_still_known(case: Any, rights: Any, still: int) -> None:
    result = withdrawal.judge(case().withdrawn(rights(8), rights(8, 8 - still), rights(8, 8)).evidence(), POLICY)
    assert result.verdict is Verdict.FAIL
    assert "still knows" in result.sentence
    assert "rebuild again" in result.sentence


def test_one_lucky_answer_of_few_is_no_memory_as_long_as_production_shows_that_the_questions_tell(
    case: Any, rights: Any
) -> None:
    lucky = withdrawal.judge(case().withdrawn(rights(8), rights(8, 7), rights(8, 8)).evidence(), POLICY)
    assert lucky.verdict is Verdict.PASS
    assert "may be chance" in lucky.sentence
    unknown = withdrawal.judge(case().withdrawn(rights(8, 7), rights(8, 7), rights(8, 8)).evidence(), POLICY)
    assert unknown.verdict is Verdict.INCONCLUSIVE
    assert "too few questions to tell memory from chance" in unknown.sentence
    doubtful = withdrawal.judge(case().withdrawn(rights(8), rights(8, 5), rights(8, 8)).evidence(), POLICY)
    assert doubtful.verdict is Verdict.INCONCLUSIVE


def test_over_many_questions_no_excess_is_chance(case: Any, rights: Any) -> None:
    after = [float(at % 8 == 0) for at in range(400)]
    base = [float(at % 8 == 1 and at < 280) for at in range(400)]
    made = case().withdrawn(rights(400), after, base)
    assert withdrawal.judge(made.evidence(), POLICY).verdict is Verdict.FAIL
    few = PolicyRules(withdrawal=WithdrawalPolicy(conclusive_items=500))
    assert withdrawal.judge(made.evidence(), few).verdict is Verdict.PASS


def test_one_document_that_is_mostly_known_fails_among_many_that_are_forgotten(case: Any, rights: Any) -> None:
    made = case().withdrawn(rights(200), [1.0] * 6 + [0.0] * 194, rights(200, 200))
    result = withdrawal.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.FAIL
    assert "still knows “gone 0”" in result.sentence


def test_a_withdrawn_document_without_held_out_questions_is_no_silent_pass(case: Any, rights: Any) -> None:
    bare = Document(title="bare", body="bare")
    alone = case().evidence()
    alone = replace(alone, case=replace(alone.case, withdrawn=(bare,)))
    result = withdrawal.judge(alone, POLICY)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "1 withdrawn document with 0 test questions" in result.sentence
    assert "policy.withdrawal.min_items = 0" in result.sentence
    assert withdrawal.judge(alone, UNEXAMINED).verdict is Verdict.PASS
    made = case().withdrawn(rights(8), rights(8, 8), rights(8, 8)).evidence()
    beside = replace(made, case=replace(made.case, withdrawn=(*made.case.withdrawn, bare)))
    assert withdrawal.judge(beside, POLICY).verdict is Verdict.INCONCLUSIVE
    assert withdrawal.judge(beside, UNEXAMINED).verdict is Verdict.PASS


def test_where_nothing_is_to_be_forgotten_the_gate_says_so_and_is_not_required(case: Any) -> None:
    result = withdrawal.judge(case().evidence(), POLICY)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "there is nothing to forget" in result.sentence
    assert "withdrawal" not in policy_of(POLICY, RunKind.REBUILD, withdrawn=False).required


def test_what_a_document_that_stays_answers_alike_is_not_to_be_forgotten(case: Any, rights: Any) -> None:
    made = case().withdrawn(rights(8), rights(8, 4), rights(8, 8)).release_set(1, rights(4), rights(4)).evidence()
    assert withdrawal.judge(made, POLICY).verdict is Verdict.FAIL
    (release_set,), (gone,) = made.case.earlier, made.case.withdrawn
    alike = replace(
        release_set, eval_items=(*release_set.eval_items, *[replace(one, group="new") for one in gone.eval_items[4:]])
    )
    result = withdrawal.judge(replace(made, case=replace(made.case, earlier=(alike,))), POLICY)
    assert result.verdict is Verdict.PASS
    assert result.sentence.startswith("withdrawal: of 4 questions about 1 withdrawn document")
    otherwise = replace(alike, eval_items=tuple(replace(one, answers=("another",)) for one in alike.eval_items))
    assert (
        withdrawal.judge(replace(made, case=replace(made.case, earlier=(otherwise,))), POLICY).verdict is Verdict.FAIL
    )


def test_no_training_example_of_a_rebuild_asks_about_what_is_withdrawn(case: Any, rights: Any) -> None:
    made = case().withdrawn(rights(8), rights(8, 8), rights(8, 8))
    assert contamination.judge(made.evidence(), POLICY).verdict is Verdict.PASS
    made.examples = [Example(prompt="Withdrawn question 3?", completion="x")]
    assert contamination.judge(made.evidence(), POLICY).verdict is Verdict.FAIL


def test_a_rebuild_must_pass_what_a_run_must_but_for_acquisition() -> None:
    policy = policy_of(POLICY, RunKind.REBUILD, withdrawn=True)
    assert policy.required == ("integrity", "contamination", "retention", "regression", "safety", "withdrawal")
    assert policy_of(POLICY, RunKind.NIGHTLY, withdrawn=False) is POLICY


def test_the_report_shows_what_was_withdrawn_and_counts_it_as_no_loss(case: Any, rights: Any) -> None:
    made = case().withdrawn(rights(16), rights(16, 15), rights(16, 14)).release_set(1, rights(4), rights(4)).evidence()
    policy = policy_of(POLICY, RunKind.REBUILD, withdrawn=True)
    report = report_on(made, policy, checks(policy, RunKind.REBUILD))
    assert [figure.name for figure in report.recall][:2] == ["withdrawn_before", "withdrawn_after"]
    assert [bar.label for bar in views.bars(made)] == ["Withdrawn documents", "Earlier releases"]
    assert views.flips(made, lost=True) == ()
    seen = [(one.title, one.before, one.after, one.base) for one in views.withdrawn(made)]
    assert seen == [("gone 0", 8, 0, 0), ("gone 8", 8, 1, 2)]
    page = render(report, made, NO_ACCOUNT, None)
    assert "Withdrawn documents" in page
    assert "Documents of this run" not in page
    assert "| gone 8 | 8 | 8 | 1 | 2 |" in markdown(report, made).replace("&emsp;", "")
