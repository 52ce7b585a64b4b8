"""Finds a data tool by its name (a module of `tools/`, or a third party's entry point), and applies several."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pipeline.digests import seed_from
from pipeline.plugins import Plugins
from pipeline.self_edits import tools
from pipeline.self_edits.tools import leave_one_out
from pipeline.types import Document, Example

ENTRY_POINTS = "sealed.self_edits.tools"
# These make tasks of a document, and come before the tools that change existing examples.
TASK_MAKERS = frozenset({leave_one_out.NAME})


@runtime_checkable
class Tool(Protocol):
    """What a tool's module holds: its name in directives and recipe, and what it makes of examples."""

    NAME: str

    def apply(self, document: Document, examples: Sequence[Example], seed: int) -> tuple[Example, ...]:
        """Further examples, made of the document or of `examples`. A pure function of its arguments."""
        ...


TOOLS: Plugins[Tool] = Plugins(kind="data tool", package=tools, group=ENTRY_POINTS, protocol=Tool)


def tool(name: str) -> Tool:
    """The tool of that name; built-in ones win over entry points. Raises BadRecipe, naming the known ones."""
    return TOOLS.find(name)


def apply_tools(
    names: Sequence[str], document: Document, examples: Sequence[Example], seed: int
) -> tuple[Example, ...]:
    """What the named tools add to `examples`, each example once.

    Each tool sees the given examples and the tasks made of the document, not what another tool made of them. So the
    order of the names does not matter.
    """
    tasks: tuple[Example, ...] = ()
    for name in sorted(TASK_MAKERS.intersection(names)):
        tasks += tool(name).apply(document, examples, seed_from("tool", seed, document.id, name))
    made = list(tasks)
    for name in sorted(set(names) - TASK_MAKERS):
        made += tool(name).apply(document, (*examples, *tasks), seed_from("tool", seed, document.id, name))
    known = {example.id for example in examples}
    return tuple({example.id: example for example in made if example.id not in known}.values())
