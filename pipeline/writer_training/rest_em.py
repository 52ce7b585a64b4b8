"""ReST-EM's selection (Singh et al. 2023, arXiv 2312.06585; SEAL, section 3.1): the self-edits of the best reward."""

from collections.abc import Sequence

from pipeline.digests import digest_of
from pipeline.recipe import Recipe
from pipeline.types import Example, ModelRef, Update, UpdatePlan
from pipeline.writer_training.outer_loop import ScoredSample


def keep_best(scored: Sequence[ScoredSample], keep: int, best: float = 1.0) -> tuple[ScoredSample, ...]:
    """Of each document's `keep` best self-edits the `best` share over all documents (at least one), in their order.

    Only those with a positive gain and reward that passed the screening and ask no held-out question. Of equal
    rewards the shorter is better, then the first.
    """
    by_document: dict[str, list[ScoredSample]] = {}
    for one in scored:
        if _helped(one):
            by_document.setdefault(one.sample.document.id, []).append(one)
    kept = [one for own in by_document.values() for one in sorted(own, key=_rank)[:keep]]
    learned = sorted(range(len(kept)), key=lambda place: _rank(kept[place]))[: max(1, round(best * len(kept)))]
    return tuple(kept[place] for place in sorted(learned))


def _helped(one: ScoredSample) -> bool:
    sample = one.sample
    usable = sample.usable and bool(sample.writing) and not sample.leaks
    return usable and one.evaluation.gain > 0 and one.reward > 0


def _rank(one: ScoredSample) -> tuple[float, int, int]:
    return -one.reward, one.evaluation.tokens, one.sample.number


def plan_writer(
    parent: ModelRef, kept: Sequence[ScoredSample], rehearsal: Sequence[Example], recipe: Recipe, seed: int
) -> UpdatePlan:
    """The update of the production model on the writing examples that a round kept, and on the rehearsal.

    It names no self-edit of the ledger: documents of writer training are not learned, and never replayed.
    """
    pairs = [example for one in kept for example in one.sample.writing]
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
