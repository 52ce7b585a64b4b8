"""Reads and writes recipes as TOML. In a file the advanced keys of `[X]` stand in `[advanced.X]`; in memory beside the
others. Knows no single key."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic.fields import FieldInfo
from tomlkit import TOMLDocument, comment, document, dumps, item, table
from tomlkit.items import Table

from pipeline.errors import BadRecipe
from pipeline.nesting import toml_of
from pipeline.recipe.fields import Rules, advanced_of, table_of

ADVANCED = "advanced"
_HEADERS = (
    "A sealed recipe: what a run does, from documents to gates. Its digest is recorded with every update.",
    "Keys that are left out have their defaults. What only research turns: recipes/advanced.toml.",
)
_ADVANCED_HEADERS = (
    "What only research turns, at its defaults, each with the evidence for it.",
    "Copy what you change into the workspace's recipe.toml, under the same table.",
)


def read_values(path: Path, rules: type[Rules]) -> dict[str, object]:
    """The values of a recipe's file as `rules` takes them: each `[advanced.X]` is joined with `[X]`.

    Raises BadRecipe for a file that cannot be read or parsed, and for a key in the wrong one of the two tables.
    """
    try:
        written = toml_of(path.read_text(encoding="utf-8"))
        shown = {name: value for name, value in written.items() if name != ADVANCED}
        return _joined(rules, shown, written.get(ADVANCED, {}), "")
    except OSError as error:
        raise BadRecipe(f"cannot read the recipe {path}: {error.strerror}. Give an existing TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path} is not TOML: {error}. Correct it, or start from recipes/default.toml.") from error
    except _Misplaced as error:
        raise BadRecipe(f"{path}{line_of(path, error.place)}: {error}") from error


def place_of(rules: type[Rules], names: tuple[int | str, ...]) -> str:
    """Where a file names the value at that path of attributes: "training.rank", "advanced.training.clip_norm"."""
    advanced, within = False, rules
    for name in names:
        field = within.model_fields.get(str(name))
        advanced, within = advanced or advanced_of(field) is not None, table_of(field) or Rules
    return ".".join(str(name) for name in ((ADVANCED,) if advanced else ()) + names)


def line_of(path: Path, place: str) -> str:
    """ ", line 12" of the line that sets the value at `place` ("policy.retention.margin"), or that opens its table.

    Empty where neither stands in the file, as of a default.
    """
    table, name = place.rpartition(".")[::2]
    at, opened = "", 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            at = header[1]
            opened = number if at in (table, place) else opened
        elif at == table and re.match(rf"\s*{re.escape(name)}\s*=", line):
            return f", line {number}"
    return f", line {opened}" if opened else ""


class _Misplaced(Exception):
    """A key or a value stands where no recipe has it; the message has no path yet. `place`: where it stands."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place} {problem}")
        self.place = place


def _joined(rules: type[Rules], shown: object, advanced: object, at: str) -> dict[str, object]:
    """One table's values; `at` is its dotted name with a dot at its end."""
    if not isinstance(shown, Mapping) or not isinstance(advanced, Mapping):
        name = f"{ADVANCED}.{at}" if isinstance(shown, Mapping) else at
        raise _Misplaced(name.rstrip("."), "must be a table of keys.")
    values: dict[str, object] = {**shown, **advanced}
    for name in values:
        field = rules.model_fields.get(name)
        if table := table_of(field):
            values[name] = _joined(table, shown.get(name, {}), advanced.get(name, {}), f"{at}{name}.")
        elif name in shown and advanced_of(field):
            raise _Misplaced(f"{at}{name}", f"is an advanced key. It belongs into [{ADVANCED}.{at.rstrip('.')}].")
        elif name in advanced and not advanced_of(field):
            right = f"into [{at.rstrip('.')}]" if at else "above all tables"
            problem = f"is no advanced key. It belongs {right}" if field else "is unknown. See recipes/advanced.toml"
            raise _Misplaced(f"{ADVANCED}.{at}{name}", f"{problem}.")
    return values


def recipe_toml(recipe: Rules) -> str:
    """The recipe with every key that users turn, and of the advanced ones those that are not at their default.

    Reading it back gives an equal recipe.
    """
    text = _headed(_HEADERS)
    _fill(text, recipe, lambda field, value: not advanced_of(field))
    _fill_advanced(text, recipe, lambda field, value: advanced_of(field) is not None and value != field.default)
    return dumps(text)


def advanced_toml(recipe: Rules) -> str:
    """Every advanced key of the recipe, with its meaning and the evidence for its default."""
    text = _headed(_ADVANCED_HEADERS)
    _fill_advanced(text, recipe, lambda field, value: advanced_of(field) is not None)
    return dumps(text)


def _headed(lines: tuple[str, ...]) -> TOMLDocument:
    text = document()
    for line in lines:
        text.add(comment(line))
    return text


_Chosen = Callable[[FieldInfo, object], bool]


def _fill_advanced(text: TOMLDocument, recipe: Rules, chosen: _Chosen) -> None:
    within = table(is_super_table=True)
    if _fill(within, recipe, chosen):
        text.add(ADVANCED, within)


def _fill(part: TOMLDocument | Table, rules: Rules, chosen: _Chosen) -> bool:
    """Adds the chosen keys, then the tables that have any, which TOML wants last. Returns whether there were any."""
    fields = type(rules).model_fields
    keys = [name for name in fields if not table_of(fields[name]) and chosen(fields[name], getattr(rules, name))]
    for name in keys:
        _add(part, name, getattr(rules, name), _meaning(fields[name]))
    filled = bool(keys)
    for name in (name for name in fields if table_of(fields[name])):
        within = table()
        within.add(comment((type(getattr(rules, name)).__doc__ or "").strip()))
        if _fill(within, getattr(rules, name), chosen):
            part.add(name, within)
            filled = True
    return filled


def _meaning(field: FieldInfo) -> str:
    mark = advanced_of(field)
    return f"{field.description} ({mark.evidence})" if mark else field.description or ""


def _add(part: TOMLDocument | Table, name: str, value: object, meaning: str) -> None:
    """Adds a key with its meaning; TOML has no null, so that one which is not set stands as a comment."""
    if value is None:
        part.add(comment(f"{name} = (not set) # {meaning}"))
    else:
        part.add(name, item(list(value) if isinstance(value, tuple) else value).comment(meaning))
