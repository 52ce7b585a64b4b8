"""This run's corrections were learned: new answers replace the old ones, and other facts do not change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gates.corrections import fewest_questions, form_of, former_answers, locality_items, superseded
from gates.judging import (
    LOCALITY,
    RUN,
    Comparison,
    Evidence,
    GateResult,
    Pair,
    PolicyRules,
    RunKind,
    Verdict,
    by_item,
    compare,
    counted,
    held_out_items,
    percent,
    points,
    result,
    wilson,
    worst,
)
from pipeline.grading import extract, first_line, grade, normalise
from pipeline.types import EvalItem, ItemScore

JUDGES = (RunKind.NIGHTLY,)


@dataclass(frozen=True, kw_only=True)
class _Answered:
    """The corrections' n test items: how many got the new answer, how many still an old one, and Wilson's bounds."""

    n: int
    new: int
    old: int
    least_new: float
    most_old: float


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """PASS where this run corrects nothing; otherwise three conditions, all of which must hold.

    The lower bound of the share of new answers is at least `min_new`; the upper bound of the share of old answers is at
    most `max_old` (old: what older eval items accepted, and what production answers); and the answers to locality items
    are not worse than production's by more than the margin.
    """
    rules, alpha, corrections = policy.corrections, policy.alpha, evidence.case.corrections
    eval_items = held_out_items(corrections)
    if not corrections:
        return result("corrections", Verdict.PASS, "not applicable: no document of this run corrects anything")
    if not eval_items:
        least = counted(fewest_questions(rules, alpha), "test question")
        sentence = (
            f"{counted(len(corrections), 'correction')} without a test question: give them {least} or more in all"
        )
        return result("corrections", Verdict.INCONCLUSIVE, sentence)
    answered = _answered(evidence, eval_items, alpha)
    same, similar = _same_subjects(evidence), _similar_subjects(evidence)
    locality = compare([*same, *similar], alpha, evidence.seed("corrections")) if same or similar else None
    verdicts = (
        _of_share(answered.least_new >= rules.min_new, missed=answered.new < rules.min_new * answered.n),
        _of_share(answered.most_old <= rules.max_old, missed=answered.old > rules.max_old * answered.n),
        _of_locality(locality, rules.margin, rules.min_locality_items),
    )
    figures = {
        "corrections": len(corrections),
        "questions": answered.n,
        "new_answers": answered.new / answered.n,
        "new_answers_lower_bound": answered.least_new,
        "old_answers": answered.old / answered.n,
        "old_answers_upper_bound": answered.most_old,
        "same_subject_items": len(same),
        "same_subject_lost": sum(pair.difference < 0 for pair in same),
        "similar_subjects_items": len(similar),
        "similar_subjects_lost": sum(pair.difference < 0 for pair in similar),
        **(locality.figures("locality_") if locality else {}),
    }
    sentence = "; ".join([*_answers(answered, verdicts[0], policy), *_locality(locality, verdicts[2], policy)])
    return result("corrections", worst(verdicts), sentence, figures)


def _answered(evidence: Evidence, eval_items: Sequence[EvalItem], alpha: float) -> _Answered:
    before, after = _items(evidence, RUN)
    former, n = former_answers(evidence.case), len(eval_items)
    new = [after[eval_item.id].score == 1.0 for eval_item in eval_items]
    old = [
        not right and _says(after[eval_item.id], _old_answers(eval_item, before[eval_item.id], former), eval_item)
        for eval_item, right in zip(eval_items, new, strict=True)
    ]
    least_new, most_old = wilson(sum(new), n, 2 * alpha)[0], wilson(sum(old), n, 2 * alpha)[1]
    return _Answered(n=n, new=sum(new), old=sum(old), least_new=least_new, most_old=most_old)


def _says(after: ItemScore, answers: Sequence[str], eval_item: EvalItem) -> bool:
    return bool(grade(after.answer, answers, eval_item.question))


def _old_answers(eval_item: EvalItem, before: ItemScore, former: Mapping[str, frozenset[str]]) -> list[str]:
    """What older eval items accepted, and what the production model says as long as that is not the new answer."""
    said = [first_line(before.answer), extract(before.answer, eval_item.question)] if before.score < 1.0 else []
    return [*former.get(normalise(eval_item.question), ()), *said]


def _similar_subjects(evidence: Evidence) -> list[Pair]:
    """The corrections' questions about other subjects, as far as older eval items ask them."""
    case = evidence.case
    asked = ((item.question, document.title) for document in case.corrections for item in document.eval_items)
    forms, corrected = {form_of(question, title) for question, title in asked} - {None}, superseded(case)
    known = {
        eval_item.id
        for eval_item in case.known
        if form_of(eval_item.question, eval_item.group) in forms and eval_item.id not in corrected
    }
    suites = [*(one.suite for one in case.asked_earlier), *(suite.name for suite in case.suites.retention)]
    return [pair for pair in evidence.pooled(suites) if pair.item in known]


def _same_subjects(evidence: Evidence) -> list[Pair]:
    """Other questions about the corrected subjects; right is what production answers.

    Left out is what production answers with an old answer of the correction: it asks for the corrected fact in other
    words.
    """
    case = evidence.case
    asked = locality_items(case.documents, case.known, case.examples)
    if not asked:
        return []
    before, after = _items(evidence, LOCALITY)
    run, _ = _items(evidence, RUN)
    old: dict[str, set[str]] = {}
    for document in case.corrections:
        said = old.setdefault(normalise(document.title), set())
        said.update(_plain(run[eval_item.id]) for eval_item in held_out_items([document]))
    return [
        Pair(
            suite=LOCALITY,
            item=eval_item.id,
            before=1.0,
            after=float(_plain(before[eval_item.id]) == _plain(after[eval_item.id])),
            group=f"{LOCALITY}/{eval_item.group}",
        )
        for eval_item in asked
        if _plain(before[eval_item.id]) not in old[normalise(eval_item.group)]
    ]


def _items(evidence: Evidence, suite: str) -> tuple[Mapping[str, ItemScore], Mapping[str, ItemScore]]:
    """Production's and the candidate's scores by item. Raises MeasurementFailed where one was not measured."""
    evidence.pairs(suite)
    return by_item(evidence.production_scores, suite), by_item(evidence.candidate_scores, suite)


def _plain(item: ItemScore) -> str:
    return normalise(first_line(item.answer))


def _of_share(shown: bool, *, missed: bool) -> Verdict:
    """PASS where the bound shows it, FAIL where the share itself misses it, else too few questions to tell."""
    return Verdict.PASS if shown else Verdict.FAIL if missed else Verdict.INCONCLUSIVE


def _of_locality(locality: Comparison | None, margin: float, least: int) -> Verdict:
    if locality is None:
        return Verdict.INCONCLUSIVE if least else Verdict.PASS
    return locality.not_worse(margin, least)


def _answers(answered: _Answered, verdict: Verdict, policy: PolicyRules) -> list[str]:
    rules = policy.corrections
    fewest = fewest_questions(rules, policy.alpha) if verdict is Verdict.INCONCLUSIVE else 0
    return [
        f"{counted(answered.n, 'question')}, {percent(answered.new / answered.n)} with the new answer "
        f"(lower bound {percent(answered.least_new)}, at least {percent(rules.min_new)} asked for)",
        f"{percent(answered.old / answered.n)} with the old one "
        f"(upper bound {percent(answered.most_old)}, at most {percent(rules.max_old)} allowed)",
        *([f"{counted(fewest, 'question')} are needed, all of them right"] if answered.n < fewest else []),
    ]


def _locality(locality: Comparison | None, verdict: Verdict, policy: PolicyRules) -> list[str]:
    margin, least = policy.corrections.margin, policy.corrections.min_locality_items
    if locality is None:
        return [
            f"no locality item is known (advanced.policy.corrections.min_locality_items is {least}): add questions "
            "with groups to suites/retention"
        ]
    parts = [f"{locality.worded(margin, 'locality item')}, {locality.flips}"]
    if verdict is Verdict.INCONCLUSIVE and locality.n < least:
        parts.append(f"{counted(least, 'locality item')} are needed")
    if verdict is Verdict.FAIL:
        parts.append(f"{points(-locality.difference, signed=False)} points of the locality items were lost")
    return parts
