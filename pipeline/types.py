"""The nouns of the house, frozen and typed. They hold values and their own identity, and do nothing."""

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
    """Where an accepted document is: in exactly one of these."""

    QUEUED = "queued"
    LEASED = "leased"
    LEARNED = "learned"
    QUARANTINED = "quarantined"
    REVERTED = "reverted"
    DEAD = "dead"


class Split(StrEnum):
    """Practice probes choose among candidates, exam probes gate; neither enters training."""

    PRACTICE = "practice"
    EXAM = "exam"


class Origin(StrEnum):
    """Who wrote a probe."""

    HUMAN = "human"
    MODEL = "model"


class Verdict(StrEnum):
    """What a gate says. Only PASS lets an update through."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


class Role(StrEnum):
    """Why a training example is in an update."""

    NIGHT = "night"
    REPLAY = "replay"
    ANCHOR = "anchor"
    GENERATIVE = "generative"
    READING = "reading"
    WRITING = "writing"


class ReleaseState(StrEnum):
    """Where a release is in its life; see `registry.lifecycle` for the legal moves."""

    REGISTERING = "registering"
    CANDIDATE = "candidate"
    PRODUCTION = "production"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    VOID = "void"


class NightState(StrEnum):
    """Where a night is: the first five are stages under way, the others say how it ended or what it waits for."""

    INTAKE = "intake"
    WRITING = "writing"
    TRAINING = "training"
    GATING = "gating"
    REGISTERING = "registering"
    WAITING = "waiting"
    RELEASED = "released"
    REJECTED_BY_GATES = "rejected_by_gates"
    REJECTED_BY_REVIEWER = "rejected_by_reviewer"
    HELD = "held"
    FAILED = "failed"
    ABANDONED = "abandoned"
    EMPTY = "empty"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A question with its accepted answers. `group` names the source that questions share (for clustering)."""

    question: str
    answers: tuple[str, ...]
    split: Split = Split.EXAM
    origin: Origin = Origin.HUMAN
    group: str = ""

    @cached_property
    def id(self) -> str:
        return digest_of("probe", self.question, self.answers, self.split, self.origin, self.group)


@dataclass(frozen=True, kw_only=True)
class RawDocument:
    """Bytes as a source gave them. `name` is the path or address below the source, and ends in a suffix."""

    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Something a source offered and intake did not accept, with the reason in words."""

    name: str
    reason: str

    @cached_property
    def id(self) -> str:
        return digest_of("refusal", self.name, self.reason)


@dataclass(frozen=True, kw_only=True)
class Document:
    """A cleaned document. Its id is the SHA-256 of kind, title and body: the name it came under is not identity."""

    title: str
    body: str
    kind: DocumentKind = DocumentKind.PASSAGE
    name: str = ""
    probes: tuple[Probe, ...] = ()

    @cached_property
    def id(self) -> str:
        return digest_of("document", self.kind, self.title, self.body)


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What one reading of a source gave."""

    accepted: tuple[Document, ...]
    refused: tuple[Refusal, ...]
    duplicates: int


@dataclass(frozen=True, kw_only=True)
class Example:
    """One training sequence: say `completion` after the user's `prompt`. An empty prompt means plain text."""

    prompt: str
    completion: str
    role: Role = Role.NIGHT

    @cached_property
    def id(self) -> str:
        return digest_of("example", self.prompt, self.completion)


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """A model by content: the base's digest and the adapter's (None: the base as it is)."""

    base: str
    adapter: str | None = None

    @cached_property
    def id(self) -> str:
        return digest_of("model", self.base, self.adapter)


@dataclass(frozen=True, kw_only=True)
class Directives:
    """Training settings that a self-edit chose itself (SEAL, section 3.2)."""

    learning_rate: float
    epochs: int
    loss_on: str
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SelfEdit:
    """What the model wrote about a document, as sampled (`text`) and as parsed into examples."""

    document: str
    style: str
    writer: ModelRef
    sample: int
    prompt: str
    text: str
    examples: tuple[Example, ...]
    directives: Directives | None = None
    reward: float | None = None

    @cached_property
    def id(self) -> str:
        return digest_of("self-edit", self.document, self.style, self.writer.id, self.sample, self.prompt, self.text)


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """How many notes or examples about a document were not kept, and why in words."""

    document: str
    style: str
    reason: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Written:
    """What one run of the writer gave: the self-edits that were kept, and what was not."""

    edits: tuple[SelfEdit, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, kw_only=True)
class Update:
    """Everything that decides an adapter's weights; its id names the adapter before it exists."""

    parent: ModelRef
    self_edits: tuple[str, ...]
    examples_digest: str
    recipe: str
    seed: int

    @cached_property
    def id(self) -> str:
        return digest_of(
            "update", self.parent.id, sorted(self.self_edits), self.examples_digest, self.recipe, self.seed
        )


@dataclass(frozen=True, kw_only=True)
class UpdatePlan:
    """An update with the examples to train on, in their order."""

    update: Update
    examples: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True)
class FileDigest:
    """A file of an adapter directory by name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class AdapterManifest:
    """What an adapter is and what it was made from. Its digest is what a reviewer approves."""

    base: str
    tokenizer: str
    chat_template: str
    files: tuple[FileDigest, ...]
    rank: int
    alpha: int
    target_modules: tuple[str, ...]
    parameters: int
    update: str
    recipe: str
    ledger: str
    parent_adapter: str | None

    @cached_property
    def adapter(self) -> str:
        """The adapter's identity: its files' names and bytes, and nothing else."""
        return digest_of("adapter", [[file.name, file.sha256] for file in self.files])

    @cached_property
    def digest(self) -> str:
        files = [[file.name, file.size, file.sha256] for file in self.files]
        return digest_of(
            "manifest", self.base, self.tokenizer, self.chat_template, files, self.rank, self.alpha,
            self.target_modules, self.parameters, self.update, self.recipe, self.ledger, self.parent_adapter,
        )  # fmt: skip


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
class GateReport:
    """All gates' results on one candidate against one incumbent, under one policy."""

    update: str
    candidate: ModelRef
    incumbent: ModelRef
    policy: str
    results: tuple[GateResult, ...]
    recall: tuple[Figure, ...] = ()

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
        return digest_of("report", self.update, self.candidate.id, self.incumbent.id, self.policy, results, recall)


@dataclass(frozen=True, kw_only=True)
class Release:
    """A version of the model: the base with one cumulative adapter. Number 0 is the untouched base."""

    number: int
    state: ReleaseState
    parent: int | None
    model: ModelRef
    manifest: str
    update: str
    proposer: str
    created: datetime
    mlflow_version: str | None = None
    report: str | None = None
    reason: str = ""

    @cached_property
    def id(self) -> str:
        return digest_of("release", self.update, self.manifest)


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A person's word on exactly one manifest, given while `epoch` was the newest deployment."""

    release: int
    manifest: str
    approved: bool
    actor: str
    note: str
    epoch: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One line of the append-only deployment history: from `at` on, `release` is production."""

    epoch: int
    release: int
    actor: str
    reason: str
    at: datetime


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
class Trained:
    """A trained adapter and how it went."""

    manifest: AdapterManifest
    steps: int
    final_loss: float
    tokens: int
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, kw_only=True)
class DocumentDecision:
    """What becomes of one document of a night that ended without a release."""

    document: str
    state: DocumentState
    reason: str


@dataclass(frozen=True, kw_only=True)
class IntakeCounts:
    """What the ledger made of one intake: newly queued, already known, newly refused; and how long it took."""

    queued: int
    duplicates: int
    refused: int
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, kw_only=True)
class StageSeconds:
    """How many seconds of work one stage of a night took, over all its runs."""

    stage: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Night:
    """One run from documents to a candidate: an intent that a killed run resumes. `parent` is the production release.

    `update`, `report` and `release` are filled in as the night comes to them; `sentence` says how it ended.
    """

    number: int
    state: NightState
    parent: int
    documents: tuple[str, ...]
    proposer: str
    recipe: str
    started: datetime
    finished: datetime | None = None
    update: str | None = None
    report: str | None = None
    release: int | None = None
    sentence: str = ""
    seconds: tuple[StageSeconds, ...] = ()

    @cached_property
    def id(self) -> str:
        return digest_of("night", self.number, self.parent, self.documents, self.recipe)


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who holds a lease since when, and until when (seconds since 1970) unless renewed. `epoch` rises with each."""

    name: str
    epoch: int
    holder: str
    since: datetime
    expires: float
