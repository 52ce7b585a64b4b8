"""Finds a self-edit style by its name: a module of `styles/`, or a third party's entry point."""

from typing import Literal, Protocol, runtime_checkable

from pipeline.plugins import Plugins
from pipeline.self_edits import styles
from pipeline.types import Directives, Example

ENTRY_POINTS = "sealed.self_edits.styles"


@runtime_checkable
class Style(Protocol):
    """What a style's module holds: its name in the recipe, how to ask for a self-edit, and how to read one."""

    NAME: str

    def prompt(self, document: str) -> str:
        """The user message. `document`: title and text between their delimiters, as the recipe shows them."""
        ...

    def parse(self, title: str, text: str) -> tuple[Example, ...]: ...


@runtime_checkable
class ChoosingStyle(Style, Protocol):
    """A style whose self-edits also choose training settings (None: no legal ones in the text)."""

    def settings(self, text: str) -> Directives | None: ...


@runtime_checkable
class AskingStyle(Style, Protocol):
    """A style whose self-edits only ask: the writer answers them with the document in its prompt."""

    ONLY_ASKS: Literal[True]


@runtime_checkable
class ExampledStyle(Style, Protocol):
    """A style with a good self-edit about the document of `styles.lines`, which few-shot prompts show first."""

    EXAMPLE: str


STYLES: Plugins[Style] = Plugins(kind="self-edit style", package=styles, group=ENTRY_POINTS, protocol=Style)


def style(name: str) -> Style:
    """The style of that name; built-in ones win over entry points. Raises BadRecipe, naming the known ones."""
    return STYLES.find(name)
