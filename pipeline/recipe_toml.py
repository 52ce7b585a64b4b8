"""Writes a recipe as the TOML text that a person edits, each key with its meaning. `pipeline.recipe` reads it."""

from pydantic import BaseModel
from tomlkit import TOMLDocument, comment, document, dumps, item, table
from tomlkit.items import Table

from pipeline.recipe import Recipe

HEADER = "A sealed recipe: what a run does, from documents to gates. Its digest is recorded with every update."


def recipe_toml(recipe: Recipe) -> str:
    """The recipe with every key; reading it back gives an equal recipe."""
    text = document()
    text.add(comment(HEADER))
    _fill(text, recipe)
    return dumps(text)


def _fill(part: TOMLDocument | Table, rules: BaseModel) -> None:
    """Adds the keys of `rules`, then its tables, which TOML wants last, each under what it is about."""
    values = {name: getattr(rules, name) for name in type(rules).model_fields}
    for name, value in values.items():
        if not isinstance(value, BaseModel):
            _add(part, name, value, type(rules).model_fields[name].description)
    for name, value in values.items():
        if isinstance(value, BaseModel):
            within = table()
            within.add(comment((type(value).__doc__ or "").strip()))
            _fill(within, value)
            part.add(name, within)


def _add(part: TOMLDocument | Table, name: str, value: object, meaning: str | None) -> None:
    """Adds a key with its meaning; TOML has no null, so that one which is not set stands as a comment."""
    if value is None:
        part.add(comment(f"{name} = (not set)" + (f"  # {meaning}" if meaning else "")))
        return
    written = item(list(value) if isinstance(value, tuple) else value)
    part.add(name, written.comment(meaning) if meaning else written)
