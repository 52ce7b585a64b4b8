"""What the rules of a recipe are made of: frozen values with bounds, some of whose keys only research turns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from pipeline.errors import InternalError

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Margin = Annotated[float, Field(gt=0.0, le=1.0)]  # none at all would refuse every update
Chance = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=0)]


class Rules(BaseModel):
    """One table of a recipe; its docstring is the table's comment, a field's description the key's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, which would take keys that are no field in silence. Raises InternalError for those."""
        if unknown := set(update or ()) - set(type(self).model_fields):
            raise InternalError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}: please report it.")
        return super().model_copy(update=update, deep=deep)


@dataclass(frozen=True)
class Advanced:
    """Marks a key that only research turns. `evidence`: sections of the docs, ADRs or papers on its default."""

    evidence: str


NOT_SWEPT = Advanced("a common choice, not swept")


def advanced_of(field: FieldInfo | None) -> Advanced | None:
    """The field's mark; None for a key that users turn, and for no field."""
    marks = field.metadata if field else ()
    return next((mark for mark in marks if isinstance(mark, Advanced)), None)


def table_of(field: FieldInfo | None) -> type[Rules] | None:
    """The rules that a field holds as a table of its own, or None for a key."""
    kind = field.annotation if field else None
    return kind if isinstance(kind, type) and issubclass(kind, Rules) else None


def frame_of(frame: str, what: str, held: str, others: frozenset[str]) -> str:
    """The words around `held`, which stands in them once. Raises ValueError where it does not, or another name does."""
    if frame.count(held) != 1:
        raise ValueError(f"{what} must hold {held} exactly once")
    if unknown := set(re.findall(r"\{[^{}]*\}", frame)) - {held, *others}:
        raise ValueError(f"{what} knows no {', '.join(sorted(unknown))}: write {held} or {', '.join(sorted(others))}")
    return frame
