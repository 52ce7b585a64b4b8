"""ReST-EM's choice (Singh et al. 2023, arXiv 2312.06585; SEAL, section 3.1): what is worth writing again. Pure."""

from collections.abc import Sequence

from pipeline.digests import digest_of
from pipeline.recipe import Recipe, RehearsalRules, TrainingRules
from pipeline.types import Example, ModelRef, Update, UpdatePlan
from pipeline.writer_training.scored import Scored


def keep_best(scored: Sequence[Scored], keep: int, best: float = 1.0) -> tuple[Scored, ...]:
    """Of each document's `keep` best self-edits the `best` share (at least one), as ReST-EM's threshold on the reward.

    They are of those that are worth writing again: that pass the screening, ask nothing that must not be asked, and
    teach something. Of equal ones the shorter is better, then the first. A document of which none is so gives none.
    """
    by_document: dict[str, list[Scored]] = {}
    for one in scored:
        if one.sample.usable and one.sample.written and not one.sample.asks and one.trial.gain > 0 and one.reward > 0:
            by_document.setdefault(one.sample.document.id, []).append(one)
    kept = [one for own in by_document.values() for one in sorted(own, key=_rank)[:keep]]
    learned = sorted(range(len(kept)), key=lambda place: _rank(kept[place]))[: max(1, round(best * len(kept)))]
    return tuple(kept[place] for place in sorted(learned))


def _rank(one: Scored) -> tuple[float, int, int]:
    return -one.reward, one.trial.tokens, one.sample.number


def writer_rules(recipe: Recipe) -> TrainingRules:
    """How the writer itself is trained: an adapter of the recipe's shape, on its own schedule, all examples alike."""
    writer_training = recipe.writer_training
    changed = {
        "learning_rate": writer_training.learning_rate,
        "epochs": writer_training.epochs,
        "batch_size": writer_training.batch_size,
        "stop_below": None,
        "correction_weight": 1.0,
    }
    return recipe.training.model_copy(update=changed)


def rehearsal_rules(recipe: Recipe) -> RehearsalRules:
    """A run's rehearsal in small: the notes kept are few, and many steps beside them change what nobody rehearses.

    No earlier notes are rehearsed as notes: the writer is to write otherwise.
    """
    rules = recipe.rehearsal.model_copy(update={"writing": 0})
    counts = {kind: getattr(rules, kind) for kind in ("replay", "prompts", "generative", "reading")}
    share = min(1.0, recipe.writer_training.rehearsal_examples / max(1, sum(counts.values())))
    return rules.model_copy(update={kind: round(share * count) for kind, count in counts.items()})


def plan_writer(
    parent: ModelRef, kept: Sequence[Scored], rehearsal: Sequence[Example], recipe: Recipe, seed: int
) -> UpdatePlan:
    """The update from the production model on what a round kept, and what is rehearsed beside it.

    It holds no self-edit of the ledger: what writer training wrote about is not learned as knowledge, and never
    replayed.
    """
    pairs = [example for one in kept for example in one.sample.written]
    examples = tuple({example.id: example for example in (*pairs, *rehearsal)}.values())
    ordered = tuple(sorted(examples, key=lambda example: digest_of("order", seed, example.id)))
    update = Update(
        parent=parent,
        self_edits=(),
        examples_digest=digest_of("practice", "rest-em", [[example.id, example.role] for example in ordered]),
        recipe=recipe.digest,
        seed=seed,
    )
    return UpdatePlan(update=update, examples=ordered)
