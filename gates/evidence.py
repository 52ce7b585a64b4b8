"""Everything a gate may look at, gathered once and frozen. It joins values item by item, and judges nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from gates.suite import Suites
from pipeline.documents import asked
from pipeline.errors import MeasurementFailed
from pipeline.types import AdapterManifest, Document, EvalItem, Example, ModelRef, Scores, Split

NEW, WITHDRAWN, WRITING = "run", "withdrawn", "writing"


class Against(StrEnum):
    """Whom the candidate is compared with: the production model, or the base model, which never moves."""

    PRODUCTION = "production"
    BASE = "base"


@dataclass(frozen=True, kw_only=True)
class ReleaseEvalSet:
    """The test eval items of one earlier, production release."""

    release: int
    eval_items: tuple[EvalItem, ...]

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

    `validation` are the questions by which the run chose among its self-edits: none where there was no choice. Of a
    practice they are the questions that rewarded notes; `writing` are the scores of an update on one self-edit by the
    production model and of one by the candidate, each on documents that were never practised on. `withdrawn` are the
    documents that a rebuild is to forget: they were withdrawn, and the production model was taught them.
    """

    update: str
    candidate: ModelRef
    production: ModelRef
    manifest: AdapterManifest
    integrity: str | None
    examples: tuple[Example, ...]
    run: tuple[Document, ...]
    earlier: tuple[ReleaseEvalSet, ...]
    suites: Suites
    validation: tuple[EvalItem, ...] = ()
    withdrawn: tuple[Document, ...] = ()
    candidate_scores: tuple[Scores, ...] = ()
    production_scores: tuple[Scores, ...] = ()
    base_scores: tuple[Scores, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()

    @property
    def scores(self) -> tuple[Scores, ...]:
        return self.candidate_scores + self.production_scores + self.base_scores

    @property
    def new_items(self) -> tuple[EvalItem, ...]:
        return held_out_items(self.run)

    @property
    def withdrawn_items(self) -> tuple[EvalItem, ...]:
        return held_out_items(self.withdrawn)

    @property
    def known(self) -> tuple[EvalItem, ...]:
        """What was asked before this run: the standing retention suites' questions and earlier releases' held_out."""
        standing = [suite.eval_items for suite in self.suites.retention]
        return tuple(
            eval_item
            for eval_items in (*standing, *(release_set.eval_items for release_set in self.earlier))
            for eval_item in eval_items
        )

    def pairs(self, suite: str, against: Against = Against.PRODUCTION) -> tuple[Pair, ...]:
        """The suite's items with the scores of both models. Raises MeasurementFailed where one side lacks any."""
        for failure in self.unmeasured:
            if failure.suite == suite:
                raise MeasurementFailed(f"{suite} was not measured: {failure.reason}")
        before = self.production_scores if against is Against.PRODUCTION else self.base_scores
        return join(_of(before, suite), _of(self.candidate_scores, suite))


def held_out_items(documents: Iterable[Document]) -> tuple[EvalItem, ...]:
    """The test eval items of the documents; those without a group of their own are grouped by their document."""
    return tuple(
        eval_item if eval_item.group else replace(eval_item, group=document.id)
        for document in documents
        for eval_item in asked(document, Split.TEST)
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
