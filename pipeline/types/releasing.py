"""What is released, by whom, and what a run is: releases, approvals, deployments, runs, the lease."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from pipeline.digests import digest_of
from pipeline.types.learning import ModelRef


class ReleaseState(StrEnum):
    """Where a release is in its life; see `registry.lifecycle` for the legal moves."""

    REGISTERING = "registering"
    CANDIDATE = "candidate"
    PRODUCTION = "production"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"
    ROLLED_BACK = "rolled_back"
    STALE = "stale"
    VOID = "void"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A version of the model: the base with one cumulative adapter. Number 0 is the base model."""

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


class Identity(StrEnum):
    """How it is known who decided: by the operating system's account on one machine, or by MLflow's sign-in."""

    UNPROVEN = "unproven"
    SIGNED_IN = "signed-in"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who decides. `account`: that of the operating system under which the deciding process ran; "" where none did.

    An UNPROVEN name is what somebody typed, or the account's own. A SIGNED_IN one is the name that MLflow proved.
    """

    name: str
    account: str = ""
    identity: Identity = Identity.UNPROVEN

    @property
    def shown(self) -> str:
        """As people read it: "grace (account alice, unproven)", "alice (unproven)" or "grace (signed-in)"."""
        typed = self.identity is Identity.UNPROVEN and self.account not in ("", self.name)
        return f"{self.name} ({f'account {self.account}, ' if typed else ''}{self.identity})"


@dataclass(frozen=True, kw_only=True)
class SignedStatement:
    """What is signed of a release: canonical JSON, the id of the key, and an Ed25519 signature in base64."""

    text: str
    key: str
    signature: str


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A person's approval or rejection of exactly one manifest, given while `epoch` was the newest deployment.

    `statement`: what the approval signed of the release; None for a rejection, and until the approval is recorded.
    """

    release: int
    manifest: str
    approved: bool
    actor: str
    note: str
    epoch: int
    at: datetime
    account: str = ""
    identity: Identity = Identity.UNPROVEN
    statement: SignedStatement | None = None

    @property
    def by(self) -> Actor:
        return Actor(name=self.actor, account=self.account, identity=self.identity)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One line of the append-only deployment history: from `at` on, `release` is production."""

    epoch: int
    release: int
    actor: str
    reason: str
    at: datetime
    account: str = ""
    identity: Identity = Identity.UNPROVEN

    @property
    def by(self) -> Actor:
        return Actor(name=self.actor, account=self.account, identity=self.identity)


@dataclass(frozen=True, kw_only=True)
class Transition:
    """One line of the append-only history of releases: `release` went from `before` (None: it was made) to `after`.

    `epoch`: the newest deployment once it had. What a run does is recorded under its proposer.
    """

    release: int
    before: ReleaseState | None
    after: ReleaseState
    actor: str
    reason: str
    epoch: int
    at: datetime
    account: str = ""
    identity: Identity = Identity.UNPROVEN

    @property
    def by(self) -> Actor:
        return Actor(name=self.actor, account=self.account, identity=self.identity)


class ReviewKind(StrEnum):
    """What a person decided in MLflow's user interface."""

    APPROVE = "approve"
    REJECT = "reject"
    ROLLBACK = "rollback"


@dataclass(frozen=True, kw_only=True)
class ReviewDecision:
    """What `who` decided on an MLflow `version` under their own sign-in, and over what: its manifest, at this epoch.

    `who` is the proven name of the sign-in. `number` is the decision's place in the ledger; 0 until it is recorded.
    It takes effect when it is adopted: see `ReviewOutcome`.
    """

    who: str
    kind: ReviewKind
    version: str
    release: int
    manifest: str
    epoch: int
    text: str
    at: datetime
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class ReviewOutcome:
    """What became of the decision of that number: adopted, or refused by a rule. `sentence` says it in words."""

    decision: int
    adopted: bool
    sentence: str
    at: datetime


class RunState(StrEnum):
    """Where a run is: the first five are stages under way, the others say how it ended or what it waits for."""

    INGESTING = "ingesting"
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


class RunKind(StrEnum):
    """What a run does: learn new documents on top of production (NIGHTLY), learn the whole ledger anew from the base
    model (REBUILD), or train the writer to write better self-edits (WRITER_TRAINING), which adds no knowledge.
    """

    NIGHTLY = "nightly"
    REBUILD = "rebuild"
    WRITER_TRAINING = "writer-training"


@dataclass(frozen=True, kw_only=True)
class WriterTrainingRequest:
    """How writer training was asked for.

    `folder`: its documents (an absolute path; None: the documents that production has learned). `rounds`, `method`:
    what overrides the recipe (None: as the recipe says).
    """

    folder: str | None = None
    rounds: int | None = None
    method: str | None = None


@dataclass(frozen=True, kw_only=True)
class StageSeconds:
    """How many seconds of work one stage of a run took, over all its runs."""

    stage: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run from documents to a candidate: an intent that a killed run resumes. `parent` is the production release.

    `documents` are those it leased; a rebuild leases none, because it learns what the ledger holds as learned.
    `update`, `report` and `release` are filled in as the run comes to them; `sentence` says how it ended. `asked`:
    how writer training was asked for; None for other runs.
    """

    number: int
    state: RunState
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
    kind: RunKind = RunKind.NIGHTLY
    asked: WriterTrainingRequest | None = None

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
