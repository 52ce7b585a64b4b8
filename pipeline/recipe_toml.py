"""Writes a recipe as the TOML text that a person edits, each key with its meaning. `pipeline.recipe` reads it."""

import json
from collections.abc import Iterator

from pydantic import BaseModel

from pipeline.recipe import Recipe

HEADER = "# A sealed recipe: what a run does, from documents to gates. Its digest is recorded with every update.\n"


def recipe_toml(recipe: Recipe) -> str:
    """The recipe with every key; reading it back gives an equal recipe."""
    return HEADER + "\n".join(_lines(recipe, ())) + "\n"


def _lines(part: BaseModel, path: tuple[str, ...]) -> Iterator[str]:
    if path:
        doc = (type(part).__doc__ or "").strip()
        yield f"\n# {doc}\n[{'.'.join(path)}]"
    tables: list[tuple[str, BaseModel]] = []
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            tables.append((name, value))
            continue
        comment = f"  # {field.description}" if field.description else ""
        # TOML has no null: a key that is not set stands as a comment.
        yield f"# {name} = (not set){comment}" if value is None else f"{name} = {json.dumps(value)}{comment}"
    for name, value in tables:
        yield from _lines(value, (*path, name))
