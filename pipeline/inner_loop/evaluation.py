"""The inner loop: trains adapters together, and asks each its own questions. Nothing trained here outlives them."""

import math
from collections.abc import Sequence

from pipeline.engines.base import BaseModel
from pipeline.recipe import Recipe
from pipeline.training import TrainingJob, score_many, train_many
from pipeline.types import EvalItem


def train_and_ask(
    base: BaseModel, groups: Sequence[TrainingJob], asked: Sequence[Sequence[EvalItem]], recipe: Recipe
) -> list[tuple[float, ...]]:
    """For each group its adapter's scores in {0, 1} on what it is `asked`; one whose training diverged answers nothing.

    Raises as `train_many` and `score_many` do.
    """
    if not groups:
        return []
    learned = train_many(base, groups)
    scores = [(0.0,) * len(own) for own in asked]
    sound = [place for place, one in enumerate(learned) if math.isfinite(one.final_loss)]
    if sound:
        found = score_many(
            base,
            [learned[place].tensors for place in sound],
            [asked[place] for place in sound],
            recipe.training,
            max_new_tokens=recipe.policy.max_answer_tokens,
        )
        for place, own in zip(sound, found, strict=True):
            scores[place] = own
    return scores
