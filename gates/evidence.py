"""The case of a candidate, and the evidence on it: all that a gate may look at, gathered once and frozen.

Joins scores item by item, and judges nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gates.served import Served
from gates.suite import Suite, Suites, eval_item_suite, sampled_twin
from gates.trigger_items import TriggerItems
from gates.writing import WrittenText
from pipeline.digests import seed_from
from pipeline.documents import asked
from pipeline.errors import MeasurementFailed
from pipeline.types import (
    AdapterManifest,
    Checkpoint,
    Contradictions,
    Document,
    DocumentKind,
    EvalItem,
    Example,
    ItemScore,
    ModelRef,
    RunKind,
    Scores,
    Split,
)

# Names of the suites that a case brings along: this run's test items, those of withdrawn documents, the locality items
# beside corrections, the validation items that are asked after one self-edit of a writer, known questions beside the
# run's phrases, and the plain text on which distributions are compared.
RUN, WITHDRAWN, LOCALITY, WRITER = "run", "withdrawn", "locality", "writer"
TRIGGERS, DRIFT = "trigger-items", "drift"


class Against(StrEnum):
    """Which model the candidate is compared with: production, or the base model, which never changes."""

    PRODUCTION = "production"
    BASE = "base"


@dataclass(frozen=True, kw_only=True)
class ReleaseEvalSet:
    """The test items of the documents that one earlier, approved release learned."""

    release: int
    eval_items: tuple[EvalItem, ...]

    @property
    def suite(self) -> str:
        return f"release-{self.release}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is judged, and by what.

    update: id of the update; it also seeds the bootstraps. manifest: of the candidate's adapter. examples: what the
    candidate was trained on. documents: of this run. earlier: the eval sets of earlier releases. withdrawn: documents
    that a rebuild must unlearn, as far as production was trained on them. validation: items that chose among self-edits
    or rewarded the writer. writer_scores: of writer training, the scores after one self-edit by production and after
    one by the candidate, on documents that the writer was not trained on. drawn: of `earlier`, what is asked; None:
    all. usual: texts of earlier documents, whose phrases are nothing new. trigger_items: phrases of this run's
    documents, each with known questions beside it. written: what the writer wrote in this run; in writer training what
    the candidate wrote about the documents of `writer_scores`, and `written_before` what production did. served: what
    the serving engine made of the candidate; None: nobody tried. contradictions: what the run's documents say against
    what production knows; None: they were not compared. samples: how many answers to each question of the retention
    suites are sampled beside the greedy one; 0: none.
    """

    update: str
    manifest: AdapterManifest
    candidate: Checkpoint
    production: Checkpoint
    examples: tuple[Example, ...]
    suites: Suites
    kind: RunKind = RunKind.NIGHTLY
    documents: tuple[Document, ...] = ()
    earlier: tuple[ReleaseEvalSet, ...] = ()
    withdrawn: tuple[Document, ...] = ()
    validation: tuple[EvalItem, ...] = ()
    writer_scores: tuple[Scores, Scores] | None = None
    drawn: tuple[ReleaseEvalSet, ...] | None = None
    usual: tuple[str, ...] = ()
    trigger_items: tuple[TriggerItems, ...] = ()
    written: tuple[WrittenText, ...] = ()
    written_before: tuple[WrittenText, ...] = ()
    served: Served | None = None
    contradictions: Contradictions | None = None
    samples: int = 0

    @property
    def new_items(self) -> tuple[EvalItem, ...]:
        """The test items of this run's documents."""
        return held_out_items(self.documents)

    @property
    def withdrawn_items(self) -> tuple[EvalItem, ...]:
        return held_out_items(self.withdrawn)

    @property
    def corrections(self) -> tuple[Document, ...]:
        return tuple(document for document in self.documents if document.kind is DocumentKind.CORRECTION)

    @property
    def known(self) -> tuple[EvalItem, ...]:
        """The eval items from before this run: those of the retention suites, then those of earlier releases."""
        sets = [*(suite.eval_items for suite in self.suites.retention), *(one.eval_items for one in self.earlier)]
        return tuple(eval_item for eval_items in sets for eval_item in eval_items)

    @property
    def asked_earlier(self) -> tuple[ReleaseEvalSet, ...]:
        """The eval sets of earlier releases, as far as they are asked."""
        return self.earlier if self.drawn is None else self.drawn

    @property
    def own_suites(self) -> tuple[Suite, ...]:
        """This run's test items, those of withdrawn documents, and trigger items, each as a suite if there are any."""
        beside = [eval_item for one in self.trigger_items for eval_item in one.eval_items]
        named = ((RUN, self.new_items), (WITHDRAWN, self.withdrawn_items), (TRIGGERS, beside))
        found = (eval_item_suite(name, eval_items) for name, eval_items in named)
        return tuple(suite for suite in found if len(suite))

    @property
    def known_suites(self) -> tuple[Suite, ...]:
        """What is asked of earlier releases, then the benchmark suites."""
        return (*(eval_item_suite(one.suite, one.eval_items) for one in self.asked_earlier), *self.suites.all)

    @property
    def sampled_suites(self) -> tuple[Suite, ...]:
        """The retention suites, of whose questions several answers are sampled; none where the policy wants none."""
        return tuple(sampled_twin(suite, self.samples) for suite in self.suites.retention) if self.samples else ()


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
class Dispute:
    """An answer that the rules and the judge grade differently. `right`: what the judge says."""

    question: str
    expected: str
    answer: str
    right: bool


@dataclass(frozen=True, kw_only=True)
class SecondOpinion:
    """What the judge says of this run's questions. `pairs`: its grades of production and candidate, item by item.

    asked: answers put to it; undecided: replies that were neither of its two words; those leave `pairs`. failure: why
    it could not be asked, else empty.
    """

    pairs: tuple[Pair, ...] = ()
    asked: int = 0
    undecided: int = 0
    disputes: tuple[Dispute, ...] = ()
    failure: str = ""

    @property
    def agreement(self) -> float | None:
        """The share of the answers it decided that the rules grade alike; None where it decided none."""
        decided = self.asked - self.undecided
        return 1 - len(self.disputes) / decided if decided else None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A case with what was measured on it. `integrity`: what is wrong with the adapter, None where it verified.

    opinion: what a judge says of this run's answers, where one was asked; no gate decides by it. drift: how far the
    candidate's distributions on each plain text are from those of each reference model, in nats a token.
    """

    case: Case
    integrity: str | None = None
    candidate_scores: tuple[Scores, ...] = ()
    production_scores: tuple[Scores, ...] = ()
    base_scores: tuple[Scores, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()
    opinion: SecondOpinion | None = None
    drift: tuple[Scores, ...] = ()

    @property
    def scores(self) -> tuple[Scores, ...]:
        return self.candidate_scores + self.production_scores + self.base_scores

    def seed(self, purpose: str) -> int:
        """A seed for a gate's bootstrap: the same for the same update and purpose."""
        return seed_from(purpose, self.case.update)

    def pairs(self, suite: str, against: Against = Against.PRODUCTION) -> tuple[Pair, ...]:
        """The suite's items with the scores of both models. Raises MeasurementFailed where one side lacks any."""
        self._expect_measured(suite)
        before = self.production_scores if against is Against.PRODUCTION else self.base_scores
        return join(_of(before, suite), _of(self.candidate_scores, suite))

    def divergences(self, against: Against) -> tuple[float, ...]:
        """Of each plain text, in nats a token. Raises MeasurementFailed where they were not measured."""
        self._expect_measured(DRIFT)
        model = (
            self.case.production.ref if against is Against.PRODUCTION else ModelRef(base=self.case.candidate.ref.base)
        )
        found = next((one.items for one in self.drift if one.model == model), ())
        if not found:
            raise MeasurementFailed("the distributions on plain text were not compared. Run the gates again.")
        return tuple(item.score for item in found)

    def _expect_measured(self, suite: str) -> None:
        for failure in self.unmeasured:
            if failure.suite == suite:
                raise MeasurementFailed(f"{suite} was not measured: {failure.reason}")

    def pooled(
        self, suites: Iterable[str], against: Against = Against.PRODUCTION, without: frozenset[str] = frozenset()
    ) -> list[Pair]:
        """The pairs of all these suites but for the items `without`. Raises MeasurementFailed as `pairs` does."""
        return [pair for suite in suites for pair in self.pairs(suite, against) if pair.item not in without]


def held_out_items(documents: Iterable[Document]) -> tuple[EvalItem, ...]:
    """The test items of the documents; those without a group of their own are grouped by their document."""
    return tuple(
        eval_item if eval_item.group else replace(eval_item, group=document.id)
        for document in documents
        for eval_item in asked(document, Split.TEST)
    )


def by_item(found: Iterable[Scores], suite: str) -> Mapping[str, ItemScore]:
    """One model's scores on a suite by item id; empty where it was not measured."""
    return {item.item: item for scores in found if scores.suite == suite for item in scores.items}


def join(before: Scores, after: Scores) -> tuple[Pair, ...]:
    """Pairs two models' scores by item. Raises MeasurementFailed when an item is missing on one side."""
    left, right = by_item([before], before.suite), by_item([after], after.suite)
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
