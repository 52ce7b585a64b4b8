"""this run's corrections hold: the new answers are given, the old ones are gone, and what lies beside them stays."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gates.corrections import former_answers, superseded
from gates.evidence import NEW, Evidence, Pair, held_out_items
from gates.locality import NEIGHBOURS, form_of, neighbour_items
from gates.policy import Comparison, compare, not_worse, worst
from gates.statistics import wilson
from gates.wording import compared, counted, flips, percent, points
from pipeline.digests import seed_from
from pipeline.grading import first_line, grade, normalise
from pipeline.recipe import CorrectionsPolicy, PolicyRules
from pipeline.types import Document, DocumentKind, EvalItem, Figure, GateResult, ItemScore, Verdict


@dataclass(frozen=True, kw_only=True)
class _Answered:
    """this run's correction questions: how many were asked, how many got the new answer, how many still the old."""

    n: int
    new: int
    old: int
    least_new: float
    most_old: float


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """PASS where there is no correction this run; otherwise three conditions, all of which must hold.

    The lower bound of the share of new answers is at least `min_new`; the upper bound of the share of old answers is at
    most `max_old` (old is what the question was answered before: by older eval items, and by the production model); and
    the answers to neighbouring questions are not worse than before by more than the margin.
    """
    rules, alpha = policy.corrections, policy.alpha
    corrections = [document for document in evidence.run if document.kind is DocumentKind.CORRECTION]
    eval_items = held_out_items(corrections)
    if not corrections:
        return _result(Verdict.PASS, "not applicable: no document of this run corrects anything")
    if not eval_items:
        needed = counted(_fewest(rules.min_new, alpha), "test question")
        return _result(
            Verdict.INCONCLUSIVE,
            f"{counted(len(corrections), 'correction')} without an test question: give them {needed} or more in all",
        )
    answered = _answered(evidence, eval_items, alpha)
    same, similar = _same_subjects(evidence, corrections), _similar_subjects(evidence, corrections)
    beside = compare([*same, *similar], alpha, seed_from("corrections", evidence.update)) if same or similar else None
    verdicts = (_new(answered, rules), _old(answered, rules), _beside(beside, rules))
    figures = (
        Figure(name="corrections", value=len(corrections)),
        Figure(name="questions", value=answered.n),
        Figure(name="new_answers", value=answered.new / answered.n),
        Figure(name="new_answers_lower_bound", value=answered.least_new),
        Figure(name="old_answers", value=answered.old / answered.n),
        Figure(name="old_answers_upper_bound", value=answered.most_old),
        Figure(name="same_subject_items", value=len(same)),
        Figure(name="same_subject_lost", value=sum(pair.difference < 0 for pair in same)),
        Figure(name="similar_subjects_items", value=len(similar)),
        Figure(name="similar_subjects_lost", value=sum(pair.difference < 0 for pair in similar)),
        *(beside.figures("neighbours_") if beside else ()),
    )
    return _result(worst(verdicts), _sentence(answered, beside, rules, alpha, verdicts), figures)


def _answered(evidence: Evidence, eval_items: Sequence[EvalItem], alpha: float) -> _Answered:
    evidence.pairs(NEW)  # raises where one of the models was not asked
    before, after = _items(evidence, NEW)
    former = former_answers(evidence)
    new = [after[eval_item.id].score == 1.0 for eval_item in eval_items]
    old = [
        not right and bool(grade(after[eval_item.id].answer, _old_answers(eval_item, before[eval_item.id], former)))
        for eval_item, right in zip(eval_items, new, strict=True)
    ]
    n = len(eval_items)
    return _Answered(
        n=n,
        new=sum(new),
        old=sum(old),
        least_new=wilson(sum(new), n, 2 * alpha)[0],
        most_old=wilson(sum(old), n, 2 * alpha)[1],
    )


def _old_answers(eval_item: EvalItem, before: ItemScore, former: Mapping[str, frozenset[str]]) -> list[str]:
    """What older eval items accepted, and what the production model says as long as that is not the new answer."""
    said = [first_line(before.answer)] if before.score < 1.0 else []
    return [*former.get(normalise(eval_item.question), ()), *said]


def _similar_subjects(evidence: Evidence, corrections: Sequence[Document]) -> list[Pair]:
    """The corrections' questions about other subjects, as far as older eval items ask them."""
    forms = {
        form_of(eval_item.question, document.title) for document in corrections for eval_item in document.eval_items
    } - {None}
    corrected = superseded(evidence)
    known = {
        eval_item.id
        for eval_item in evidence.known
        if form_of(eval_item.question, eval_item.group) in forms and eval_item.id not in corrected
    }
    suites = [
        *(release_set.suite for release_set in evidence.earlier),
        *(suite.name for suite in evidence.suites.retention),
    ]
    return [pair for suite in suites for pair in evidence.pairs(suite) if pair.item in known]


def _same_subjects(evidence: Evidence, corrections: Sequence[Document]) -> list[Pair]:
    """Other questions about the corrected subjects, for which the production model's own answers are right.

    What it answers with an old answer of the correction asks the corrected fact again, in other words.
    """
    asked = neighbour_items(evidence.run, evidence.known, evidence.examples)
    if not asked:
        return []
    evidence.pairs(NEIGHBOURS)  # raises where one of the models was not asked
    before, after = _items(evidence, NEIGHBOURS)
    run, _ = _items(evidence, NEW)
    old: dict[str, set[str]] = {}
    for document in corrections:
        said = old.setdefault(normalise(document.title), set())
        said.update(_plain(run[eval_item.id]) for eval_item in held_out_items([document]))
    return [
        Pair(
            suite=NEIGHBOURS,
            item=eval_item.id,
            before=1.0,
            group=f"{NEIGHBOURS}/{eval_item.group}",
            after=float(_plain(before[eval_item.id]) == _plain(after[eval_item.id])),
        )
        for eval_item in asked
        if _plain(before[eval_item.id]) not in old[normalise(eval_item.group)]
    ]


def _items(evidence: Evidence, suite: str) -> tuple[dict[str, ItemScore], dict[str, ItemScore]]:
    """The suite's items by id, of the production model and of the candidate."""
    before, after = (
        {item.item: item for scores in found if scores.suite == suite for item in scores.items}
        for found in (evidence.production_scores, evidence.candidate_scores)
    )
    return before, after


def _plain(item: ItemScore) -> str:
    return normalise(first_line(item.answer))


def _new(answered: _Answered, rules: CorrectionsPolicy) -> Verdict:
    if answered.least_new >= rules.min_new:
        return Verdict.PASS
    return Verdict.FAIL if answered.new < rules.min_new * answered.n else Verdict.INCONCLUSIVE


def _old(answered: _Answered, rules: CorrectionsPolicy) -> Verdict:
    if answered.most_old <= rules.max_old:
        return Verdict.PASS
    return Verdict.FAIL if answered.old > rules.max_old * answered.n else Verdict.INCONCLUSIVE


def _beside(beside: Comparison | None, rules: CorrectionsPolicy) -> Verdict:
    if beside is None:
        return Verdict.INCONCLUSIVE if rules.min_locality_items else Verdict.PASS
    return not_worse(beside, rules.margin, rules.min_locality_items)


def _fewest(wanted: float, alpha: float) -> int:
    """Questions of which all must be right for the lower bound to reach `wanted`, which is less than 1."""
    return 1 + bisect_left(range(1, 10_000), min(wanted, 0.999), key=lambda n: wilson(n, n, 2 * alpha)[0])


def _sentence(
    answered: _Answered,
    beside: Comparison | None,
    rules: CorrectionsPolicy,
    alpha: float,
    verdicts: tuple[Verdict, ...],
) -> str:
    parts = [
        f"{counted(answered.n, 'question')}, {percent(answered.new / answered.n)} answered anew "
        f"(lower bound {percent(answered.least_new)}, wanted {percent(rules.min_new)})",
        f"{percent(answered.old / answered.n)} as before "
        f"(upper bound {percent(answered.most_old)}, allowed {percent(rules.max_old)})",
        f"neighbours: {compared(beside, rules.margin, 'question')}, {flips(beside)}"
        if beside
        else f"no neighbour is known (advanced.policy.corrections.min_locality_items is {rules.min_locality_items}): "
        "add questions with groups to suites/retention",
    ]
    if verdicts[0] is Verdict.INCONCLUSIVE and answered.n < (fewest := _fewest(rules.min_new, alpha)):
        parts.append(f"{counted(fewest, 'question')} are needed, all of them right")
    if beside and verdicts[2] is Verdict.INCONCLUSIVE and beside.n < rules.min_locality_items:
        parts.append(f"{counted(rules.min_locality_items, 'neighbour')} are needed")
    if verdicts[2] is Verdict.FAIL and beside:
        parts.append(f"{points(-beside.difference, signed=False)} points of what lies beside were lost")
    return "; ".join(parts)


def _result(verdict: Verdict, sentence: str, figures: tuple[Figure, ...] = ()) -> GateResult:
    return GateResult(gate="corrections", verdict=verdict, sentence=f"corrections: {sentence}", figures=figures)
