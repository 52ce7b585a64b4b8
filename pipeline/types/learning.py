"""What a model learns from and what comes of it: self-edits, updates, adapters."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from pipeline.digests import digest_of


class Role(StrEnum):
    """Why a training example is in an update."""

    NEW = "new"
    REPLAY = "replay"
    REHEARSAL = "rehearsal"
    GENERATIVE = "generative"
    READING = "reading"
    WRITING = "writing"


@dataclass(frozen=True, kw_only=True)
class Example:
    """One training sequence: say `completion` after the user's `prompt`. An empty prompt means plain text.

    `corrects`: whether it states a fact that a correction changes, against what the model knew. `loss_on`: which
    tokens are learned, "answers" or "all"; None: as the training's rules say. `ends`: whether the completion is whole;
    after one that was cut off nothing is learned, and no end of turn. `taught_by`: the prompt, with the document, under
    which the base model's probabilities of the completion are learned (context distillation, arXiv 2209.15189); None:
    the words alone.
    """

    prompt: str
    completion: str
    role: Role = Role.NEW
    corrects: bool = False
    loss_on: str | None = None
    ends: bool = True
    taught_by: str | None = None

    @cached_property
    def id(self) -> str:
        taught = [] if self.taught_by is None else ["taught by", self.taught_by]
        return digest_of("example", self.prompt, self.completion, *([] if self.ends else ["cut off"]), *taught)


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """A model by content: the base's digest and the adapter's (None: the base as it is)."""

    base: str
    adapter: str | None = None

    @cached_property
    def id(self) -> str:
        return digest_of("model", self.base, self.adapter)


@dataclass(frozen=True)
class Checkpoint:
    """A model with the folder of its adapter; without a folder it is the base as it is."""

    ref: ModelRef
    folder: Path | None = None


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
        examples = [example.id for example in self.examples]
        return digest_of(
            "self-edit", self.document, self.style, self.writer.id, self.sample, self.prompt, self.text, examples
        )


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """How many self-edits or examples about a document were not kept, and why in words."""

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
class EditSet:
    """One edit set of a document, by number from 0: its own self-edits and how many examples they hold.

    `reward`: the share of the document's validation questions that an adapter trained on it answers; None: not asked.
    """

    number: int
    self_edits: tuple[str, ...]
    examples: int
    reward: float | None = None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which of a document's edit sets is kept, by its number, and why in a sentence."""

    document: str
    kept: int
    candidates: tuple[EditSet, ...]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A document's directives as they were followed, and what was clipped or refused, in words.

    `settings` is None where nothing legal was chosen: then all is as the recipe says. `tools` are those that were used.
    """

    document: str
    settings: Directives | None
    tools: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Update:
    """Everything that decides an adapter's weights; its id names the adapter before it exists.

    scale: how much of the change is kept once it is trained.
    """

    parent: ModelRef
    self_edits: tuple[str, ...]
    examples_digest: str
    recipe: str
    seed: int
    followed: tuple[Followed, ...] = ()
    scale: float = 1.0

    @cached_property
    def id(self) -> str:
        parts = ["update", self.parent.id, sorted(self.self_edits), self.examples_digest, self.recipe, self.seed]
        scaled = [] if self.scale == 1.0 else [["scale", self.scale]]
        return digest_of(*parts, *sorted(map(_choice, self.followed)), *scaled)


def _choice(followed: Followed) -> list[object]:
    settings = followed.settings
    chosen = [settings.learning_rate, settings.epochs, settings.loss_on] if settings else []
    return [followed.document, chosen, followed.tools]


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
    """What an adapter is and what it was made from. Its digest is what a reviewer approves.

    thinking: how prompts leave the chat template's thinking, in training, gates and serving alike. unadapted: the kinds
    of layers that no adapter of this base changes, with their share of its weights; "" where there are none.
    """

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
    thinking: str = "none"
    unadapted: str = ""

    @cached_property
    def adapter(self) -> str:
        """The adapter's identity: its files' names and bytes, and nothing else."""
        return digest_of("adapter", [[file.name, file.sha256] for file in self.files])

    @cached_property
    def digest(self) -> str:
        files = [[file.name, file.size, file.sha256] for file in self.files]
        return digest_of(
            "manifest",
            self.base,
            self.tokenizer,
            self.chat_template,
            files,
            self.rank,
            self.alpha,
            self.target_modules,
            self.parameters,
            self.update,
            self.recipe,
            self.ledger,
            self.parent_adapter,
            self.thinking,
            self.unadapted,
        )


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained adapter and how it went."""

    manifest: AdapterManifest
    steps: int
    final_loss: float
    tokens: int
    seconds: float = field(default=0.0, compare=False)
