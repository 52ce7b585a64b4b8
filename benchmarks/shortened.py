"""Recipes that rehearse little, for tests and `--quick`: enough for a run that passes, not for one that lasts."""

import re
from pathlib import Path

from pipeline.recipe import Recipe

AMOUNT = 400  # of replay, and of generative replay


def shorten(workspace: Path, amount: int = AMOUNT) -> None:
    """Lets the workspace's runs rehearse `amount` of each, a part of what the embedded recipe does."""
    recipe = workspace / "recipe.toml"
    text, found = re.subn(
        r"^(replay|generative) = \d+$", rf"\1 = {amount}", recipe.read_text("utf-8"), flags=re.MULTILINE
    )
    assert found == 2, f"{recipe} no longer says how much is rehearsed"
    recipe.write_text(text, "utf-8")


def shortened(recipe: Recipe) -> Recipe:
    """The recipe, with as much."""
    rehearsal = recipe.rehearsal.model_copy(update={"replay": AMOUNT, "generative": AMOUNT})
    return recipe.model_copy(update={"rehearsal": rehearsal})
