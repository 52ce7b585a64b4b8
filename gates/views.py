"""Turns a report and its evidence into rows that people read: bars, matrix, documents, flips. Draws nothing. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gates.evidence import NEW, WITHDRAWN, Evidence
from gates.suite import Suite, eval_item_suite
from pipeline.documents import asked
from pipeline.types import Document, Example, GateReport, ItemScore, Role, Scores, Split, Verdict

FLIPS_SHOWN, EXAMPLES_SHOWN = 24, 8
_HIDDEN = {ord(char): "\ufffd" for char in "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
_HEADLINES = {
    Verdict.PASS: "This model may replace the live one, once a person has approved it.",
    Verdict.FAIL: "This model must not replace the live one.",
    Verdict.INCONCLUSIVE: "This model does not replace the live one: there is too little to decide on.",
}
_KINDS = (
    ("recall", "this run's questions"),
    ("withdrawn", "Withdrawn"),
    ("earlier_releases", "Earlier runs"),
    ("base_knowledge", "base knowledge"),
    ("skills", "General skills"),
    ("safety", "Refusals"),
)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One kind of knowledge: shares in [0, 1] of the production model and the candidate, over n items."""

    key: str
    label: str
    n: int
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One suite of the matrix: mean scores in [0, 1], None where it was not measured."""

    label: str
    n: int
    base: float | None
    before: float | None
    after: float | None


@dataclass(frozen=True, kw_only=True)
class Learned:
    """One document of the run, and how many of its test questions were right before and after.

    `base`: by the base model, of a withdrawn document.
    """

    title: str
    kind: str
    questions: int
    before: int | None
    after: int | None
    base: int | None = None


@dataclass(frozen=True, kw_only=True)
class Flip:
    """One item that changed sides, with both answers."""

    suite: str
    question: str
    expected: str
    before: str
    after: str
    lost: bool


def headline(report: GateReport) -> str:
    """The verdict as one plain sentence."""
    return _HEADLINES[report.verdict]


def visible(text: str, limit: int) -> str:
    """Text of strangers, cut, without characters that hide or turn around what follows."""
    kept = "".join(char if char.isprintable() or char == "\n" else " " for char in text.translate(_HIDDEN))
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def suites_of(evidence: Evidence) -> tuple[Suite, ...]:
    """All suites the candidate was asked, in the order of the matrix."""
    run = [eval_item_suite(NEW, evidence.new_items)] if evidence.new_items else []
    release_sets = [eval_item_suite(release_set.suite, release_set.eval_items) for release_set in evidence.earlier]
    gone = [eval_item_suite(WITHDRAWN, evidence.withdrawn_items)] if evidence.withdrawn_items else []
    return (*run, *gone, *release_sets, *evidence.suites.all)


def bars(report: GateReport, evidence: Evidence) -> tuple[Bar, ...]:
    """The recall figures of the report, with the number of items behind each."""
    shares = {figure.name: figure.value for figure in report.recall}
    return tuple(
        Bar(key=key, label=label, n=n, before=shares[f"{key}_before"], after=shares[f"{key}_after"])
        for (key, label), n in zip(_KINDS, _counts(evidence), strict=True)
        if f"{key}_after" in shares
    )


def _counts(evidence: Evidence) -> Iterator[int]:
    suites = evidence.suites
    yield len(evidence.new_items)
    yield len(eval_item_suite(WITHDRAWN, evidence.withdrawn_items))
    yield sum(len(release_set.eval_items) for release_set in evidence.earlier)
    for kind in (suites.retention, suites.regression, suites.safety):
        yield sum(len(suite) for suite in kind)


def matrix(evidence: Evidence) -> tuple[Row, ...]:
    """This run, every earlier release, and every standing suite, with all three models' means."""
    base, before, after = (
        {scores.suite: scores.mean for scores in found}
        for found in (evidence.base_scores, evidence.production_scores, evidence.candidate_scores)
    )
    return tuple(
        Row(
            label=label(suite.name),
            n=len(suite),
            base=base.get(suite.name),
            before=before.get(suite.name),
            after=after.get(suite.name),
        )
        for suite in suites_of(evidence)
    )


def label(suite: str) -> str:
    """A suite's name as people say it: "release-3" is "Release 3", "retention/base-knowledge" is "base knowledge"."""
    kind, _, name = suite.rpartition("/")
    words = {"regression": "Skill: ", "safety": "Refusals: "}.get(kind, "")
    plain = "this run" if suite == NEW else name.replace("-", " ").replace("_", " ")
    return words + plain if words else plain[:1].upper() + plain[1:]


def documents(evidence: Evidence) -> tuple[Learned, ...]:
    """The run's documents with their test questions' results."""
    before, after = (_by_item(found, NEW) for found in (evidence.production_scores, evidence.candidate_scores))
    known = {(eval_item.question, eval_item.answers): eval_item.id for eval_item in evidence.new_items}
    return tuple(_learned(document, known, before, after) for document in evidence.run)


def withdrawn(evidence: Evidence) -> tuple[Learned, ...]:
    """The documents that a rebuild is to forget, with what the base, production and the candidate answer of them."""
    base, before, after = (
        _by_item(found, WITHDRAWN)
        for found in (evidence.base_scores, evidence.production_scores, evidence.candidate_scores)
    )
    known = {(eval_item.question, eval_item.answers): eval_item.id for eval_item in evidence.withdrawn_items}
    return tuple(
        replace(_learned(document, known, before, after), base=_learned(document, known, base, after).before)
        for document in evidence.withdrawn
    )


def _learned(
    document: Document,
    known: dict[tuple[str, tuple[str, ...]], str],
    before: dict[str, ItemScore],
    after: dict[str, ItemScore],
) -> Learned:
    eval_items = asked(document, Split.TEST)
    ids = [known[eval_item.question, eval_item.answers] for eval_item in eval_items]
    measured = bool(ids) and all(item in before and item in after for item in ids)
    return Learned(
        title=document.title or document.name or document.id[:12],
        kind=document.kind,
        questions=len(eval_items),
        before=sum(round(before[item].score) for item in ids) if measured else None,
        after=sum(round(after[item].score) for item in ids) if measured else None,
    )


def flips(evidence: Evidence, *, lost: bool) -> tuple[Flip, ...]:
    """Items that got worse (or better), suite by suite. To lose what was withdrawn is no loss."""
    found: list[Flip] = []
    for suite in (one for one in suites_of(evidence) if not (lost and one.name == WITHDRAWN)):
        before, after = (_by_item(s, suite.name) for s in (evidence.production_scores, evidence.candidate_scores))
        for item in suite.items:
            if item.id not in before or item.id not in after:
                continue
            change = after[item.id].score - before[item.id].score
            if change < 0 if lost else change > 0:
                said = before[item.id].answer, after[item.id].answer
                found.append(_flip(suite.name, item.question, getattr(item, "answers", ()), said, lost))
    return tuple(found)


def _flip(suite: str, question: str, answers: Sequence[str], said: tuple[str, str], lost: bool) -> Flip:
    return Flip(
        suite=label(suite), question=question, expected=" / ".join(answers), before=said[0], after=said[1], lost=lost
    )


def spread(items: Sequence[Flip], limit: int = FLIPS_SHOWN) -> tuple[Flip, ...]:
    """At most `limit` of them, evenly spaced, so that each suite is seen."""
    step = max(1.0, len(items) / limit)
    return tuple(items[int(at * step)] for at in range(min(limit, len(items))))


def examples(evidence: Evidence) -> tuple[Example, ...]:
    """Some of what the model wrote about this run's documents and was trained on, evenly spaced."""
    own = [example for example in evidence.examples if example.role is Role.NEW]
    step = max(1.0, len(own) / EXAMPLES_SHOWN)
    return tuple(own[int(at * step)] for at in range(min(EXAMPLES_SHOWN, len(own))))


def roles(evidence: Evidence) -> tuple[tuple[str, int], ...]:
    """How many training examples of each role the update has."""
    counts = [(role.value, sum(example.role is role for example in evidence.examples)) for role in Role]
    return tuple((role, count) for role, count in counts if count)


def _by_item(found: Iterable[Scores], suite: str) -> dict[str, ItemScore]:
    return {item.item: item for scores in found if scores.suite == suite for item in scores.items}
