"""The recipe's sections as writer training uses them: to sample, to evaluate, and to train the writer itself. Pure."""

from pipeline.recipe import Recipe, RehearsalRules, SelfEditRules, TrainingRules


def sampling_rules(recipe: Recipe, samples: int) -> SelfEditRules:
    """How self-edits are sampled: in the style that is trained alone, `samples` a document, each an edit set."""
    rules = recipe.writer_training
    changed = {
        "styles": (rules.style,),
        "samples": 1,
        "edit_sets": samples,
        "temperature": rules.temperature,
        "correction_style": rules.style,
        "correction_samples": 1,
    }
    return recipe.self_edits.model_copy(update=changed)


def evaluation_recipe(recipe: Recipe) -> Recipe:
    """The recipe by which an update on one self-edit is trained to see what it is worth."""
    rules = recipe.writer_training
    changed = {"learning_rate": rules.inner_learning_rate, "epochs": rules.inner_epochs}
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=changed)})


def writer_rules(recipe: Recipe) -> TrainingRules:
    """How the writer itself is trained: rank, alpha and targets of the recipe, its own schedule, equal weights."""
    rules = recipe.writer_training
    changed = {
        "learning_rate": rules.learning_rate,
        "epochs": rules.epochs,
        "batch_size": rules.batch_size,
        "stop_below": None,
        "correction_weight": 1.0,
    }
    return recipe.training.model_copy(update=changed)


def rehearsal_rules(recipe: Recipe) -> RehearsalRules:
    """The recipe's rehearsal scaled down to `writer_training.rehearsal_examples` examples, in the same shares.

    Without earlier self-edits as writing examples, since the writer is to write otherwise.
    """
    rules = recipe.rehearsal.model_copy(update={"writing": 0, "per_example": 0.0})
    counts = {kind: getattr(rules, kind) for kind in ("replay", "prompts", "generative", "reading")}
    share = min(1.0, recipe.writer_training.rehearsal_examples / max(1, sum(counts.values())))
    return rules.model_copy(update={kind: round(share * count) for kind, count in counts.items()})
