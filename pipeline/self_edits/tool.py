"""Finds a data tool by its name: a module of `tools/`, or a third party's entry point; and applies several to a set.

Knows no tool itself, but that those which make tasks of a document come before those which change what they find.
"""

import importlib
import importlib.metadata
import pkgutil
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pipeline.digests import seed_from
from pipeline.errors import BadRecipe
from pipeline.self_edits import tools
from pipeline.self_edits.tools import leave_one_out
from pipeline.types import Document, Example

ENTRY_POINTS = "sealed.self_edits.tools"
TASK_MAKERS = frozenset({leave_one_out.NAME})


@runtime_checkable
class Tool(Protocol):
    """What a tool's module holds: its name in directives and recipe, and what it makes of examples."""

    NAME: str

    def apply(self, document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
        """Further examples, made of the document or of `examples`: pure, and the same for the same seed."""
        ...


def tool(name: str) -> Tool:
    """The tool of that name. Raises BadRecipe, naming the known ones; built-in ones win over entry points."""
    built_in = _built_in()
    if name in built_in:
        return built_in[name]
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
        found = entry.load()
        if isinstance(found, Tool):
            return found
        raise BadRecipe(f"the tool {name!r} of {entry.value} lacks NAME or apply. Mend it or leave it out.")
    raise BadRecipe(f"unknown data tool {name!r}: known are {', '.join(tool_names())}.")


def tool_names() -> tuple[str, ...]:
    """Every name `tool` knows, sorted."""
    others = importlib.metadata.entry_points(group=ENTRY_POINTS).names
    return tuple(sorted({*_built_in(), *others}))


def apply_tools(
    names: Sequence[str], document: Document, examples: Sequence[Example], seed: int
) -> tuple[Example, ...]:
    """What the named tools add to `examples`, each example once. Their order and company change nothing of it:

    each sees the given examples and the tasks made of the document, and nothing that another tool changed.
    """
    tasks: tuple[Example, ...] = ()
    for name in sorted(TASK_MAKERS.intersection(names)):
        tasks += tool(name).apply(document, examples, seed_from("tool", seed, document.id, name))
    made = list(tasks)
    for name in sorted(set(names) - TASK_MAKERS):
        made += tool(name).apply(document, (*examples, *tasks), seed_from("tool", seed, document.id, name))
    known = {example.id for example in examples}
    return tuple({example.id: example for example in made if example.id not in known}.values())


def _built_in() -> dict[str, Tool]:
    names = [module.name for module in pkgutil.iter_modules(tools.__path__)]
    modules = [importlib.import_module(f"{tools.__name__}.{name}") for name in names]
    return {module.NAME: module for module in modules if isinstance(module, Tool)}
