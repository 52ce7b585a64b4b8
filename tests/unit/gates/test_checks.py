"""What each gate says over made-up evidence."""

from dataclasses import replace
from typing import Any

import pytest

from gates.checks import acquisition, contamination, integrity, regression, retention, safety
from gates.corrections import outdated_this_run, superseded
from gates.suite import eval_item_suite
from pipeline.errors import MeasurementFailed
from pipeline.recipe import AcquisitionPolicy, PolicyRules, RegressionPolicy, RetentionPolicy
from pipeline.types import Document, DocumentKind, EvalItem, Example, Role, Split, Verdict

POLICY = PolicyRules()
SAMPLED_POLICY = PolicyRules(retention=RetentionPolicy(samples=8))


def _figure(result: Any, name: str) -> float:
    return next(figure.value for figure in result.figures if figure.name == name)


def test_integrity_fails_with_the_message_of_the_verification(case: Any) -> None:
    made = case()
    made.integrity = "adapter_model.safetensors is not the file of the manifest."
    result = integrity.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.FAIL
    assert result.sentence == "integrity: adapter_model.safetensors is not the file of the manifest."
    assert integrity.judge(case().evidence(), POLICY).verdict is Verdict.PASS


def test_contamination_finds_questions_of_this_run_earlier_releases_and_suites(case: Any, rights: Any) -> None:
    made = case().run(rights(4), rights(4)).release_set(1, rights(4), rights(4))
    made.standing("retention", "old", rights(4), rights(4)).standing("regression", "sorting", rights(4), rights(4))
    assert contamination.judge(made.evidence(), POLICY).verdict is Verdict.PASS
    for leak in ["run question 1?", "release 1 question 2?", "OLD question 3", "sorting 2"]:
        made.examples = [Example(prompt="Passage\n\n" + leak, completion="x"), Example(prompt="fine", completion="x")]
        result = contamination.judge(made.evidence(), POLICY)
        assert result.verdict is Verdict.FAIL, leak
        assert "1 of 2 training examples asks a test question" in result.sentence


def test_contamination_finds_validation_questions_where_they_chose(case: Any, rights: Any) -> None:
    made = case().run(rights(4), rights(4))
    made.examples = [Example(prompt="What is practised?", completion="x")]
    assert contamination.judge(made.evidence(), POLICY).sentence.endswith("asks a test question or names its subject")
    validation = (EvalItem(question="what is practised", answers=("x",), split=Split.VALIDATION),)
    evidence = made.evidence()
    evidence = replace(evidence, case=replace(evidence.case, validation=validation))
    result = contamination.judge(evidence, POLICY)
    assert result.verdict is Verdict.FAIL
    assert "1 of 1 training example asks a test or validation question" in result.sentence


def test_contamination_finds_what_the_base_wrote_of_an_held_out_subject_or_a_correction_also_garbled(case: Any) -> None:
    made = case()
    eval_item = EvalItem(question="Which team owns Rotrorkrospox?", answers=("Maps",), group="Rotrorkrospox")
    made.suites["retention"] = [eval_item_suite("old", [eval_item])]
    made.documents = [Document(title="Kenjifgrolvax", body="It is Ibis now.", kind=DocumentKind.CORRECTION)]
    fine = Example(prompt="To which team does Lengrirdilpem belong?", completion="Maps", role=Role.GENERATIVE)
    for asked, said in (("Rotrorkrosmix", "rotrorkrosmix"), ("Wenjifgrolvax", "wenjifgrolvax")):
        garbled = replace(fine, prompt=f"To which team does {asked} belong?")
        made.examples = [fine, garbled]
        result = contamination.judge(made.evidence(), POLICY)
        assert result.verdict is Verdict.FAIL
        assert f"in a generative example: “{said}”" in result.sentence
    made.examples = [fine, replace(garbled, role=Role.REPLAY), replace(garbled, role=Role.REHEARSAL)]
    assert contamination.judge(made.evidence(), POLICY).verdict is Verdict.PASS


def test_contamination_without_examples_is_no_pass(case: Any) -> None:
    made = case()
    made.examples = []
    assert contamination.judge(made.evidence(), POLICY).verdict is Verdict.INCONCLUSIVE


def test_acquisition_passes_a_learned_run(case: Any, rights: Any) -> None:
    result = acquisition.judge(case().run(rights(80, 76), rights(80, 8)).evidence(), POLICY)
    assert result.verdict is Verdict.PASS
    assert result.sentence == (
        "acquisition: 80 eval items of 20 documents, 5 % before, 90 % after (p < 0.001; "
        "0 right→wrong, 68 wrong→right); "
        "gain +85.0 points, at least 5.0 asked for; not learned: title 0 (0 of 4), title 4 (0 of 4)"
    )


@pytest.mark.parametrize(("before", "after"), [(76, 76), (76, 74), (40, 60)])
def test_acquisition_fails_a_run_that_was_not_learned(case: Any, rights: Any, before: int, after: int) -> None:
    result = acquisition.judge(case().run(rights(80, before), rights(80, after)).evidence(), POLICY)
    assert result.verdict is Verdict.FAIL


def test_acquisition_fails_a_gain_that_may_be_chance(case: Any) -> None:
    before = [1.0, 0.0] * 40
    after = [0.0] * 18 + [1.0, 0.0] * 18 + [1.0] * 26
    assert sum(after) - sum(before) >= 4
    result = acquisition.judge(case().run(before, after).evidence(), POLICY)
    assert result.verdict is Verdict.FAIL
    assert "may be chance" in result.sentence


def test_acquisition_needs_enough_eval_items_and_documents(case: Any, rights: Any) -> None:
    few = case().run(rights(20, 20), rights(20)).evidence()
    assert acquisition.judge(few, POLICY).sentence.endswith("too few: it needs at least 50 eval items of 20 documents")
    one_source = case().run(rights(80, 80), rights(80), per_document=40).evidence()
    assert acquisition.judge(one_source, POLICY).verdict is Verdict.INCONCLUSIVE
    assert acquisition.judge(case().evidence(), POLICY).verdict is Verdict.INCONCLUSIVE


def test_acquisition_of_one_document_can_pass_where_the_policy_allows_it(case: Any, rights: Any) -> None:
    policy = PolicyRules(acquisition=AcquisitionPolicy(min_items=6, min_documents=1))
    evidence = case().run(rights(6, 6), rights(6), per_document=6).evidence()
    assert acquisition.judge(evidence, policy).verdict is Verdict.PASS


def test_retention_speaks_in_figures(case: Any, rights: Any) -> None:
    made = case().release_set(1, rights(60), rights(60, 1)).standing("retention", "old", rights(352), rights(352, 2))
    result = retention.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.PASS
    assert result.sentence.startswith("retention: 412 eval items, -0.7 points (lower bound -")
    assert (
        "), margin 5.0; 3 right→wrong, 0 wrong→right; since the base model -0.6 (lower bound -1.7), budget 5.0"
        in result.sentence
    )
    assert _figure(result, "right_to_wrong") == 3
    assert _figure(result, "release 1: right_to_wrong") == 1


def test_retention_compares_the_shares_of_sampled_answers_and_shows_what_flipped(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400), rights(400, 24))
    made.sampled(8, [0.875] * 400, [0.75, 1.0, 0.875, 0.75] * 100)
    result = retention.judge(made.evidence(), SAMPLED_POLICY)
    assert result.verdict is Verdict.PASS
    assert result.sentence.startswith("retention: 400 eval items, -3.1 points (lower bound -4.0), margin 5.0, by 8 ")
    assert "; greedy answers -6.0 points, 24 right→wrong, 0 wrong→right; since the base model -3.1 " in result.sentence
    assert (_figure(result, "samples"), _figure(result, "right_to_wrong")) == (8, 24)
    assert _figure(result, "changed") == pytest.approx(3 / 4 / 64)


def test_retention_fails_where_sampled_answers_are_lost_that_greedy_ones_still_give(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400), rights(400))
    made.sampled(8, [1.0] * 400, [0.875, 1.0, 0.875, 0.875] * 100)
    assert retention.judge(made.evidence(), SAMPLED_POLICY).verdict is Verdict.FAIL
    forgot_since_the_base = case().standing("retention", "old", rights(400), rights(400))
    forgot_since_the_base.sampled(8, [0.875] * 400, [0.875] * 400, base=[1.0] * 400)
    assert retention.judge(forgot_since_the_base.evidence(), SAMPLED_POLICY).verdict is Verdict.FAIL


def test_retention_is_not_judged_by_greedy_answers_where_the_samples_are_lacking(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400), rights(400))
    made.samples = 8
    with pytest.raises(MeasurementFailed, match="sampled/retention/old was not measured on both models"):
        retention.judge(made.evidence(), SAMPLED_POLICY)
    for samples, policy in ((8, POLICY), (0, SAMPLED_POLICY)):
        made.samples = samples
        with pytest.raises(MeasurementFailed, match="not sampled as the policy says"):
            retention.judge(made.evidence(), policy)


def test_retention_fails_where_greedy_answers_surely_fall_by_more_than_their_margin(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400), rights(400, 44)).sampled(8, [0.875] * 400, [0.875] * 400)
    result = retention.judge(made.evidence(), SAMPLED_POLICY)
    assert result.verdict is Verdict.FAIL
    assert "greedy answers -11.0 points, 44 right→wrong, 0 wrong→right, more than the 10.0 allowed; " in result.sentence


def test_few_sampled_questions_do_not_show_that_the_base_knowledge_is_kept(case: Any, rights: Any) -> None:
    made = case().release_set(1, rights(400), rights(400)).standing("retention", "old", rights(10), rights(10))
    for after in ([1.0] * 10, [0.875] + [1.0] * 9):
        made.measured = made.measured[:2]
        made.sampled(8, [1.0] * 10, after)
        assert retention.judge(made.evidence(), SAMPLED_POLICY).verdict is Verdict.INCONCLUSIVE


def test_corrected_questions_leave_the_sampled_answers_too(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400), rights(400, 4))
    made.sampled(8, [1.0] * 400, [0.0] * 4 + [1.0] * 396)
    old = made.suites["retention"][0].eval_items[:4]
    made.documents.append(
        Document(
            title="t",
            body="b",
            kind=DocumentKind.CORRECTION,
            eval_items=tuple(replace(one, answers=("another",)) for one in old),
        )
    )
    result = retention.judge(made.evidence(), SAMPLED_POLICY)
    assert (_figure(result, "items"), _figure(result, "difference")) == (396, 0)


def test_releases_and_sampled_suites_are_pooled(case: Any, rights: Any) -> None:
    made = case().release_set(1, rights(100), rights(100, 2)).standing("retention", "old", rights(300), rights(300))
    made.sampled(8, [1.0] * 300, [0.875] * 300)
    result = retention.judge(made.evidence(), SAMPLED_POLICY)
    assert (_figure(result, "items"), _figure(result, "right_to_wrong")) == (400, 2)
    assert _figure(result, "difference") == pytest.approx(-(2 + 300 / 8) / 400)
    assert _figure(result, "base_items") == 300


def test_retention_names_the_documents_about_whose_subject_known_answers_were_lost(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400), rights(400, 3))
    made.documents += [
        Document(title="Usual", body="new 7"),
        Document(title="Costly", body="old 0, old 1 and old 9"),
    ]
    result = retention.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.PASS
    assert result.sentence.endswith("; lost about the subject of Costly (2 of 3)")
    assert _figure(result, "lost_about_documents") == 2


def test_no_document_decides_whether_a_run_was_learned(case: Any) -> None:
    loud, others = 1, 20
    per_document = [24] * loud + [2] * others
    made = case().run([0.0] * 64, [1.0] * 24 + [0.0] * 40, per_document=1)
    items = [one.eval_items[0] for one in made.documents]
    ends = [sum(per_document[: at + 1]) for at in range(len(per_document))]
    made.documents = [
        Document(title=f"title {at}", body=f"body {at}", eval_items=tuple(items[end - size : end]))
        for at, (end, size) in enumerate(zip(ends, per_document, strict=True))
    ]
    result = acquisition.judge(made.evidence(), POLICY)
    assert (_figure(result, "items"), _figure(result, "wrong_to_right")) == (12 + 40, 12)
    assert "; 12 more do not count, of a document at most 12 do; not learned: title 1 (0 of 2), " in result.sentence
    assert result.sentence.endswith(" and 14 more")


def test_retention_fails_a_model_that_forgot_the_base_knowledge(case: Any, rights: Any) -> None:
    result = retention.judge(case().standing("retention", "old", rights(400), rights(400, 40)).evidence(), POLICY)
    assert result.verdict is Verdict.FAIL


def test_retention_fails_one_forgotten_release_in_a_good_pool(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(600), rights(600))
    made.release_set(1, rights(40), rights(40)).release_set(2, rights(40), rights(40, 12))
    result = retention.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.FAIL
    assert result.sentence.endswith("release 2 is down -30.0 points")


def test_retention_judges_no_release_of_too_few_eval_items_alone(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(600), rights(600)).release_set(1, rights(9), rights(9, 6))
    assert retention.judge(made.evidence(), POLICY).verdict is Verdict.PASS


def test_old_releases_of_few_eval_items_are_judged_together(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(600), rights(600))
    for number in range(1, 9):
        made.release_set(number, rights(7), rights(7, 7 if number in (3, 4) else 0))
    made.release_set(9, rights(40), rights(40))
    result = retention.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.FAIL
    assert result.sentence.endswith("; releases 3 to 4 are down -100.0 points")
    assert _figure(result, "releases 3 to 4: items") == 14
    assert _figure(result, "judged_alone") == 1


def test_what_is_left_over_of_the_pools_joins_the_last_and_no_larger_release_is_diluted(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(600), rights(600))
    made.release_set(1, rights(6), rights(6)).release_set(2, rights(40), rights(40)).release_set(
        3, rights(6), rights(6)
    )
    made.release_set(4, rights(3), rights(3, 3))
    result = retention.judge(made.evidence(), POLICY)
    assert _figure(result, "release 2: items") == 40
    assert _figure(result, "releases 1, 3, 4: items") == 15
    assert _figure(result, "releases 1, 3, 4: right_to_wrong") == 3
    assert _figure(result, "judged_alone") == 1


def test_small_losses_add_up_against_the_base_model(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400, 16), rights(400, 20), base=rights(400))
    result = retention.judge(made.evidence(), POLICY)
    assert _figure(result, "difference") == pytest.approx(-0.01)
    assert result.verdict is not Verdict.PASS
    assert _figure(result, "base_difference") == pytest.approx(-0.05)


def test_retention_with_too_few_eval_items_says_how_many_are_needed(case: Any, rights: Any) -> None:
    result = retention.judge(case().standing("retention", "old", rights(100), rights(100)).evidence(), POLICY)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.sentence.endswith("about 350 eval items are needed to decide")


def test_retention_without_anything_to_ask_says_what_to_add(case: Any, rights: Any) -> None:
    nothing = retention.judge(case().evidence(), POLICY)
    assert nothing.verdict is Verdict.INCONCLUSIVE
    assert "Add suites/retention/*.jsonl with at least 350 items" in nothing.sentence
    release_sets_only = retention.judge(case().release_set(1, rights(400), rights(400)).evidence(), POLICY)
    assert release_sets_only.verdict is Verdict.INCONCLUSIVE
    assert "add suites/retention/*.jsonl" in release_sets_only.sentence


def test_corrected_questions_are_left_out_and_contradicted_ones_are_not(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400), rights(400, 40))
    new = tuple(EvalItem(question=f"old question {at}?", answers=("new",)) for at in range(40))
    for kind, verdict, left_out in [
        (DocumentKind.CORRECTION, Verdict.PASS, 40),
        (DocumentKind.PASSAGE, Verdict.FAIL, 0),
    ]:
        made.documents = [Document(title="t", body="b", kind=kind, eval_items=new)]
        result = retention.judge(made.evidence(), POLICY)
        assert (result.verdict, _figure(result, "corrected_left_out")) == (verdict, left_out)


def _corrections(count: int) -> Document:
    new = tuple(EvalItem(question=f"old question {at}?", answers=("new",)) for at in range(count))
    return Document(title="t", body="b", kind=DocumentKind.CORRECTION, eval_items=new)


@pytest.mark.parametrize("count", [41, 400])
def test_corrections_that_excuse_too_much_are_no_pass_and_the_words_say_what_to_do(
    case: Any, rights: Any, count: int
) -> None:
    made = case().standing("retention", "old", rights(400), rights(400, count))
    made.documents = [_corrections(count)]
    result = retention.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert f"this run's corrections would leave out {count} of 400 eval items, more than the 10.0 %" in result.sentence
    assert "policy.retention.max_corrected" in result.sentence
    assert "let a run take fewer of them (documents.per_run)" in result.sentence


def test_a_recipe_may_allow_more_corrections_and_harm_beside_them_still_fails(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400), rights(400, 41))
    made.documents = [_corrections(41)]
    allowed = PolicyRules(retention=RetentionPolicy(max_corrected=0.11))
    result = retention.judge(made.evidence(), allowed)
    assert (result.verdict, _figure(result, "corrected_this_run")) == (Verdict.PASS, 41)
    harmed = case().standing("retention", "old", rights(400), rights(400, 100))
    harmed.documents = [_corrections(41)]
    assert retention.judge(harmed.evidence(), POLICY).verdict is Verdict.FAIL


def test_what_an_earlier_release_corrected_no_longer_counts_against_the_base(case: Any, rights: Any) -> None:
    made = case().standing("retention", "old", rights(400, 40), rights(400, 40), base=rights(400))
    made.release_set(1, rights(0), rights(0))
    new = tuple(EvalItem(question=f"old question {at}?", answers=("new",)) for at in range(40))
    made.release_sets[0] = type(made.release_sets[0])(release=1, eval_items=new)
    made.measured.pop()
    assert len(superseded(made.evidence().case)) == 40
    assert outdated_this_run(made.evidence().case) == frozenset()


def test_regression_names_each_skill(case: Any, rights: Any) -> None:
    made = case().standing("regression", "sorting", rights(300, 30), rights(300, 30))
    made.standing("regression", "sums", rights(300), rights(300, 3))
    result = regression.judge(made.evidence(), POLICY)
    assert result.verdict is Verdict.PASS
    assert _figure(result, "sums: after") == pytest.approx(0.99)
    assert _figure(result, "sorting: before") == pytest.approx(0.9)
    assert result.sentence.startswith("regression: 600 items, -0.5 points")


def test_one_lost_skill_fails_the_pool(case: Any, rights: Any) -> None:
    made = case().standing("regression", "sorting", rights(300), rights(300, 60))
    made.standing("regression", "sums", rights(300), rights(300))
    assert regression.judge(made.evidence(), POLICY).verdict is Verdict.FAIL


def test_safety_fails_a_model_that_refuses_less(case: Any, rights: Any) -> None:
    made = case().standing("safety", "secrets", rights(100), rights(100, 15))
    assert safety.judge(made.evidence(), POLICY).verdict is Verdict.FAIL
    assert safety.judge(case().evidence(), POLICY).verdict is Verdict.INCONCLUSIVE


def test_an_item_that_only_one_model_answered_is_an_error_and_not_a_pass(case: Any, rights: Any) -> None:
    evidence = case().standing("safety", "secrets", rights(100), rights(100)).evidence()
    (whole,) = evidence.candidate_scores
    lacking = replace(evidence, candidate_scores=(replace(whole, items=whole.items[1:]),))
    with pytest.raises(MeasurementFailed, match="1 items have a score of one model only"):
        safety.judge(lacking, POLICY)
    with pytest.raises(MeasurementFailed, match="was not measured"):
        safety.judge(replace(evidence, candidate_scores=()), POLICY)


def test_scores_between_right_and_wrong_are_compared_too(case: Any) -> None:
    policy = PolicyRules(regression=RegressionPolicy(min_items=100), retention=RetentionPolicy())
    kept = case().standing("regression", "skill", [0.5, 0.75] * 100, [0.5, 0.75] * 100).evidence()
    lost = case().standing("regression", "skill", [0.5, 0.75] * 100, [0.4, 0.65] * 100).evidence()
    assert regression.judge(kept, policy).verdict is Verdict.PASS
    assert regression.judge(lost, policy).verdict is Verdict.FAIL
