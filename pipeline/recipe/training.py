"""How an adapter is trained, what is rehearsed beside a run's own examples, and how the writer is trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.recipe.fields import NOT_SWEPT, Advanced, Count, Rules, Share

_WEIGHTS = Advanced("docs/adr/0013-hidden-states-are-held.md; docs/learning.md#the-sweep")
_WRITER = Advanced("docs/writer-training.md#what-was-measured")
_AFTER_A_RUN = Advanced("docs/writer-training.md#through-the-gates")
_GRPO = Advanced("docs/adr/0011-grpo-on-our-own-adapters.md; arXiv 2402.03300")


class TrainingRules(Rules):
    """How one LoRA adapter is trained."""

    rank: int = Field(default=64, ge=1, le=64, description="of the adapter; at most 64")
    alpha: int = Field(default=64, ge=1, description="the adapter's output is scaled by alpha / rank")
    learning_rate: float = Field(default=2e-3, gt=0.0, le=1.0, description="peak of the schedule")
    epochs: int = Field(default=16, ge=1, le=200, description="passes over the run's and the rehearsed examples")
    batch_size: int = Field(default=32, ge=1, description="sequences per step")
    warmup: Annotated[Share, NOT_SWEPT] = Field(default=0.05, description="share of the steps that warm up")
    weight_decay: Annotated[float, Advanced("docs/adr/0013-hidden-states-are-held.md")] = Field(
        default=0.0, ge=0.0, description="AdamW's"
    )
    clip_norm: Annotated[float, NOT_SWEPT] = Field(
        default=1.0, gt=0.0, description="largest norm of a step's gradients; larger ones are scaled down"
    )
    max_tokens: int | None = Field(default=None, description="longest sequence; not set: the model's context")
    targets: tuple[str, ...] = Field(default=(), description="layers to adapt; none: all linear ones but the head")
    loss_on: Annotated[Literal["answers", "all"], _WRITER] = Field(
        default="answers", description="which tokens of a question are learned"
    )
    loss_reduction: Annotated[Literal["sequences", "tokens"], NOT_SWEPT] = Field(
        default="sequences", description="what counts alike in a step's mean loss"
    )
    new_weight: Annotated[float, _WEIGHTS] = Field(
        default=4.0, gt=0.0, description="loss weight of the run's examples beside rehearsed ones"
    )
    correction_weight: Annotated[float, Advanced("docs/learning.md#corrections")] = Field(
        default=12.0, gt=0.0, description="loss weight of a correction's examples beside others, also in later replay"
    )
    teaching_weight: Annotated[float, Advanced("docs/learning.md#a-pretrained-model")] = Field(
        default=2.0,
        ge=0.0,
        description="weight of the KL to the base model with the document in its prompt, in self-study; 0: words alone",
    )
    covariance_damping: Annotated[float | None, Advanced("docs/learning.md#a-pretrained-model")] = Field(
        default=None,
        ge=1e-4,
        description="side A keeps out of what usual inputs have most of; the smaller, the more; not set: it does not",
    )
    output_penalty: Annotated[float, Advanced("docs/learning.md#what-it-forgets")] = Field(
        default=0.0,
        ge=0.0,
        description="weight of what an adapter adds to its layers' usual outputs, as a share of those; 0: none",
    )
    interpolation: Annotated[Share, Advanced("docs/learning.md#a-pretrained-model")] = Field(
        default=1.0, gt=0.0, description="share of side B's change that is kept after training; 1: all of it"
    )
    beside_parent: Annotated[bool, Advanced("docs/learning.md#a-pretrained-model")] = Field(
        default=False,
        description="a run's change is trained beside production's adapter and then merged into it; it does not go on",
    )
    beside_rank: Annotated[int | None, Advanced("docs/learning.md#a-second-run-on-top")] = Field(
        default=None,
        ge=1,
        le=64,
        description="with beside_parent: rank of a run's own change; merged, it has training.rank. Not set: that rank",
    )
    stop_below: Annotated[float | None, NOT_SWEPT] = Field(
        default=None, gt=0.0, description="mean loss of an epoch that ends the training"
    )

    @model_validator(mode="after")
    def _beside_rank_fits(self) -> Self:
        own = self.beside_rank
        if own is None:
            return self
        if not self.beside_parent:
            raise ValueError("advanced.training.beside_rank needs advanced.training.beside_parent")
        if own > self.rank or self.alpha * own % self.rank:
            raise ValueError(
                f"advanced.training.beside_rank is {own}: at most training.rank ({self.rank}), and such that "
                "training.alpha x beside_rank / rank is a whole number"
            )
        return self

    def of_rank(self, rank: int) -> Self:
        """The same for an adapter of another rank, whose output is scaled alike."""
        return self.model_copy(update={"rank": rank, "alpha": self.alpha * rank // self.rank})


Distilled = Literal["rehearsal", "generative", "reading", "writing", "replay"]
DISTILLED: tuple[Distilled, ...] = ("rehearsal", "generative", "reading", "writing", "replay")


class RehearsalRules(Rules):
    """At most how many examples of each kind are rehearsed beside the run's own."""

    replay: Count = Field(default=400, description="self-edits of earlier runs")
    prompts: Count = Field(default=200, description="prompts of rehearsal_prompts/, answered by the base model")
    generative: Count = Field(default=400, description="prompts and answers sampled from the base model")
    reading: Count = Field(default=32, description="questions answered with the document in the prompt")
    writing: Count = Field(default=32, description="self-edits as the base model writes them")
    per_example: Annotated[float, Advanced("docs/learning.md#larger-runs")] = Field(
        default=0.0,
        ge=0.0,
        description="prompts and generative replay grow with the run: together at least so many for each example",
    )
    kl_weight: float = Field(default=5.0, ge=0.0, description="weight of the KL to the teacher's logits; 0: none")
    hidden_state_weight: Annotated[float, _WEIGHTS] = Field(
        default=10.0, ge=0.0, description="weight of the squared distance to the teacher's last hidden states"
    )
    dealt_out: Annotated[bool, Advanced("docs/learning.md#a-pretrained-model")] = Field(
        default=False,
        description="replay, rehearsal prompts and generative replay are dealt out over the epochs, not all in each",
    )
    distilled: Annotated[tuple[Distilled, ...], Advanced("docs/adr/0012-replay-by-fact-and-manners-held.md")] = Field(
        default=DISTILLED,
        description="roles distilled: replay from production, all else from the base; no writing after writer training",
    )

    def grown(self, examples: int) -> Self:
        """The same for a run of so many examples: as many prompts and as much generative replay as it needs."""
        there = self.prompts + self.generative
        share = max(1.0, self.per_example * examples / there) if there else 1.0
        return self.model_copy(
            update={"prompts": round(share * self.prompts), "generative": round(share * self.generative)}
        )

    @property
    def without_writing(self) -> Self:
        """The same without distilling writing: a trained writer is to write otherwise than the base model."""
        return self.model_copy(update={"distilled": tuple(kind for kind in self.distilled if kind != "writing")})


NO_DISTILLATION = RehearsalRules(kl_weight=0.0, hidden_state_weight=0.0)


class WriterTrainingRules(Rules):
    """How the writer is trained (`sealed train-writer`): it writes, its self-edits are scored, it learns."""

    method: Literal["rest-em", "grpo"] = Field(default="rest-em", description="fine-tune on the best, or GRPO")
    style: str = Field(default="implications", description='the style that is trained; "directives" for workflows')
    rounds: int = Field(default=2, ge=1, le=100, description="of writing, scoring and learning")
    documents: int = Field(default=48, ge=1, description="training documents of a round")
    held_out: int = Field(default=40, ge=1, description="documents never trained on, which judge the new writer")
    samples: int = Field(default=10, ge=2, le=64, description="self-edits written about a document in a round")
    temperature: Annotated[float, NOT_SWEPT] = Field(default=1.0, gt=0.0, le=2.0, description="of that sampling")
    keep: Annotated[int, _WRITER] = Field(
        default=1, ge=1, le=64, description="rest-em: best self-edits kept of a document, where they help"
    )
    top_share: Annotated[float, _WRITER] = Field(
        default=1.0, gt=0.0, le=1.0, description="rest-em: best share of those kept that is learned from"
    )
    inner_learning_rate: Annotated[float, _WRITER] = Field(
        default=5e-3, gt=0.0, le=1.0, description="of the update on one self-edit that scores it"
    )
    inner_epochs: Annotated[int, _WRITER] = Field(default=10, ge=1, le=200, description="of that update")
    retention_items: Annotated[Count, _AFTER_A_RUN] = Field(
        default=8, description="questions of earlier documents that the updated model is asked as well"
    )
    forgetting_penalty: Annotated[float, _AFTER_A_RUN] = Field(
        default=0.5, ge=0.0, description="reward lost if all of those are forgotten"
    )
    length_penalty: Annotated[float, _AFTER_A_RUN] = Field(
        default=0.05, ge=0.0, description="reward lost by a self-edit of the greatest length"
    )
    learning_rate: Annotated[float, _AFTER_A_RUN] = Field(
        default=2e-3, gt=0.0, le=1.0, description="of the writer's own training"
    )
    epochs: Annotated[int, _AFTER_A_RUN] = Field(default=16, ge=1, le=200, description="rest-em: over what was kept")
    rehearsal_examples: Annotated[Count, _AFTER_A_RUN] = Field(
        default=200, description="rest-em: rehearsed beside what was kept, in the proportions of [rehearsal]"
    )
    passes: Annotated[int, _GRPO] = Field(default=2, ge=1, le=64, description="grpo: over a round's self-edits")
    batch_size: Annotated[int, NOT_SWEPT] = Field(
        default=32, ge=1, description="self-edits per step of the writer's own training"
    )
    clip: Annotated[float, _GRPO] = Field(
        default=0.2, gt=0.0, lt=1.0, description="grpo: largest change of a token's probability ratio"
    )
    kl_weight: Annotated[float, _GRPO] = Field(
        default=0.04, ge=0.0, description="grpo: weight of the KL to the production model"
    )
