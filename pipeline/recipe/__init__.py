"""What a run does, from documents to gates: read from TOML, known by its digest."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from pipeline.digests import digest_of
from pipeline.errors import BadRecipe
from pipeline.recipe.documents import DirectiveRules, Disclosure, DocumentRules, PersonalRule, SelfEditRules
from pipeline.recipe.fields import Rules
from pipeline.recipe.policy import (
    AcquisitionPolicy,
    BisectPolicy,
    CanaryPolicy,
    ContradictionsPolicy,
    CorrectionsPolicy,
    DiversityPolicy,
    DriftPolicy,
    PerplexityPolicy,
    PolicyRules,
    RegressionPolicy,
    RetentionPolicy,
    SafetyPolicy,
    ServingPolicy,
    TriggersPolicy,
    WithdrawalPolicy,
    WriterImprovementPolicy,
)
from pipeline.recipe.suites import SuiteRules
from pipeline.recipe.toml import advanced_toml, line_of, place_of, read_values, recipe_toml
from pipeline.recipe.training import DISTILLED, NO_DISTILLATION, RehearsalRules, TrainingRules, WriterTrainingRules

__all__ = [
    "DISTILLED",
    "NO_DISTILLATION",
    "AcquisitionPolicy",
    "BisectPolicy",
    "CanaryPolicy",
    "ContradictionsPolicy",
    "CorrectionsPolicy",
    "DirectiveRules",
    "Disclosure",
    "DiversityPolicy",
    "DocumentRules",
    "DriftPolicy",
    "PerplexityPolicy",
    "PersonalRule",
    "PolicyRules",
    "Recipe",
    "RegressionPolicy",
    "RehearsalRules",
    "RetentionPolicy",
    "SafetyPolicy",
    "SelfEditRules",
    "ServingPolicy",
    "SuiteRules",
    "TrainingRules",
    "TriggersPolicy",
    "WithdrawalPolicy",
    "WriterImprovementPolicy",
    "WriterTrainingRules",
    "advanced_toml",
    "line_of",
    "pretrained_recipe",
    "recipe_toml",
]


def pretrained_recipe() -> "Recipe":
    """The recipe of a pretrained model that brings none (docs/learning.md, "A pretrained model")."""
    return Recipe(
        self_edits=SelfEditRules(
            styles=("self-study",),
            samples=1,
            temperature=0.8,
            max_new_tokens=160,
            passage=False,
            quotes=3,
            verify=True,
            entailment_margin=0.65,
        ),
        training=TrainingRules(
            rank=64,
            alpha=128,
            learning_rate=2e-3,
            epochs=5,
            batch_size=16,
            loss_reduction="tokens",
            new_weight=1.0,
            teaching_weight=2.0,
            covariance_damping=0.1,
            output_penalty=3000.0,
            beside_parent=True,
            beside_rank=32,
        ),
        rehearsal=RehearsalRules(
            replay=200,
            prompts=300,
            per_example=2.5,
            generative=0,
            reading=0,
            writing=0,
            kl_weight=10.0,
            hidden_state_weight=10.0,
            dealt_out=True,
        ),
        policy=PolicyRules(
            required=(*PolicyRules().required, "perplexity"),
            question_prompt="Topic: {title}\n{question}",
            acquisition=AcquisitionPolicy(min_items=40, min_documents=8),
            retention=RetentionPolicy(min_items=150, samples=8),  # a small model surely knows few facts (ADR 28)
            regression=RegressionPolicy(min_items=350, margin=0.05),  # what two cores score in a minute and a half
            perplexity=PerplexityPolicy(margin=0.10),  # a run raises it by 5.6 % (docs/learning.md, "What it forgets")
        ),
    )


class Recipe(Rules):
    """What a run does, from documents to gates. Its digest is recorded with every update."""

    seed: int = Field(default=0, description="of all sampling and shuffling")
    documents: DocumentRules = DocumentRules()
    self_edits: SelfEditRules = SelfEditRules()
    directives: DirectiveRules = DirectiveRules()
    training: TrainingRules = TrainingRules()
    rehearsal: RehearsalRules = RehearsalRules()
    writer_training: WriterTrainingRules = WriterTrainingRules()
    suites: SuiteRules = SuiteRules()
    policy: PolicyRules = PolicyRules()

    @model_validator(mode="after")
    def _directives_are_asked_for(self) -> Self:
        if self.directives.enabled and "directives" not in self.self_edits.styles:
            raise ValueError('advanced.directives.enabled needs "directives" among self_edits.styles')
        if self.writer_training.style == "directives" and not self.directives.enabled:
            raise ValueError('writer_training.style "directives" needs advanced.directives.enabled: else none is used')
        return self

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A table that came later leaves the digest of a recipe as it was before, while it has its defaults."""
        values: dict[str, Any] = serialise(self)
        return values if self.suites != SuiteRules() else {key: values[key] for key in values if key != "suites"}

    @property
    def digest(self) -> str:
        """Over all values, those that a file leaves out as well."""
        return digest_of("recipe", self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path) -> "Recipe":
        """Reads a TOML recipe. Raises BadRecipe, naming the key, on anything it does not know or accept."""
        values = read_values(path, cls)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            place = place_of(cls, first["loc"])
            said = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"]
            problem = ": ".join(part for part in (place, said) if part)
            raise BadRecipe(
                f"{path}{line_of(path, place)}: {problem}. recipes/default.toml and advanced.toml name every key."
            ) from error
