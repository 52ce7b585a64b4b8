"""Everything a gate may look at, gathered once and frozen. It joins values item by item, and judges nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from gates.suite import Suites
from pipeline.documents.eval_items import asked
from pipeline.errors import MeasurementFailed
from pipeline.types import AdapterManifest, Document, Example, ModelRef, Probe, Scores, Split

NIGHT, WITHDRAWN, WRITING = "night", "withdrawn", "writing"


class Against(StrEnum):
    """Whom the candidate is compared with: the live model, or the untouched base, which never moves."""

    INCUMBENT = "incumbent"
    ANCHOR = "anchor"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """The exam probes of one earlier, live release."""

    release: int
    probes: tuple[Probe, ...]

    @property
    def suite(self) -> str:
        return f"release-{self.release}"


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """A suite that could not be measured on one of the models, and why, in words."""

    suite: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One item's score before and after, in [0, 1]; `group` is unique across suites, "" if it stands alone."""

    suite: str
    item: str
    before: float
    after: float
    group: str = ""

    @property
    def difference(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One candidate's case. `integrity` is what is wrong with its adapter, or None where it verified.

    `practice` are the questions by which the night chose among its self-edits: none where there was no choice.
    Of a practice they are the questions that rewarded notes; `writing` are the scores of an update on one self-edit
    by the live model and of one by the candidate, each on documents that were never practised on.
    `withdrawn` are the documents that a rebuild is to forget: they were withdrawn, and the live model was taught them.
    """

    update: str
    candidate: ModelRef
    incumbent: ModelRef
    manifest: AdapterManifest
    integrity: str | None
    examples: tuple[Example, ...]
    night: tuple[Document, ...]
    earlier: tuple[Lesson, ...]
    suites: Suites
    practice: tuple[Probe, ...] = ()
    withdrawn: tuple[Document, ...] = ()
    candidate_scores: tuple[Scores, ...] = ()
    incumbent_scores: tuple[Scores, ...] = ()
    anchor_scores: tuple[Scores, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()

    @property
    def scores(self) -> tuple[Scores, ...]:
        return self.candidate_scores + self.incumbent_scores + self.anchor_scores

    @property
    def night_probes(self) -> tuple[Probe, ...]:
        return exam_probes(self.night)

    @property
    def withdrawn_probes(self) -> tuple[Probe, ...]:
        return exam_probes(self.withdrawn)

    @property
    def known(self) -> tuple[Probe, ...]:
        """What was asked before tonight: the standing retention suites' questions and earlier releases' exams."""
        standing = [suite.probes for suite in self.suites.retention]
        return tuple(probe for probes in (*standing, *(lesson.probes for lesson in self.earlier)) for probe in probes)

    def pairs(self, suite: str, against: Against = Against.INCUMBENT) -> tuple[Pair, ...]:
        """The suite's items with the scores of both models. Raises MeasurementFailed where one side lacks any."""
        for failure in self.unmeasured:
            if failure.suite == suite:
                raise MeasurementFailed(f"{suite} was not measured: {failure.reason}")
        before = self.incumbent_scores if against is Against.INCUMBENT else self.anchor_scores
        return join(_of(before, suite), _of(self.candidate_scores, suite))


def exam_probes(documents: Iterable[Document]) -> tuple[Probe, ...]:
    """The exam probes of the documents; those without a group of their own are grouped by their document."""
    return tuple(
        probe if probe.group else replace(probe, group=document.id)
        for document in documents
        for probe in asked(document, Split.EXAM)
    )


def join(before: Scores, after: Scores) -> tuple[Pair, ...]:
    """Pairs two models' scores by item. Raises MeasurementFailed when an item is missing on one side."""
    left = {item.item: item for item in before.items}
    right = {item.item: item for item in after.items}
    if left.keys() != right.keys() or len(left) != len(before.items) or len(right) != len(after.items):
        odd = len(left.keys() ^ right.keys())
        raise MeasurementFailed(f"{after.suite}: {odd} items have a score of one model only. Measure both again.")
    return tuple(
        Pair(
            suite=after.suite,
            item=item.item,
            before=left[item.item].score,
            after=item.score,
            group=f"{after.suite}/{item.group}" if item.group else "",
        )
        for item in after.items
    )


def _of(scores: Iterable[Scores], suite: str) -> Scores:
    for one in scores:
        if one.suite == suite:
            return one
    raise MeasurementFailed(f"{suite} was not measured on both models. Run the gates again.")
