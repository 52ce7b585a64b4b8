"""Corrections pass only where the new answers are given, the old ones are gone, and what lies beside them stays."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gates.checks import corrections
from gates.corrections import FORMS, fewest_questions, locality_items
from gates.evidence import LOCALITY, RUN, Evidence, held_out_items
from gates.statistics import wilson
from gates.suite import Suites, eval_item_suite
from pipeline.recipe import CorrectionsPolicy, PolicyRules
from pipeline.types import Document, DocumentKind, EvalItem, Example, GateResult, ItemScore, ModelRef, Scores, Verdict

SUBJECTS, ATTRIBUTES = [f"Svc{at}" for at in range(8)], [f"attribute{at}" for at in range(20)]
POLICY = PolicyRules()


def _asks(subject: str, attribute: str) -> str:
    return f"What is the {attribute} of {subject}?"


def _correction(subject: str) -> Document:
    """Corrects the first four attributes; its questions have no group, as those of a file."""
    eval_items = tuple(EvalItem(question=_asks(subject, one), answers=("new",)) for one in ATTRIBUTES[:4])
    return Document(title=subject, body=f"{subject} is new.", kind=DocumentKind.CORRECTION, eval_items=eval_items)


STANDING = eval_item_suite(
    "retention/old",
    [
        EvalItem(question=_asks(f"Old{at}", one), answers=("right",), group=f"Old{at}")
        for at in range(6)
        for one in ATTRIBUTES
    ],
)
CORRECTIONS = tuple(map(_correction, SUBJECTS))


def _scores(model: str, suite: str, eval_items: Sequence[EvalItem], answers: Sequence[str]) -> Scores:
    items = tuple(
        ItemScore(item=eval_item.id, score=float(answer in eval_item.answers), answer=answer, group=eval_item.group)
        for eval_item, answer in zip(eval_items, answers, strict=True)
    )
    return Scores(model=ModelRef(base="b" * 64, adapter=model), suite=suite, items=items)


def _evidence(
    case: Any, run: Sequence[str], beside: Sequence[str] = (), similar: Sequence[str] = (), old: str = "old"
) -> Evidence:
    """The candidate's answers; what is not given is as before."""
    documents, suites = CORRECTIONS, Suites(retention=(STANDING,))
    asked = held_out_items(documents)
    around = locality_items(documents, STANDING.eval_items)
    told = [*run, *["new"] * (len(asked) - len(run))]
    near = [*beside, *["stays"] * (len(around) - len(beside))]
    others = [*similar, *["right"] * (len(STANDING.eval_items) - len(similar))]
    made = case().evidence()
    return replace(
        made,
        case=replace(made.case, documents=documents, suites=suites),
        production_scores=(
            _scores("1", RUN, asked, [old] * len(asked)),
            _scores("1", LOCALITY, around, ["stays"] * len(around)),
            _scores("1", STANDING.name, STANDING.eval_items, ["right"] * len(STANDING.eval_items)),
        ),
        candidate_scores=(
            _scores("2", RUN, asked, told),
            _scores("2", LOCALITY, around, near),
            _scores("2", STANDING.name, STANDING.eval_items, others),
        ),
    )


def _figure(result: GateResult, name: str) -> float:
    return next(figure.value for figure in result.figures if figure.name == name)


@pytest.mark.parametrize(("new", "old", "alpha"), [(0.75, 0.15, 0.05), (0.5, 0.5, 0.05), (0.9, 0.3, 0.01)])
def test_the_fewest_questions_of_corrections_are_those_that_both_bounds_need(
    new: float, old: float, alpha: float
) -> None:
    def enough(n: int) -> bool:
        return wilson(n, n, 2 * alpha)[0] >= new and wilson(0, n, 2 * alpha)[1] <= old

    n = fewest_questions(CorrectionsPolicy(min_new=new, max_old=old), alpha)
    assert enough(n)
    assert not enough(n - 1)


def test_a_run_without_corrections_passes_in_words(case: Any) -> None:
    result = corrections.judge(case().evidence(), POLICY)
    assert (result.verdict, result.sentence) == (
        Verdict.PASS,
        "corrections: not applicable: no document of this run corrects anything",
    )


def test_corrections_that_took_and_spared_the_rest_pass(case: Any) -> None:
    result = corrections.judge(_evidence(case, []), POLICY)
    assert result.verdict is Verdict.PASS
    assert "32 questions, 100 % with the new answer" in result.sentence
    assert (_figure(result, "same_subject_items"), _figure(result, "similar_subjects_items")) == (8 * 16, 6 * 4)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (["old"] * 32, Verdict.FAIL),
        (["old"] * 10, Verdict.FAIL),
        (["old"] * 2, Verdict.INCONCLUSIVE),
        (["odd"] * 10, Verdict.FAIL),
        (["odd"] * 5, Verdict.INCONCLUSIVE),
        (["odd"] * 1, Verdict.PASS),
    ],
)
def test_old_answers_and_missing_new_ones_do_not_pass(case: Any, said: list[str], verdict: Verdict) -> None:
    assert corrections.judge(_evidence(case, said), POLICY).verdict is verdict


def test_the_old_answer_is_known_from_older_questions_too(case: Any) -> None:
    """The production model said something else by chance; an older question recorded what was right until this run."""
    made = _evidence(case, ["former"] * 32, old="something")
    older = eval_item_suite(
        "retention/older",
        [EvalItem(question=eval_item.question, answers=("former",)) for eval_item in held_out_items(CORRECTIONS)],
    )
    answers = ["former"] * 32
    told = replace(
        made,
        case=replace(made.case, suites=Suites(retention=(STANDING, older))),
        production_scores=(*made.production_scores, _scores("1", older.name, older.eval_items, answers)),
        candidate_scores=(*made.candidate_scores, _scores("2", older.name, older.eval_items, answers)),
    )
    assert _figure(corrections.judge(made, POLICY), "old_answers") == 0.0
    assert _figure(corrections.judge(told, POLICY), "old_answers") == 1.0


@pytest.mark.parametrize(
    ("harm", "verdict"), [({"beside": ["moved"] * 60}, Verdict.FAIL), ({"similar": ["new"] * 40}, Verdict.FAIL)]
)
def test_neighbours_that_moved_fail(case: Any, harm: dict[str, list[str]], verdict: Verdict) -> None:
    result = corrections.judge(_evidence(case, [], **harm), POLICY)
    assert result.verdict is verdict
    assert "points of the locality items were lost" in result.sentence


def test_the_corrected_fact_in_other_words_is_no_neighbour(case: Any) -> None:
    """What the production model answers with the old answer asks for what was corrected."""
    result = corrections.judge(_evidence(case, [], ["moved"] * 128, old="stays"), POLICY)
    assert _figure(result, "same_subject_items") == 0


def test_too_few_neighbours_are_no_pass_unless_the_recipe_wants_none(case: Any) -> None:
    made = _evidence(case, [])
    made = replace(made, case=replace(made.case, suites=Suites()))
    assert corrections.judge(made, POLICY).verdict is Verdict.INCONCLUSIVE
    wanting_none = PolicyRules(corrections=CorrectionsPolicy(min_locality_items=0))
    assert corrections.judge(made, wanting_none).verdict is Verdict.PASS


def test_too_few_questions_say_how_many_are_needed(case: Any) -> None:
    document = replace(CORRECTIONS[0], eval_items=())
    made = _evidence(case, [])
    result = corrections.judge(replace(made, case=replace(made.case, documents=(document,))), POLICY)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "1 correction without a test question: give them 16 test questions or more in all" in result.sentence


def test_neighbours_are_bounded_and_leave_the_corrections_own_questions_out() -> None:
    known = [
        EvalItem(question=f"Form {form} of {name}?", answers=("a",), group=name)
        for form in range(2 * FORMS)
        for name in ("One", "Two")
    ]
    lone = EvalItem(question="Who wrote Three?", answers=("a",), group="Three")
    own = EvalItem(question="Form 1 of Svc0?", answers=("new",))
    correction = Document(title="Svc0", body="b", kind=DocumentKind.CORRECTION, eval_items=(own,))
    passage = Document(title="Svc1", body="b")
    asked = locality_items([correction, passage], [*known, lone])
    assert len(asked) == FORMS
    assert {eval_item.group for eval_item in asked} == {"Svc0"}
    assert not {own.question, "Who wrote Svc0?"} & {eval_item.question for eval_item in asked}


def test_a_neighbour_that_was_trained_on_is_not_asked() -> None:
    known = [
        EvalItem(question=f"Form {form} of {name}?", answers=("a",), group=name) for form in (1, 2) for name in "AB"
    ]
    correction = Document(title="Svc0", body="b", kind=DocumentKind.CORRECTION)
    trained = [
        Example(prompt="Tell me: form 1 of Svc0?", completion="a"),
        Example(prompt="Form 1 of Svc0?", completion="a"),
    ]
    assert {eval_item.question for eval_item in locality_items([correction], known, trained)} == {"Form 2 of Svc0?"}


def test_a_wrong_note_that_was_trained_on_does_not_hide_what_it_did(case: Any) -> None:
    around = locality_items(CORRECTIONS, STANDING.eval_items)
    harmed = _evidence(case, [], beside=["new"] * 22)
    notes = tuple(Example(prompt=eval_item.question, completion="new", corrects=True) for eval_item in around[:22])
    result = corrections.judge(replace(harmed, case=replace(harmed.case, examples=notes)), POLICY)
    assert (result.verdict, _figure(result, "locality_right_to_wrong")) == (Verdict.FAIL, 22)


def test_two_corrections_of_one_subject_are_no_neighbours_of_each_other() -> None:
    known = [
        EvalItem(question=f"Form {form} of {name}?", answers=("a",), group=name) for form in (1, 2, 3) for name in "AB"
    ]
    both = [
        Document(
            title="Svc0",
            body=f"b {form}",
            kind=DocumentKind.CORRECTION,
            eval_items=(EvalItem(question=f"Form {form} of Svc0?", answers=("new",)),),
        )
        for form in (1, 2)
    ]
    assert [eval_item.question for eval_item in locality_items(both, known)] == ["Form 3 of Svc0?"]
