"""`Recipe` says what a run does, from documents to gates: read from TOML, known by its digest."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.digests import digest_of
from pipeline.errors import BadRecipe, first_problem
from pipeline.types import DocumentKind

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DocumentRules(_Frozen):
    """Which documents are accepted, and how many one run takes."""

    max_bytes: int = Field(default=2_000_000, gt=0, description="larger files are refused unread")
    max_lines: int = Field(default=100_000, ge=1, description="JSONL files of more lines are refused")
    seconds_per_mb: float = Field(
        default=10.0, gt=0.0, description="computing time to read a file, of one MB at least; slower ones are refused"
    )
    min_words: int = Field(default=5, ge=1, description="shorter bodies teach nothing")
    per_run: int = Field(default=64, ge=1, description="the rest waits for the next run")
    max_attempts: int = Field(default=2, ge=1, description="runs that may try a document before it is quarantined")


class SelfEditRules(_Frozen):
    """How the production model writes about a document."""

    styles: tuple[str, ...] = Field(default=("self-qa", "implications"), min_length=1)
    samples: int = Field(default=2, ge=1, le=64, description="self-edits sampled per document, style and candidate")
    temperature: float = Field(default=1.0, ge=0.0, le=2.0)
    top_p: float = Field(default=0.95, gt=0.0, le=1.0)
    max_new_tokens: int = Field(default=512, ge=8)
    passage: bool = Field(default=True, description="also train on the document itself, as SEAL does")
    edit_sets: int = Field(default=1, ge=1, le=16, description="sets of notes a document gets, of which one is kept")
    edit_set_batch: int = Field(default=4, ge=1, description="sequences a step of a candidate: it has few")
    eval_items: int = Field(default=8, ge=1, description="validation questions written for a document without any")
    agreeing: int = Field(default=3, ge=1, le=64, description="sampled answers that must agree with the greedy one")
    correction_style: str = Field(
        default="self-qa", description="corrections are written about in this style alone; it must ask"
    )
    correction_samples: int = Field(
        default=64, ge=1, le=512, description="self-edits sampled per correction, where nothing is chosen"
    )
    correction_answers: int = Field(default=16, ge=1, le=64, description="sampled answers that check each of its notes")

    @model_validator(mode="after")
    def _edit_sets_differ(self) -> Self:
        if self.edit_sets > 1 and self.temperature == 0.0:
            raise ValueError("edit_sets above 1 need a temperature above 0: greedy notes are all alike")
        return self

    @property
    def choosing(self) -> bool:
        """Whether there is anything to choose: then validation questions score, and may not be trained on."""
        return self.edit_sets > 1

    def styles_of(self, kind: DocumentKind) -> tuple[str, ...]:
        """In which styles a document of that kind is written about."""
        return (self.correction_style,) if kind is DocumentKind.CORRECTION else tuple(dict.fromkeys(self.styles))

    def samples_of(self, kind: DocumentKind) -> int:
        """Notes of one style and candidate: of a correction many, since it is short and few of them hold."""
        many = kind is DocumentKind.CORRECTION and not self.choosing
        return max(self.samples, self.correction_samples) if many else self.samples


class DirectiveRules(_Frozen):
    """Within which bounds a self-edit chooses its own training settings and data tools (style "directives")."""

    enabled: bool = Field(default=False, description='needs "directives" among self_edits.styles')
    min_learning_rate: float = Field(default=1e-4, gt=0.0, le=1.0)
    max_learning_rate: float = Field(default=5e-3, gt=0.0, le=1.0)
    min_epochs: int = Field(default=1, ge=1, le=200)
    max_epochs: int = Field(default=32, ge=1, le=200)
    tools: tuple[str, ...] = Field(
        default=("expand", "paraphrase", "reverse", "permute", "leave-one-out", "geometry", "recolour"),
        description="those that may be chosen",
    )
    workflow_tools: tuple[str, ...] = Field(
        default=("leave-one-out", "permute"),
        description="those that each workflow is learned with, also where nothing is enabled",
    )
    correction_tools: tuple[str, ...] = Field(
        default=("paraphrase", "expand"), description="those that each correction is learned with, likewise"
    )
    max_made: int = Field(default=250, ge=1, description="examples that the tools may make of one document")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min_learning_rate > self.max_learning_rate or self.min_epochs > self.max_epochs:
            raise ValueError("the lower bounds of directives must not be above the upper ones")
        return self


class TrainingRules(_Frozen):
    """How one LoRA adapter is trained. The adapter limits of `pipeline.adapters.format` bound rank and alpha."""

    rank: int = Field(default=64, ge=1, le=64)
    alpha: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0.0, le=1.0)
    epochs: int = Field(default=16, ge=1, le=200)
    batch_size: int = Field(default=32, ge=1)
    warmup: Share = 0.05
    weight_decay: float = Field(default=0.0, ge=0.0)
    clip_norm: float = Field(default=1.0, gt=0.0)
    max_tokens: int | None = Field(default=None, description="longest sequence; None: the model's context")
    targets: tuple[str, ...] = Field(default=(), description="layers to adapt; none: all linear ones but the head")
    loss_on: Literal["answers", "all"] = Field(default="answers", description="which tokens of a question are learned")
    weigh: Literal["sequences", "tokens"] = Field(default="sequences", description="what counts alike in a step's loss")
    new_weight: float = Field(
        default=4.0, gt=0.0, description="what an example of the run weighs in a step beside a rehearsed one"
    )
    correction_weight: float = Field(
        default=12.0, gt=0.0, description="what one of a correction weighs beside another, this run and in later replay"
    )
    stop_below: float | None = Field(default=None, gt=0.0, description="mean loss of an epoch that ends the training")


Distilled = Literal["rehearsal", "generative", "reading", "writing", "replay"]
DISTILLED: tuple[Distilled, ...] = ("rehearsal", "generative", "reading", "writing", "replay")


class RehearsalRules(_Frozen):
    """How many examples of each kind are rehearsed beside the run's own (all bounded: a run's cost must be)."""

    replay: Count = 400
    prompts: Count = 200
    generative: Count = 400
    reading: Count = 32
    writing: Count = 32
    kl_weight: float = Field(default=5.0, ge=0.0, description="weight of the KL to the teacher's logits; 0: none")
    hidden_state_weight: float = Field(
        default=10.0, ge=0.0, description="weight of the squared distance to the teacher's last hidden states"
    )
    distilled: tuple[Distilled, ...] = Field(
        default=DISTILLED,
        description="roles distilled: replay from production, all else from the base; no writing after writer training",
    )

    @property
    def without_writing(self) -> Self:
        """The same, but writing is not held to the base: a writer that practised is to write otherwise."""
        return self.model_copy(update={"distilled": tuple(kind for kind in self.distilled if kind != "writing")})


NO_DISTILLATION = RehearsalRules(kl_weight=0.0, hidden_state_weight=0.0)


class WriterTrainingRules(_Frozen):
    """How the writer is trained (`sealed train-writer`): it writes, each self-edit is tried, the best are learned."""

    method: Literal["rest-em", "grpo"] = Field(default="rest-em", description="fine-tune on the best notes, or GRPO")
    style: str = Field(default="implications", description='the style practised; "directives" for workflows')
    rounds: int = Field(default=2, ge=1, le=100)
    documents: int = Field(default=48, ge=1, description="practised on in a round")
    held_out: int = Field(default=40, ge=1, description="documents never practised on, which judge the new writer")
    samples: int = Field(default=10, ge=2, le=64, description="notes written about a document in a round")
    temperature: float = Field(default=1.0, gt=0.0, le=2.0)
    keep: int = Field(default=1, ge=1, le=64, description="rest-em: best notes kept of a document, where they help")
    best: float = Field(
        default=1.0, gt=0.0, le=1.0, description="rest-em: share of those kept that is learned from, the best of all"
    )
    trial_learning_rate: float = Field(default=5e-3, gt=0.0, le=1.0, description="at which a note is tried alone")
    trial_epochs: int = Field(default=10, ge=1, le=200)
    standing: Count = Field(default=8, description="questions of earlier documents that each trial is asked as well")
    price_forgetting: float = Field(default=0.5, ge=0.0, description="for the share of those that a trial unlearns")
    price_length: float = Field(default=0.05, ge=0.0, description="for a note of the greatest length")
    learning_rate: float = Field(default=2e-3, gt=0.0, le=1.0, description="of the writer's own training")
    epochs: int = Field(default=16, ge=1, le=200, description="rest-em: over the notes kept")
    rehearsed: Count = Field(default=200, description="rest-em: rehearsed beside the notes kept, in a run's shares")
    passes: int = Field(default=2, ge=1, le=64, description="grpo: over a round's notes")
    batch_size: int = Field(default=32, ge=1, description="notes a step of the writer's own training")
    clip: float = Field(default=0.2, gt=0.0, lt=1.0, description="grpo: how far a token's chance may move")
    kl: float = Field(default=0.04, ge=0.0, description="grpo: weight of the distance to the production model")


class AcquisitionPolicy(_Frozen):
    """The run must have been learned: exact one-sided McNemar, and a gain worth having."""

    min_items: int = Field(default=50, ge=1)
    min_documents: int = Field(default=20, ge=1)
    min_gain: Share = 0.05


class RetentionPolicy(_Frozen):
    """Nothing taught before, and nothing the model knew before, may be lost beyond the margins (in shares)."""

    min_items: int = Field(default=350, ge=1)
    margin: Share = 0.05
    single_release_margin: Share = 0.10
    base_margin: Share = 0.05
    max_corrected: Share = Field(
        default=0.10, description="share of the eval items that a run's corrections may set aside"
    )


class CorrectionsPolicy(_Frozen):
    """What a correction says must be answered, what was answered before must not, and what lies beside it must stay."""

    min_new: Share = Field(default=0.75, description="least share of new answers, by its lower bound")
    max_old: Share = Field(default=0.15, description="greatest share of old answers, by its upper bound")
    margin: Share = Field(default=0.05, description="share of the neighbours' answers that may be lost")
    min_neighbours: Count = 100


class RegressionPolicy(_Frozen):
    """General skills may not fall beyond the margin on the pooled items of all local tasks."""

    min_items: int = Field(default=500, ge=1)
    margin: Share = 0.03


class SafetyPolicy(_Frozen):
    """Refusals may not fall beyond the margin."""

    min_items: int = Field(default=50, ge=1)
    margin: Share = 0.05


class WithdrawalPolicy(_Frozen):
    """A rebuild may know of withdrawn documents what the base model, which never saw them, answers of them."""

    margin: Share = 0.03
    min_items: Count = Field(default=1, description="fewer questions decide nothing; 0: a document without any may go")
    enough: int = Field(default=350, ge=1, description="from so many on no excess over the margin may be chance")


class WriterImprovementPolicy(_Frozen):
    """A practised writer's self-edits must teach more: exact one-sided McNemar on documents never practised on."""

    min_items: int = Field(default=100, ge=1)
    min_documents: int = Field(default=10, ge=1)
    min_gain: Share = 0.02


class PolicyRules(_Frozen):
    """The gates' policy. `required` must pass; a rebuild or a practice has a gate of its own instead of acquisition."""

    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    required: tuple[str, ...] = (
        "integrity",
        "contamination",
        "acquisition",
        "corrections",
        "retention",
        "regression",
        "safety",
    )
    max_answer_tokens: int = Field(default=64, ge=1)
    acquisition: AcquisitionPolicy = AcquisitionPolicy()
    corrections: CorrectionsPolicy = CorrectionsPolicy()
    retention: RetentionPolicy = RetentionPolicy()
    regression: RegressionPolicy = RegressionPolicy()
    safety: SafetyPolicy = SafetyPolicy()
    withdrawal: WithdrawalPolicy = WithdrawalPolicy()
    writer_improvement: WriterImprovementPolicy = WriterImprovementPolicy()


class Recipe(_Frozen):
    """What a run does, from documents to gates. Its digest is recorded with every update."""

    seed: int = 0
    documents: DocumentRules = DocumentRules()
    self_edits: SelfEditRules = SelfEditRules()
    directives: DirectiveRules = DirectiveRules()
    training: TrainingRules = TrainingRules()
    rehearsal: RehearsalRules = RehearsalRules()
    writer_training: WriterTrainingRules = WriterTrainingRules()
    policy: PolicyRules = PolicyRules()

    @model_validator(mode="after")
    def _directives_are_asked_for(self) -> Self:
        if self.directives.enabled and "directives" not in self.self_edits.styles:
            raise ValueError('directives.enabled needs "directives" among self_edits.styles')
        if self.writer_training.style == "directives" and not self.directives.enabled:
            raise ValueError('writer_training.style "directives" needs directives.enabled: else no note is followed')
        return self

    @property
    def digest(self) -> str:
        return digest_of("recipe", self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Reads a TOML recipe. Raises BadRecipe, naming the key, on anything it does not know or accept."""
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise BadRecipe(f"cannot read the recipe {path}: {error.strerror}. Give an existing TOML file.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadRecipe(f"{path} is not TOML: {error}. Mend it, or start from recipes/default.toml.") from error
        except ValidationError as error:
            raise BadRecipe(f"{path}: {first_problem(error)}. See recipes/default.toml for every key.") from error
