"""Follows how a PDF's page draws text: where, how large and in which colour, so that what nobody sees is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import hypot
from typing import Any

Matrix = tuple[float, float, float, float, float, float]
_UNIT: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_SMALLEST = 1.5  # points: smaller letters are not read
_INVISIBLE = frozenset({3.0, 7.0})  # text rendering modes that draw nothing
_WHITE, _CLEAR = 0.95, 0.05  # least channel of a white light, greatest of a white print
_FILLS = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*", b"sh", b"Do"})
_FAR_LEFT = 500.0  # points left of the page where even a long line ends before it


@dataclass(frozen=True)
class Drawing:
    """The state of a page's drawing: `box` is what is shown of the page (left, bottom, right, top)."""

    box: tuple[float, float, float, float]
    placed: Matrix = _UNIT
    line: Matrix = _UNIT
    size: float = 12.0
    leading: float = 0.0
    mode: float = 0.0
    white: bool = False
    painted: bool = False

    @property
    def hidden(self) -> bool:
        """Whether nobody sees a text that is drawn now; white counts until something may lie below it."""
        x, y, scale = _seen(self.line, self.placed)
        left, bottom, right, top = self.box
        outside = not bottom <= y <= top or not left - _FAR_LEFT <= x <= right
        return self.mode in _INVISIBLE or (self.white and not self.painted) or self.size * scale < _SMALLEST or outside

    def after(self, operator: bytes, operands: Sequence[Any]) -> "Drawing":
        """The state after an operator; one that says nothing about text, or is broken, changes nothing."""
        if operator in _FILLS:
            return self if self.white and operator not in (b"sh", b"Do") else replace(self, painted=True)
        numbers = _numbers(operands)
        if operator in (b"g", b"rg", b"k", b"sc", b"scn"):
            return replace(self, white=_is_white(operator, numbers))
        if len(numbers) < _COUNTS.get(operator, 99):
            return self
        if operator == b"Tf":
            return replace(self, size=abs(numbers[-1]))
        if operator == b"Tr":
            return replace(self, mode=numbers[0])
        if operator == b"TL":
            return replace(self, leading=numbers[0])
        return self._moved(operator, numbers)

    def _moved(self, operator: bytes, numbers: Sequence[float]) -> "Drawing":
        if operator == b"BT":
            return replace(self, line=_UNIT)
        if operator == b"cm":
            return replace(self, placed=_product(_matrix(numbers), self.placed))
        if operator == b"Tm":
            return replace(self, line=_matrix(numbers))
        right, up = (numbers[0], numbers[1]) if operator in (b"Td", b"TD") else (0.0, -self.leading)
        leading = -up if operator == b"TD" else self.leading
        return replace(self, line=_product((1.0, 0.0, 0.0, 1.0, right, up), self.line), leading=leading)


_COUNTS: Mapping[bytes, int] = {
    **dict.fromkeys((b"Tf", b"Tr", b"TL"), 1),
    **dict.fromkeys((b"cm", b"Tm"), 6),
    **dict.fromkeys((b"Td", b"TD"), 2),
    **dict.fromkeys((b"BT", b"T*"), 0),
}


def _numbers(operands: Sequence[Any]) -> list[float]:
    return [float(one) for one in operands if isinstance(one, (int, float))]


def _is_white(operator: bytes, numbers: Sequence[float]) -> bool:
    if operator == b"k" or len(numbers) == 4:
        return bool(numbers) and max(numbers) <= _CLEAR
    return bool(numbers) and min(numbers) >= _WHITE


def _matrix(numbers: Sequence[float]) -> Matrix:
    a, b, c, d, e, f = numbers[:6]
    return (a, b, c, d, e, f)


def _product(one: Matrix, other: Matrix) -> Matrix:
    (a, b, c, d, e, f), (g, h, i, j, k, m) = one, other
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m)


def _seen(line: Matrix, placed: Matrix) -> tuple[float, float, float]:
    """Where a text begins on the page, and how much larger than its font's size it is."""
    _, _, c, d, x, y = _product(line, placed)
    return x, y, hypot(c, d)
