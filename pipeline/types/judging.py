"""What the gates measure and say."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property

from pipeline.digests import digest_of
from pipeline.types.learning import ModelRef


class Verdict(StrEnum):
    """What a gate says. Only PASS lets an update through."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class ItemScore:
    """One item's score in [0, 1], the answer given, and the group it is clustered by."""

    item: str
    score: float
    answer: str = ""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A model's scores on a suite, item by item."""

    model: ModelRef
    suite: str
    items: tuple[ItemScore, ...]

    @property
    def mean(self) -> float | None:
        return sum(item.score for item in self.items) / len(self.items) if self.items else None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a verdict. `value` is a share in [0, 1], a count, or a p-value, as the name says."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What one gate says, in one sentence and its figures. One that is not `required` informs, no more."""

    gate: str
    verdict: Verdict
    sentence: str
    figures: tuple[Figure, ...] = ()
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """One known answer that a document contradicts.

    document: its id. question: the document's, or the known one where the document asks nothing of it. known: the
    recorded question, of the suite `suite`. production: what production answers closed book. says: the document's
    answer. declared: whether the document is a correction, which says that it changes something.
    """

    document: str
    title: str
    question: str
    known: str
    suite: str
    production: str
    says: str
    declared: bool


@dataclass(frozen=True, kw_only=True)
class AskedOf:
    """Of how many known answers one document was asked, among those that it speaks about.

    known: those that production surely knows. asked: those that an exam told or a reading was tried for. declared:
    whether the document is a correction.
    """

    document: str
    title: str
    known: int
    asked: int
    declared: bool

    def __str__(self) -> str:
        return f"{self.title} ({self.asked} of {self.known})"


@dataclass(frozen=True, kw_only=True)
class Contradictions:
    """What the comparison of a run's documents with known answers found.

    documents: ids of all that were compared. known: how many answers that production surely knows they speak about.
    asked: of each document that speaks about one, how many it was asked.
    """

    documents: tuple[str, ...]
    known: int
    found: tuple[Contradiction, ...]
    asked: tuple[AskedOf, ...] = ()

    def undeclared(self, documents: Iterable[str]) -> tuple[Contradiction, ...]:
        """Those of these documents (ids) that no correction declares."""
        among = frozenset(documents)
        return tuple(one for one in self.found if not one.declared and one.document in among)

    def unasked(self, documents: Iterable[str]) -> tuple[AskedOf, ...]:
        """Those of these documents (ids), but for corrections, that were not asked all that they speak about."""
        among = frozenset(documents)
        return tuple(one for one in self.asked if not one.declared and one.document in among and one.asked < one.known)


@dataclass(frozen=True, kw_only=True)
class BisectStep:
    """One thing that was tried after a run failed: an adapter trained on these documents alone, or a scaled one.

    documents: their ids. factor: how much of the adapter's change was kept. sentence: of the gate that decided.
    """

    documents: tuple[str, ...]
    verdict: Verdict
    sentence: str = ""
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """Documents that make an update fail, all of them together and no part of them: ids and titles.

    sentence: what the gate said of an adapter that was trained on exactly these.
    """

    documents: tuple[str, ...]
    titles: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """What was tried to save a run that failed its gates, and what came of it.

    documents: ids of all that the run began with, in their order. gates: those that failed, and could judge parts.
    failed: what the first of them said of the whole run. limit: trainings that are allowed. ended: why no more is
    tried, in a sentence; empty while more may be.
    """

    documents: tuple[str, ...]
    gates: tuple[str, ...]
    failed: str
    limit: int
    steps: tuple[BisectStep, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    ended: str = ""

    @property
    def trainings(self) -> int:
        """How many adapters were trained on parts of the documents."""
        return sum(step.factor == 1.0 for step in self.steps)

    @property
    def quarantined(self) -> tuple[str, ...]:
        """The ids of all culprits."""
        return tuple(one for culprit in self.culprits for one in culprit.documents)


@dataclass(frozen=True, kw_only=True)
class GateReport:
    """All gates' results on one candidate against one production, under one policy.

    bisection: what was tried before, where the run had failed its gates.
    """

    update: str
    candidate: ModelRef
    production: ModelRef
    policy: str
    results: tuple[GateResult, ...]
    recall: tuple[Figure, ...] = ()
    bisection: Bisection | None = None

    @property
    def verdict(self) -> Verdict:
        """Over the required gates: FAIL if any fails, else INCONCLUSIVE if any is, else PASS; no gate is no pass."""
        verdicts = {result.verdict for result in self.results if result.required}
        if Verdict.FAIL in verdicts:
            return Verdict.FAIL
        return Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.INCONCLUSIVE

    @cached_property
    def digest(self) -> str:
        results = [
            [r.gate, r.verdict, r.sentence, r.required, [[f.name, f.value] for f in r.figures]] for r in self.results
        ]
        recall = [[f.name, f.value] for f in self.recall]
        parts = [self.update, self.candidate.id, self.production.id, self.policy, results, recall]
        return digest_of("report", *parts, *([asdict(self.bisection)] if self.bisection else []))
