"""What is offered to be learned: documents, their eval items, and what ingestion made of them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from pipeline.digests import digest_of


class DocumentKind(StrEnum):
    """What a document asks of the model."""

    PASSAGE = "passage"
    WORKFLOW = "workflow"
    CORRECTION = "correction"


class DocumentState(StrEnum):
    """Where an accepted document is: in exactly one of these.

    WRITER_TRAINING: only writer training used it; no run has learned it.
    """

    QUEUED = "queued"
    LEASED = "leased"
    LEARNED = "learned"
    QUARANTINED = "quarantined"
    REVERTED = "reverted"
    DISCARDED = "discarded"
    WITHDRAWN = "withdrawn"
    WRITER_TRAINING = "writer-training"


class Split(StrEnum):
    """Validation items select edit sets and reward the writer, test items are for the gates; neither is trained on."""

    VALIDATION = "validation"
    TEST = "test"


class Origin(StrEnum):
    """Who wrote an eval item."""

    HUMAN = "human"
    MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class EvalItem:
    """A question with its accepted answers. `group` names the source that questions share (for clustering).

    `title`: that of its document, which a question prompt may name; not a part of the identity.
    """

    question: str
    answers: tuple[str, ...]
    split: Split = Split.TEST
    origin: Origin = Origin.HUMAN
    group: str = ""
    title: str = field(default="", compare=False)

    @cached_property
    def id(self) -> str:
        return digest_of("probe", self.question, self.answers, self.split, self.origin, self.group)


@dataclass(frozen=True, kw_only=True)
class RawDocument:
    """Bytes as a source gave them. `name` is the path or address below the source, and ends in a suffix."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class QueuedDocument:
    """A document that waits for a run, without its text. `questions`: how many test questions it has."""

    id: str
    name: str
    kind: DocumentKind = DocumentKind.PASSAGE
    questions: int = 0

    @property
    def source(self) -> str:
        """The first folder of its name, or none."""
        return self.name.partition("/")[0] if "/" in self.name else ""


@dataclass(frozen=True, kw_only=True)
class RunSize:
    """How many documents a run takes, and how many of one source that is not trusted; None: as many as there are."""

    documents: int
    per_source: int | None = None
    trusted: frozenset[str] = frozenset()

    def first(self, queue: Iterable[QueuedDocument]) -> list[QueuedDocument]:
        """The first documents of the queue that a run may take together."""
        taken: Counter[str] = Counter()
        chosen: list[QueuedDocument] = []
        for one in queue:
            if self.per_source is None or one.source in self.trusted or taken[one.source] < self.per_source:
                taken[one.source] += 1
                chosen.append(one)
            if len(chosen) == self.documents:
                break
        return chosen


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Something that a source offered and ingestion refused, with the reason in words."""

    name: str
    reason: str

    @cached_property
    def id(self) -> str:
        return digest_of("refusal", self.name, self.reason)


@dataclass(frozen=True, kw_only=True)
class Document:
    """A cleaned document. Its id is the SHA-256 of kind, title and body: the name it came under is not identity.

    `remarks`: what intake changed or left out, in words.
    """

    title: str
    body: str
    kind: DocumentKind = DocumentKind.PASSAGE
    name: str = ""
    eval_items: tuple[EvalItem, ...] = ()
    remarks: tuple[str, ...] = field(default=(), compare=False)

    @cached_property
    def id(self) -> str:
        return digest_of("document", self.kind, self.title, self.body)


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What one reading of a source gave; `files` names all that was read, whatever came of it."""

    accepted: tuple[Document, ...]
    refused: tuple[Refusal, ...]
    duplicates: int
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IngestCounts:
    """What one ingestion changed in the ledger; `updated` are known documents that were offered with other questions.

    Each document counts once; `seconds` is how long it took.
    """

    queued: int
    duplicates: int
    refused: int
    updated: int = 0
    seconds: float = field(default=0.0, compare=False)

    def __add__(self, other: "IngestCounts") -> "IngestCounts":
        return IngestCounts(
            queued=self.queued + other.queued,
            duplicates=self.duplicates + other.duplicates,
            refused=self.refused + other.refused,
            updated=self.updated + other.updated,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, kw_only=True)
class DocumentRecord:
    """An offered document as the ledger holds it. `document` is None where nothing readable was accepted."""

    id: str
    state: DocumentState
    name: str
    reason: str
    attempts: int
    added: datetime
    document: Document | None
    release: int | None = None


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """A person's decision to withdraw a document: it is never learned again, and unlearned by the next rebuild.

    `actor`: the name as it was typed, which nobody proved; `account`: that of the operating system.
    """

    document: str
    actor: str
    reason: str
    at: datetime
    account: str = ""


@dataclass(frozen=True, kw_only=True)
class DocumentDecision:
    """What becomes of one document of a run that ended without a release."""

    document: str
    state: DocumentState
    reason: str
