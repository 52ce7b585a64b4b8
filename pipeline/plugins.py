"""Finds plugins by name: modules of one of our packages, then those that others installed as entry points."""

import importlib
import importlib.metadata
import pkgutil
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, TypeVar

from pipeline.errors import BadRecipe

Plugin = TypeVar("Plugin")


@dataclass(frozen=True, kw_only=True)
class Plugins(Generic[Plugin]):
    """The plugins of one kind: `kind` in words, the `package` of ours, the entry points' `group`, what each must have.

    A module of ours is named by its NAME, or where it has none as its file; modules without the `protocol`'s members
    are no plugins. Where both have a name, ours wins.
    """

    kind: str
    package: ModuleType
    group: str
    protocol: type[Any]

    def find(self, name: str) -> Plugin:
        """The plugin of that name. Raises BadRecipe, naming the known ones, or what an entry point lacks."""
        ours = self._ours()
        if name in ours:
            return ours[name]
        for entry in importlib.metadata.entry_points(group=self.group, name=name):
            found: Plugin = entry.load()
            if isinstance(found, self.protocol):
                return found
            raise BadRecipe(
                f"the {self.kind} {name!r} of {entry.value} lacks {self._members()}. Correct it or leave it out."
            )
        raise BadRecipe(f"unknown {self.kind} {name!r}: known are {', '.join(self.names())}.")

    def names(self) -> tuple[str, ...]:
        """Every name that `find` knows, sorted."""
        return tuple(sorted({*self._ours(), *importlib.metadata.entry_points(group=self.group).names}))

    def _ours(self) -> dict[str, Plugin]:
        files = [module.name for module in pkgutil.iter_modules(self.package.__path__)]
        modules = {file: importlib.import_module(f"{self.package.__name__}.{file}") for file in files}
        return {
            getattr(module, "NAME", file): module
            for file, module in modules.items()
            if isinstance(module, self.protocol)
        }

    def _members(self) -> str:
        public = [name for name in vars(self.protocol) if not name.startswith("_")]
        members = [*self.protocol.__annotations__, *public]
        return " or ".join(part for part in (", ".join(members[:-1]), members[-1]) if part)
