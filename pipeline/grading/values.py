"""What numbers, quantities, dates and times are worth, and when two of them are equal. Knows no text."""

from dataclasses import dataclass
from fractions import Fraction

_CONVERTED = Fraction(5, 1000)  # relative; conversions between systems are given rounded ("3.1 miles" is 5 km)
_DEGREES = Fraction(3, 10)  # the same for temperatures, in kelvins
ANY_MONEY = "money"  # cents, of whatever currency


@dataclass(frozen=True)
class Number:
    """A plain number. `year`: it may be a year, as it has no sign, no point and no separator."""

    amount: Fraction
    year: bool = False


@dataclass(frozen=True)
class Ordinal:
    """A place in an order: first is 1."""

    place: int


@dataclass(frozen=True)
class Unit:
    """A unit: the base units of its dimension that it is worth, after `offset` of its own are added.

    `system`: units of different systems are converted with rounding, those of one exactly.
    """

    name: str
    dimension: str
    factor: Fraction
    offset: Fraction = Fraction(0)
    system: str = ""


@dataclass(frozen=True)
class Quantity:
    """A number with its unit."""

    amount: Fraction
    unit: Unit

    @property
    def base(self) -> Fraction:
        """In base units of the dimension."""
        return (self.amount + self.unit.offset) * self.unit.factor


@dataclass(frozen=True)
class Date:
    """A day, a month or a year, as far as it is given. A year BC is negative."""

    year: int | None = None
    month: int | None = None
    day: int | None = None


@dataclass(frozen=True)
class Time:
    """A time of day in minutes after midnight."""

    minute: int


@dataclass(frozen=True)
class Range:
    """From one number to another: years, pages, goals of both sides."""

    first: Fraction
    last: Fraction


Value = Number | Ordinal | Quantity | Date | Time | Range


def same_value(wanted: Value, said: Value) -> bool:
    """Whether what was said is the wanted value, or says it more precisely: a day in the wanted year."""
    if isinstance(wanted, Quantity) and isinstance(said, Quantity):
        return _same_quantity(wanted, said)
    if isinstance(wanted, Date) and isinstance(said, Date):
        return _within(wanted, said)
    if isinstance(wanted, Number) and isinstance(said, Date):
        return wanted.year and wanted.amount == said.year
    if isinstance(wanted, Number) and isinstance(said, Number):
        return wanted.amount == said.amount
    if isinstance(wanted, Ordinal) and isinstance(said, Date):
        return wanted.place == said.day
    if isinstance(wanted, Number | Quantity) and isinstance(said, Number | Quantity):
        return _same_share(wanted, said)
    return wanted == said


def _same_quantity(wanted: Quantity, said: Quantity) -> bool:
    one, other = wanted.unit, said.unit
    money = {one.dimension, other.dimension}
    if one.dimension != other.dimension and not (ANY_MONEY in money and all(d.startswith(ANY_MONEY) for d in money)):
        return False
    apart = abs(wanted.base - said.base)
    if one.system == other.system:
        return apart == 0
    return apart <= (_DEGREES if one.dimension == "temperature" else _CONVERTED * abs(wanted.base))


def _within(wanted: Date, said: Date) -> bool:
    pairs = ((wanted.year, said.year), (wanted.month, said.month), (wanted.day, said.day))
    return all(given in (None, found) for given, found in pairs)


def _same_share(wanted: Number | Quantity, said: Number | Quantity) -> bool:
    """Whether a fraction and a percentage are one: a half is 50 %."""
    number, quantity = (wanted, said) if isinstance(wanted, Number) else (said, wanted)
    if not isinstance(number, Number) or not isinstance(quantity, Quantity) or quantity.unit.dimension != "share":
        return False
    return number.amount.denominator > 1 and number.amount == quantity.base
