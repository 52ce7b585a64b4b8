"""Tonight's corrections hold: the new answers are given, the old ones are gone, and what lies beside them stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gates.corrections import former_answers, superseded
from gates.evidence import NIGHT, Evidence, Pair, exam_probes
from gates.locality import NEIGHBOURS, form_of, neighbour_probes
from gates.policy import Comparison, compare, not_worse, worst
from gates.statistics import wilson
from gates.wording import compared, counted, flips, percent, points
from pipeline.digests import seed_from
from pipeline.grading import first_line, grade, normalise
from pipeline.recipe import CorrectionsPolicy, PolicyRules
from pipeline.types import Document, DocumentKind, Figure, GateResult, ItemScore, Probe, Verdict


@dataclass(frozen=True, kw_only=True)
class _Answered:
    """Tonight's correction questions: how many were asked, how many got the new answer, how many still the old."""

    n: int
    new: int
    old: int
    least_new: float
    most_old: float


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """PASS where there is no correction tonight; otherwise three conditions, all of which must hold.

    The lower bound of the share of new answers is at least `min_new`; the upper bound of the share of old answers is at
    most `max_old` (old is what the question was answered before: by older probes, and by the live model); and the
    answers to neighbouring questions are not worse than before by more than the margin.
    """
    rules, alpha = policy.corrections, policy.alpha
    corrections = [document for document in evidence.night if document.kind is DocumentKind.CORRECTION]
    probes = exam_probes(corrections)
    if not corrections:
        return _result(Verdict.PASS, "not applicable: no document of tonight corrects anything")
    if not probes:
        needed = counted(_fewest(rules.min_new, alpha), "exam question")
        return _result(
            Verdict.INCONCLUSIVE,
            f"{counted(len(corrections), 'correction')} without an exam question: give them {needed} or more in all",
        )
    answered = _answered(evidence, probes, alpha)
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


def _answered(evidence: Evidence, probes: Sequence[Probe], alpha: float) -> _Answered:
    evidence.pairs(NIGHT)  # raises where one of the models was not asked
    before, after = _items(evidence, NIGHT)
    former = former_answers(evidence)
    new = [after[probe.id].score == 1.0 for probe in probes]
    old = [
        not right and bool(grade(after[probe.id].answer, _old_answers(probe, before[probe.id], former)))
        for probe, right in zip(probes, new, strict=True)
    ]
    n = len(probes)
    return _Answered(
        n=n, new=sum(new), old=sum(old),
        least_new=wilson(sum(new), n, 2 * alpha)[0], most_old=wilson(sum(old), n, 2 * alpha)[1],
    )  # fmt: skip


def _old_answers(probe: Probe, before: ItemScore, former: Mapping[str, frozenset[str]]) -> list[str]:
    """What older probes accepted, and what the live model says as long as that is not the new answer."""
    said = [first_line(before.answer)] if before.score < 1.0 else []
    return [*former.get(normalise(probe.question), ()), *said]


def _similar_subjects(evidence: Evidence, corrections: Sequence[Document]) -> list[Pair]:
    """The corrections' questions about other subjects, as far as older probes ask them."""
    forms = {form_of(probe.question, document.title) for document in corrections for probe in document.probes} - {None}
    corrected = superseded(evidence)
    known = {
        probe.id
        for probe in evidence.known
        if form_of(probe.question, probe.group) in forms and probe.id not in corrected
    }
    suites = [*(lesson.suite for lesson in evidence.earlier), *(suite.name for suite in evidence.suites.retention)]
    return [pair for suite in suites for pair in evidence.pairs(suite) if pair.item in known]


def _same_subjects(evidence: Evidence, corrections: Sequence[Document]) -> list[Pair]:
    """Other questions about the corrected subjects, for which the live model's own answers are right.

    What it answers with an old answer of the correction asks the corrected fact again, in other words.
    """
    asked = neighbour_probes(evidence.night, evidence.known, evidence.examples)
    if not asked:
        return []
    evidence.pairs(NEIGHBOURS)  # raises where one of the models was not asked
    before, after = _items(evidence, NEIGHBOURS)
    night, _ = _items(evidence, NIGHT)
    old: dict[str, set[str]] = {}
    for document in corrections:
        said = old.setdefault(normalise(document.title), set())
        said.update(_plain(night[probe.id]) for probe in exam_probes([document]))
    return [
        Pair(
            suite=NEIGHBOURS, item=probe.id, before=1.0, group=f"{NEIGHBOURS}/{probe.group}",
            after=float(_plain(before[probe.id]) == _plain(after[probe.id])),
        )
        for probe in asked
        if _plain(before[probe.id]) not in old[normalise(probe.group)]
    ]  # fmt: skip


def _items(evidence: Evidence, suite: str) -> tuple[dict[str, ItemScore], dict[str, ItemScore]]:
    """The suite's items by id, of the live model and of the candidate."""
    before, after = (
        {item.item: item for scores in found if scores.suite == suite for item in scores.items}
        for found in (evidence.incumbent_scores, evidence.candidate_scores)
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
        return Verdict.INCONCLUSIVE if rules.min_neighbours else Verdict.PASS
    return not_worse(beside, rules.margin, rules.min_neighbours)


def _fewest(wanted: float, alpha: float) -> int:
    """Questions of which all must be right for the lower bound to reach `wanted`, which is less than 1."""
    return next(n for n in range(1, 10_000) if wilson(n, n, 2 * alpha)[0] >= min(wanted, 0.999))


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
        else f"no neighbour is known (policy.corrections.min_neighbours is {rules.min_neighbours}): add questions "
        "with groups to suites/retention",
    ]
    if verdicts[0] is Verdict.INCONCLUSIVE and answered.n < (fewest := _fewest(rules.min_new, alpha)):
        parts.append(f"{counted(fewest, 'question')} are needed, all of them right")
    if beside and verdicts[2] is Verdict.INCONCLUSIVE and beside.n < rules.min_neighbours:
        parts.append(f"{counted(rules.min_neighbours, 'neighbour')} are needed")
    if verdicts[2] is Verdict.FAIL and beside:
        parts.append(f"{points(-beside.difference, signed=False)} points of what lies beside were lost")
    return "; ".join(parts)


def _result(verdict: Verdict, sentence: str, figures: tuple[Figure, ...] = ()) -> GateResult:
    return GateResult(gate="corrections", verdict=verdict, sentence=f"corrections: {sentence}", figures=figures)
