"""The rounds of writer training: sample self-edits, reward each in the inner loop, train the writer on the rewards.

Knows no ledger, no gate, and no test item but as what the guard forbids.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from pipeline import progress
from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.digests import seed_from
from pipeline.errors import BadInput, TrainingFailed
from pipeline.rendering import thinking_of
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Checkpoint, Document, ModelRef, UpdatePlan
from pipeline.writer_training.outer_loop import OuterLoop, ScoredSample, documents_of_round, sample_and_score
from pipeline.writer_training.policy_gradient import improve
from pipeline.writer_training.rules import writer_rules
from pipeline.writer_training.samples import SamplePlan
from pipeline.writer_training.selection import RatedExample, keep_best, plan_policy, plan_writer, rate


@dataclass(frozen=True, kw_only=True)
class RoundStats:
    """A round by its number from 1: how many self-edits were sampled and kept, and their means."""

    number: int
    self_edits: int
    reward: float
    gain: float
    forgotten: float
    usable: float
    kept: int = 0

    @property
    def sentence(self) -> str:
        """The round for a log and for people."""
        return (
            f"round {self.number}: {self.self_edits} self-edits gained {100 * self.gain:.1f} points on average (reward "
            f"{self.reward:.3f}, {100 * self.usable:.0f} % usable), {self.kept} were trained on"
        )


@dataclass(frozen=True, kw_only=True)
class RoundResult:
    """The writer after a round, and the update from production that makes it (None: no self-edit helped so far)."""

    stats: RoundStats
    plan: UpdatePlan | None
    writer: Checkpoint


def train_writer(loop: OuterLoop, documents: Sequence[Document]) -> Iterator[RoundResult]:
    """Runs the recipe's rounds by its method, and gives each round's result.

    Each round takes the next `writer_training.documents` of the documents, cyclically. Raises BadInput where nothing
    could be written, TrainingFailed where a loss is no longer finite, and as training and writing do.
    """
    return _grpo(loop, documents) if loop.recipe.writer_training.method == "grpo" else _rest_em(loop, documents)


def _rest_em(loop: OuterLoop, documents: Sequence[Document]) -> Iterator[RoundResult]:
    """Each round's writer is trained from production on what the round kept, so that it does not drift."""
    rules, writer, plan = loop.recipe.writer_training, loop.production, None
    for number in range(1, rules.rounds + 1):
        scored = _scored(loop, documents, number, writer)
        best = keep_best(scored, rules.keep, rules.top_share)
        if best:
            seed = seed_from("writer", loop.recipe.seed)
            plan = plan_writer(loop.production.ref, best, loop.rehearsal, loop.recipe, seed)
            writer = _fine_tuned(loop, plan)
        yield RoundResult(stats=round_stats(number, scored, len(best)), plan=plan, writer=writer)


def _fine_tuned(loop: OuterLoop, plan: UpdatePlan) -> Checkpoint:
    out = loop.scratch / plan.update.id
    with progress.step("training the writer"):
        settings = TrainingSettings(
            rules=writer_rules(loop.recipe), ledger=loop.ledger, rehearsal=loop.recipe.rehearsal.without_writing
        )
        trained = train_lora(loop.base, plan, settings, parent=loop.production, out=out)
    return Checkpoint(ModelRef(base=loop.production.ref.base, adapter=trained.manifest.adapter), out)


def _grpo(loop: OuterLoop, documents: Sequence[Document]) -> Iterator[RoundResult]:
    """Each round's writer goes on from the last, and is kept near the production model by the KL."""
    writer, history, plan = loop.production, list[RatedExample](), None
    for number in range(1, loop.recipe.writer_training.rounds + 1):
        scored = _scored(loop, documents, number, writer)
        rated = rate(scored)
        history += rated
        if rated:
            plan = plan_policy(loop.production.ref, history, loop.recipe)
            writer = _improved(loop, rated, plan, writer)
        yield RoundResult(stats=round_stats(number, scored, len(rated)), plan=plan, writer=writer)


def _improved(loop: OuterLoop, rated: Sequence[RatedExample], plan: UpdatePlan, writer: Checkpoint) -> Checkpoint:
    update, out, parent = plan.update, loop.scratch / plan.update.id, loop.production.ref
    learned = improve(loop, rated, writer, seed=seed_from("grpo", update.seed, update.id))
    if not math.isfinite(learned.final_loss):
        raise TrainingFailed(
            "GRPO's loss is no longer finite: nothing was written. Lower advanced.writer_training.learning_rate."
        )
    made_from = Provenance(
        update=update.id,
        recipe=update.recipe,
        ledger=loop.ledger,
        parent_adapter=parent.adapter,
        thinking=thinking_of(loop.base.tokenizer),
    )
    manifest = save_adapter(out, loop.base.identity, loop.base.model, learned, writer_rules(loop.recipe), made_from)
    return Checkpoint(ModelRef(base=parent.base, adapter=manifest.adapter), out)


def _scored(
    loop: OuterLoop, documents: Sequence[Document], number: int, writer: Checkpoint
) -> tuple[ScoredSample, ...]:
    """A round's self-edits with their rewards; GRPO, which is on-policy, never explores."""
    rules = loop.recipe.writer_training
    explore = rules.method == "rest-em"
    plan = SamplePlan(writer=writer, samples=rules.samples, number=number, explore=explore)
    with progress.titled(f"round {number}"):
        return sample_and_score(loop, documents_of_round(documents, number, rules.documents), plan)


def round_stats(number: int, scored: Sequence[ScoredSample], kept: int) -> RoundStats:
    """The round's means. Raises BadInput where no self-edit could be written."""
    if not scored:
        raise BadInput(
            "no self-edit could be written about the documents of this round: their titles leave no room in the "
            "model's context. Give documents with shorter titles, or lower self_edits.max_new_tokens."
        )
    return RoundStats(
        number=number,
        self_edits=len(scored),
        reward=fmean(one.reward for one in scored),
        gain=fmean(one.evaluation.gain for one in scored),
        forgotten=fmean(one.evaluation.forgotten for one in scored),
        usable=fmean(float(one.sample.usable) for one in scored),
        kept=kept,
    )
