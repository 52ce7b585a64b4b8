"""Turns a report and its evidence into rows that people read: shares, matrix, documents, flips. Draws nothing. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gates import budgets
from gates.corrections import superseded
from gates.evidence import RUN, WITHDRAWN, Dispute, Evidence, by_item, held_out_items
from gates.per_document import losses, titled
from gates.shares import Share, shares
from gates.suite import SAMPLED, Suite
from gates.tasks import TaskItem
from gates.texts import TextItem
from gates.wording import percent, visible
from pipeline.errors import MeasurementFailed
from pipeline.types import Document, EvalItem, Example, GateReport, GateResult, ItemScore, Role, Scores, Verdict

FLIPS_SHOWN, EXAMPLES_SHOWN = 24, 8
_FEWEST_SAMPLES = 4  # of fewer, half is what chance does
_SAMPLES_SHOWN, _TEXTS_SHOWN, _LONGEST = 4, 3, 1_200
MARKS = {Verdict.PASS: "✔", Verdict.FAIL: "✖", Verdict.INCONCLUSIVE: "?"}
HEADLINES = {
    Verdict.PASS: "This model may replace production once a person has approved it.",
    Verdict.FAIL: "This model must not replace production.",
    Verdict.INCONCLUSIVE: "This model does not replace production: there is too little to decide on.",
}
_Shown = TypeVar("_Shown")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One suite of the matrix: mean scores in [0, 1] of base, production and candidate; None: not measured."""

    label: str
    n: int
    base: float | None
    before: float | None
    after: float | None


@dataclass(frozen=True, kw_only=True)
class DocumentRow:
    """One document, and how many of its test questions base, production and candidate answer right; None: not asked.

    contradicts: known answers that it contradicts. lost: those about its subject that the candidate gives no more.
    """

    title: str
    kind: str
    questions: int
    base: int | None
    before: int | None
    after: int | None
    contradicts: int = 0
    lost: int = 0


@dataclass(frozen=True, kw_only=True)
class Flip:
    """One item that changed sides, with both answers."""

    suite: str
    question: str
    expected: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class WrittenAbout:
    """A document beside what the model wrote about it: each text with the style that it was asked for."""

    title: str
    body: str
    texts: tuple[tuple[str, str], ...]


def sentence(result: GateResult) -> str:
    """A verdict's sentence without the name of its gate."""
    return result.sentence.removeprefix(f"{result.gate.replace('_', ' ')}: ")


def lead(report: GateReport, evidence: Evidence) -> list[str]:
    """Some sentences: the shares that matter most, the gates that did not pass, and what the budgets still hold."""
    found = [f"{one.label} {percent(one.before)} → {percent(one.after)}" for one in shares(evidence)]
    blocking = [result.gate for result in report.results if result.required and result.verdict is not Verdict.PASS]
    lines = [f"Answered right, before → after: {', '.join(found)}." if found else "Nothing was measured."]
    return [*lines, *([f"Not passed: {', '.join(blocking)}."] if blocking else []), *budgets.sentences(report)]


def bars(evidence: Evidence) -> tuple[Share, ...]:
    """The shares, with labels that begin a line."""
    return tuple(replace(one, label=one.label[:1].upper() + one.label[1:]) for one in shares(evidence))


def matrix(evidence: Evidence) -> tuple[Row, ...]:
    """This run, earlier releases and benchmark suites, sampled ones last, with the means of all three models."""
    base, before, after = ({scores.suite: scores.mean for scores in found} for found in _by_model(evidence))
    return tuple(
        Row(
            label=label(suite.name),
            n=len(suite),
            base=base.get(suite.name),
            before=before.get(suite.name),
            after=after.get(suite.name),
        )
        for suite in (*evidence.case.own_suites, *evidence.case.known_suites, *evidence.case.sampled_suites)
    )


def label(suite: str) -> str:
    """A suite's name as people read it: a user's file by its name, "release-3" as "Release 3", "run" as "This run"."""
    if suite.startswith(SAMPLED):
        return f"{label(suite.removeprefix(SAMPLED))}, sampled"
    folder, _, name = suite.rpartition("/")
    return name if folder else {RUN: "This run"}.get(name, name.capitalize().replace("-", " "))


def documents(evidence: Evidence) -> tuple[DocumentRow, ...]:
    """The run's documents with the results of their test questions."""
    return _documents(evidence, evidence.case.documents, RUN)


def withdrawn(evidence: Evidence) -> tuple[DocumentRow, ...]:
    """The documents that a rebuild must unlearn, with the results of their test questions."""
    return _documents(evidence, evidence.case.withdrawn, WITHDRAWN)


def flips(evidence: Evidence, *, lost: bool) -> tuple[Flip, ...]:
    """Items that got worse (or better), suite by suite; none that were corrected. To forget what was withdrawn is no
    loss."""
    suites = [
        one for one in (*evidence.case.own_suites, *evidence.case.known_suites) if not (lost and one.name == WITHDRAWN)
    ]
    corrected = superseded(evidence.case)
    return tuple(
        Flip(
            suite=label(suite.name),
            question=item.question,
            expected=_expected(item),
            before=was.answer,
            after=now.answer,
        )
        for suite, item, was, now in _asked_of_both(evidence, suites)
        if item.id not in corrected and (now.score < was.score if lost else now.score > was.score)
    )


def falls(evidence: Evidence) -> tuple[Flip, ...]:
    """Questions that fewer samples answer rightly, by half of the samples or more; the deepest falls first.

    Corrected questions are none, as in the gate; of fewer than four samples nothing is said.
    """
    suites = [one for one in evidence.case.sampled_suites if one.samples >= _FEWEST_SAMPLES]
    corrected = superseded(evidence.case)
    found = [
        (_right_of(was, suite) - _right_of(now, suite), suite, item, was, now)
        for suite, item, was, now in _asked_of_both(evidence, suites)
        if item.id not in corrected
    ]
    fallen = sorted((one for one in found if 2 * one[0] >= one[1].samples), key=lambda one: -one[0])
    return tuple(
        Flip(
            suite=label(suite.name),
            question=item.question,
            expected=_expected(item),
            before=f"{_right_of(was, suite)} of {suite.samples} right; the first: {was.answer}",
            after=f"{_right_of(now, suite)} of {suite.samples} right; the first: {now.answer}",
        )
        for _, suite, item, was, now in fallen
    )


def _asked_of_both(
    evidence: Evidence, suites: Sequence[Suite]
) -> Iterator[tuple[Suite, EvalItem | TaskItem | TextItem, ItemScore, ItemScore]]:
    """Each item that production and the candidate were asked, with both scores."""
    for suite in suites:
        before, after = (by_item(scores, suite.name) for scores in _by_model(evidence)[1:])
        for item in suite.items:
            if item.id in before and item.id in after:
                yield suite, item, before[item.id], after[item.id]


def _expected(item: EvalItem | TaskItem | TextItem) -> str:
    return " / ".join(getattr(item, "answers", ()))


def _right_of(score: ItemScore, suite: Suite) -> int:
    return round(score.score * suite.samples)


def disputes(evidence: Evidence) -> tuple[Dispute, ...]:
    """Some of the answers that a judge grades otherwise than the rules do, evenly spaced, each cut and harmless."""
    found = evidence.opinion.disputes if evidence.opinion else ()
    return tuple(
        replace(
            one,
            question=visible(one.question, 400),
            expected=visible(one.expected, 200),
            answer=visible(one.answer, 400),
        )
        for one in spread(found)
    )


def written_about(evidence: Evidence) -> tuple[WrittenAbout, ...]:
    """Some of the run's documents, evenly spaced, each with some of its self-edits; those without any are left out."""
    by_document: dict[str, list[tuple[str, str]]] = {}
    for one in evidence.case.written:
        by_document.setdefault(one.document, []).append((visible(one.style, 40), visible(one.text, _LONGEST)))
    return tuple(
        WrittenAbout(
            title=visible(titled(document), 160),
            body=visible(document.body, _LONGEST),
            texts=spread(by_document[document.id], _TEXTS_SHOWN),
        )
        for document in spread([one for one in evidence.case.documents if one.id in by_document], _SAMPLES_SHOWN)
    )


def examples(evidence: Evidence) -> tuple[Example, ...]:
    """Some of what the model wrote about this run's documents and was trained on, evenly spaced."""
    return spread([example for example in evidence.case.examples if example.role is Role.NEW], EXAMPLES_SHOWN)


def roles(evidence: Evidence) -> tuple[tuple[str, int], ...]:
    """How many training examples of each role the update has."""
    counts = [(role.value, sum(example.role is role for example in evidence.case.examples)) for role in Role]
    return tuple((role, count) for role, count in counts if count)


def spread(items: Sequence[_Shown], limit: int = FLIPS_SHOWN) -> tuple[_Shown, ...]:
    """At most `limit` of them, evenly spaced, so that each suite is seen."""
    step = max(1.0, len(items) / limit)
    return tuple(items[int(at * step)] for at in range(min(limit, len(items))))


def _by_model(evidence: Evidence) -> tuple[tuple[Scores, ...], tuple[Scores, ...], tuple[Scores, ...]]:
    return evidence.base_scores, evidence.production_scores, evidence.candidate_scores


def _documents(evidence: Evidence, shown: Sequence[Document], suite: str) -> tuple[DocumentRow, ...]:
    base, before, after = (by_item(scores, suite) for scores in _by_model(evidence))
    asked = {document.id: [eval_item.id for eval_item in held_out_items([document])] for document in shown}
    compared, lost = evidence.case.contradictions, _lost(evidence)
    contradicted = Counter(one.document for one in (compared.found if compared else ()))
    return tuple(
        DocumentRow(
            title=titled(document),
            kind=document.kind,
            questions=len(asked[document.id]),
            base=_right(base, asked[document.id]),
            before=_right(before, asked[document.id]),
            after=_right(after, asked[document.id]),
            contradicts=contradicted[document.id],
            lost=lost.get(document.id, 0),
        )
        for document in shown
    )


def _lost(evidence: Evidence) -> Mapping[str, int]:
    """By document the known answers about its subject that were lost; nothing where they were not measured."""
    case = evidence.case
    suites = [*(one.suite for one in case.asked_earlier), *(suite.name for suite in case.suites.retention)]
    try:
        pairs = evidence.pooled(suites, without=superseded(case))
    except MeasurementFailed:
        return {}
    return {one.document.id: one.lost for one in losses(evidence, pairs)}


def _right(found: Mapping[str, ItemScore], items: Sequence[str]) -> int | None:
    """How many of the items were answered right; None where there are none or one was not asked."""
    measured = bool(items) and all(item in found for item in items)
    return sum(round(found[item].score) for item in items) if measured else None
