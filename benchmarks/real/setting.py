"""A packaged model with what a new workspace of it would have: its recipe, and what it rehearses."""

from dataclasses import dataclass
from pathlib import Path

from gates.suite import Suites, read_suites
from pipeline.engines.base import BaseModel, load_base
from pipeline.models.resolution import find_model
from pipeline.recipe import Recipe, pretrained_recipe
from pipeline.types import EvalItem
from pipeline.updates import RehearsalPrompts, read_rehearsal_prompts


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A base with its recipe, what it rehearses, and the questions that its retention suites ask."""

    base: BaseModel
    recipe: Recipe
    prompts: RehearsalPrompts
    known: tuple[EvalItem, ...] = ()


def read_setting(model: str) -> Setting:
    """The packaged model of that name with the recipe of pretrained models."""
    found = find_model(model)
    suites = read_suites(found.brings / "suites") if found.brings else Suites()
    return Setting(
        base=load_base(str(found.folder)),
        recipe=pretrained_recipe(),
        prompts=read_rehearsal_prompts((found.brings or Path()) / "rehearsal_prompts"),
        known=tuple(item for suite in suites.retention for item in suite.eval_items),
    )
