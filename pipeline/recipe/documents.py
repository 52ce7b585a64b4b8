"""Which documents a run takes, and how the production model writes about them."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.prompts import DELIMITED, DOCUMENT, FENCE, delimits
from pipeline.recipe.fields import NOT_SWEPT, Advanced, Count, Rules, frame_of
from pipeline.types import DocumentKind

_BOUNDS = Advanced("docs/documents.md")
_VALIDATION = Advanced("docs/self-edits.md#where-do-validation-questions-come-from")
_CORRECTIONS = Advanced("docs/self-edits.md#how-are-corrections-written-about")
_DIRECTIVES = Advanced("docs/self-edits.md#what-may-the-model-choose-itself; docs/writer-training.md#what-was-measured")


PersonalRule = Literal["payment card", "IBAN", "social security number", "email address", "phone number"]


class Disclosure(StrEnum):
    """What becomes of a document in which secrets, personal data or instructions to a model stand."""

    QUARANTINE = "quarantine"
    REDACT = "redact"
    KEEP = "keep"


class DocumentRules(Rules):
    """Which documents are accepted, and how many one run takes."""

    max_bytes: int = Field(default=2_000_000, gt=0, description="larger files are refused unread")
    max_lines: Annotated[int, _BOUNDS] = Field(
        default=100_000, ge=1, description="JSONL files of more lines are refused"
    )
    seconds_per_mb: Annotated[float, _BOUNDS] = Field(
        default=10.0, gt=0.0, description="computing time to read a file, of one MB at least; slower ones are refused"
    )
    max_questions: Annotated[int, _BOUNDS] = Field(
        default=24, ge=1, description="documents with more questions are refused"
    )
    min_words: int = Field(default=5, ge=1, description="documents with fewer words are refused")
    secrets: Annotated[Disclosure, _BOUNDS] = Field(
        default=Disclosure.QUARANTINE, description='documents with passwords, tokens or keys: or "redact", "keep"'
    )
    personal_data: Annotated[Disclosure, _BOUNDS] = Field(
        default=Disclosure.REDACT, description='numbers of cards, accounts and persons: or "quarantine", "keep"'
    )
    personal_rules: Annotated[tuple[PersonalRule, ...], _BOUNDS] = Field(
        default=("payment card", "IBAN", "social security number"),
        description='what personal_data is about; also "email address" and "phone number"',
    )
    instructions: Annotated[Disclosure, Advanced("docs/security.md#the-writer")] = Field(
        default=Disclosure.QUARANTINE,
        description='documents that tell a language model what to do: or "redact", "keep"',
    )
    max_alike: Annotated[int, _BOUNDS] = Field(
        default=4, ge=1, description="near-duplicates taken in one reading; more are refused"
    )
    per_source: Annotated[int | None, _BOUNDS] = Field(
        default=None, ge=1, description="documents of one source, a folder in the one that is read, that a run takes"
    )
    trusted_sources: Annotated[tuple[str, ...], _BOUNDS] = Field(
        default=(), description="sources that per_source does not bind"
    )
    per_run: int = Field(default=64, ge=1, description="documents learned in one run; the rest waits for the next")
    max_attempts: int = Field(default=2, ge=1, description="runs that may try a document before it is quarantined")


class SelfEditRules(Rules):
    """How the production model writes about a document."""

    styles: tuple[str, ...] = Field(
        default=("self-qa", "implications"), min_length=1, description="each document is written about in every style"
    )
    samples: int = Field(default=2, ge=1, le=64, description="self-edits sampled per document, style and edit set")
    temperature: float = Field(default=1.0, ge=0.0, le=2.0, description="of that sampling; 0: greedy")
    top_p: Annotated[float, NOT_SWEPT] = Field(
        default=0.95, gt=0.0, le=1.0, description="probability mass that is sampled from"
    )
    max_new_tokens: int = Field(default=512, ge=8, description="longest self-edit")
    passage: bool = Field(default=True, description="also train on the document itself, as SEAL does")
    verify: Annotated[bool, Advanced("docs/learning.md#a-pretrained-model")] = Field(
        default=False, description="ask each written question again with its document; learn what is answered alike"
    )
    few_shot: Annotated[bool, Advanced("docs/self-edits.md#how-is-a-document-written-about")] = Field(
        default=False, description="show the writer a self-edit of the style about another document first"
    )
    entailment_margin: Annotated[float | None, Advanced("docs/self-edits.md#what-is-verified")] = Field(
        default=None, description="nats a token by which the document must make a written statement likelier"
    )
    quotes: Annotated[Count, Advanced("docs/learning.md#a-pretrained-model")] = Field(
        default=0, description="times that each sentence is asked for by some of its words, as self-study"
    )
    document_prompt: Annotated[str, Advanced("docs/security.md#the-writer")] = Field(
        default=DELIMITED, description="how the writer is shown a document: {document}, between two of {fence} or bare"
    )
    edit_sets: int = Field(
        default=1, ge=1, le=16, description="sets of self-edits written of a document, of which the best is kept"
    )
    edit_set_batch: Annotated[int, Advanced("docs/self-edits.md#can-one-of-several-edit-sets-be-selected")] = Field(
        default=4, ge=1, description="batch size when an edit set is trained alone to be scored"
    )
    eval_items: Annotated[int, _VALIDATION] = Field(
        default=8, ge=1, description="validation questions written for a document without any"
    )
    agreement_samples: Annotated[int, _VALIDATION] = Field(
        default=3, ge=1, le=64, description="sampled answers to such a question that must equal the greedy one"
    )
    correction_style: Annotated[str, _CORRECTIONS] = Field(
        default="self-qa", description="the one style that corrections are written about in; it must ask questions"
    )
    correction_samples: Annotated[int, _CORRECTIONS] = Field(
        default=64, ge=1, le=512, description="self-edits sampled per correction, where edit_sets is 1"
    )
    correction_answers: Annotated[int, _CORRECTIONS] = Field(
        default=16, ge=1, le=64, description="sampled answers that check each self-edit of a correction"
    )

    @field_validator("document_prompt")
    @classmethod
    def _shows_the_document(cls, frame: str) -> str:
        frame_of(frame, "a document prompt", DOCUMENT, frozenset({FENCE}))
        if not delimits(frame):
            raise ValueError(
                f"a document prompt must hold {FENCE} once above and once below {DOCUMENT}, each of the three on a "
                f"line of its own, or no {FENCE} at all"
            )
        return frame

    @model_validator(mode="after")
    def _edit_sets_differ(self) -> Self:
        if self.edit_sets > 1 and self.temperature == 0.0:
            raise ValueError("edit_sets above 1 need a temperature above 0: greedy self-edits are all alike")
        return self

    @property
    def choosing(self) -> bool:
        """Whether edit sets are compared: then validation questions score them, and may not be trained on."""
        return self.edit_sets > 1

    def styles_of(self, kind: DocumentKind) -> tuple[str, ...]:
        """The styles that a document of that kind is written about in."""
        return (self.correction_style,) if kind is DocumentKind.CORRECTION else tuple(dict.fromkeys(self.styles))

    def samples_of(self, kind: DocumentKind) -> int:
        """Self-edits per style and edit set: many for a correction, since it is short and few of them hold."""
        many = kind is DocumentKind.CORRECTION and not self.choosing
        return max(self.samples, self.correction_samples) if many else self.samples


class DirectiveRules(Rules):
    """Within which bounds a self-edit chooses its own training settings and data tools (style "directives")."""

    enabled: Annotated[bool, _DIRECTIVES] = Field(
        default=False, description='needs "directives" among self_edits.styles'
    )
    min_learning_rate: Annotated[float, _DIRECTIVES] = Field(
        default=1e-4, gt=0.0, le=1.0, description="lower choices are raised to it"
    )
    max_learning_rate: Annotated[float, _DIRECTIVES] = Field(
        default=5e-3, gt=0.0, le=1.0, description="higher choices are lowered to it"
    )
    min_epochs: Annotated[int, _DIRECTIVES] = Field(
        default=1, ge=1, le=200, description="lower choices are raised to it"
    )
    max_epochs: Annotated[int, _DIRECTIVES] = Field(
        default=32, ge=1, le=200, description="higher choices are lowered to it"
    )
    tools: Annotated[tuple[str, ...], _DIRECTIVES] = Field(
        default=("expand", "paraphrase", "reverse", "permute", "leave-one-out", "geometry", "recolour"),
        description="data tools that may be chosen",
    )
    workflow_tools: Annotated[tuple[str, ...], Advanced("docs/self-edits.md#workflows")] = Field(
        default=("leave-one-out", "permute"), description="tools of every workflow, also where enabled is false"
    )
    correction_tools: Annotated[tuple[str, ...], _CORRECTIONS] = Field(
        default=("paraphrase", "expand"), description="tools of every correction, also where enabled is false"
    )
    max_examples: Annotated[int, _DIRECTIVES] = Field(
        default=250, ge=1, description="examples that the tools may make of one document"
    )

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min_learning_rate > self.max_learning_rate or self.min_epochs > self.max_epochs:
            raise ValueError("the lower bounds of directives must not be above the upper ones")
        return self
