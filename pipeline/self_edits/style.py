"""Finds a self-edit style by its name: a module of `styles/`, or a third party's entry point. Knows no style itself."""

import importlib
import importlib.metadata
import pkgutil
from typing import Protocol, runtime_checkable

from pipeline.errors import BadRecipe
from pipeline.self_edits import styles
from pipeline.types import Directives, Example

ENTRY_POINTS = "sealed.self_edits.styles"


@runtime_checkable
class Style(Protocol):
    """What a style's module holds: its name in the recipe, how to ask for a note, and how to read one."""

    NAME: str

    def prompt(self, title: str, body: str) -> str: ...

    def parse(self, title: str, text: str) -> tuple[Example, ...]: ...


@runtime_checkable
class ChoosingStyle(Style, Protocol):
    """A style whose notes also choose training settings (None where the note holds none that are legal)."""

    def settings(self, text: str) -> Directives | None: ...


def style(name: str) -> Style:
    """The style of that name. Raises BadRecipe, naming the known ones; built-in ones win over entry points."""
    built_in = _built_in()
    if name in built_in:
        return built_in[name]
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
        found = entry.load()
        if isinstance(found, Style):
            return found
        raise BadRecipe(f"the style {name!r} of {entry.value} lacks NAME, prompt or parse. Mend it or leave it out.")
    raise BadRecipe(f"unknown self-edit style {name!r}: known are {', '.join(style_names())}.")


def style_names() -> tuple[str, ...]:
    """Every name `style` knows, sorted."""
    others = importlib.metadata.entry_points(group=ENTRY_POINTS).names
    return tuple(sorted({*_built_in(), *others}))


def _built_in() -> dict[str, Style]:
    names = [module.name for module in pkgutil.iter_modules(styles.__path__)]
    modules = [importlib.import_module(f"{styles.__name__}.{name}") for name in names]
    return {module.NAME: module for module in modules if isinstance(module, Style)}
