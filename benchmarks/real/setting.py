"""A packaged model with what a new workspace of it would have: its recipe, and what it rehearses."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.engines.base import BaseModel, load_base
from pipeline.models.resolution import find_model
from pipeline.recipe import Recipe, pretrained_recipe
from pipeline.updates import RehearsalPrompts, read_rehearsal_prompts


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A base with its recipe and what it rehearses."""

    base: BaseModel
    recipe: Recipe
    prompts: RehearsalPrompts


def read_setting(model: str) -> Setting:
    """The packaged model of that name with the recipe of pretrained models."""
    found = find_model(model)
    return Setting(
        base=load_base(str(found.folder)),
        recipe=pretrained_recipe(),
        prompts=read_rehearsal_prompts((found.brings or Path()) / "rehearsal_prompts"),
    )
