"""The units of quantities, with all their names: one table. Knows no number.

Not pint: its registry takes 0.7 s to make, it reads "a", "in" and "h" in any sentence as units, and currencies, shares
and rounded conversions would still be ours.
"""

from fractions import Fraction

from pipeline.grading.values import ANY_MONEY, Unit

# dimension, worth in base units, offset, system, names: the symbols as written, the others in any case and number.
_TABLE = """
length | 0.001 || metric | millimetre millimeter / mm
length | 0.01 || metric | centimetre centimeter zentimeter / cm
length | 1 || metric | metre meter mètre metro / m
length | 1000 || metric | kilometre kilometer kilomètre kilómetro chilometro quilômetro километров 公里 千米 キロ / km
length | 0.0254 || imperial | inch inches / in. "
length | 0.3048 || imperial | foot feet / ft
length | 0.9144 || imperial | yard / yd
length | 1609.344 || imperial | mile / mi
length | 1852 || nautical | nautical_mile / nmi
area | 1 || metric | square_metre square_meter quadratmeter sq_m 平方米 / m^2 sqm
area | 10000 || metric | hectare hektar / ha
area | 1000000 || metric | square_kilometre square_kilometer quadratkilometer sq_km 平方公里 / km^2
area | 0.09290304 || imperial | square_foot square_feet sq_ft / ft^2
area | 4046.8564224 || imperial | acre /
area | 2589988.110336 || imperial | square_mile sq_mi / mi^2
volume | 0.001 || metric | millilitre milliliter / ml mL
volume | 0.01 || metric | centilitre centiliter / cl cL
volume | 1 || metric | litre liter / l L
volume | 1000 || metric | cubic_metre cubic_meter kubikmeter / m^3
volume | 3.785411784 || US | gallon / gal
mass | 0.000001 || metric | milligram / mg
mass | 0.001 || metric | gram gramme gramm / g
mass | 1 || metric | kilogram kilogramme kilogramm kilo килограмм 公斤 千克 / kg
mass | 1000 || metric | tonne metric_ton / t
mass | 0.028349523125 || imperial | ounce / oz
mass | 0.45359237 || imperial | pound / lb lbs
time | 0.001 ||| millisecond / ms
time | 1 ||| second sekunde seconde segundo secondo / s sec secs
time | 60 ||| minute minuto / min mins
time | 3600 ||| hour stunde heure hora ora uur / h hr hrs
time | 86400 ||| day tag jour día giorno dia dag /
time | 604800 ||| week woche semaine semana settimana weken /
months | 1 ||| month monat mois mes mês mese maand maanden /
months | 12 ||| year jahr an año anno ano jaar / yr yrs
months | 120 ||| decade /
speed | 1 || metric | metre_per_second meter_per_second / m/s
speed | 5/18 || metric | kilometre_per_hour kilometer_per_hour kilometre_an_hour kilometer_an_hour / km/h kmh kph
speed | 0.44704 || imperial | mile_per_hour mile_an_hour / mph mi/h
speed | 463/900 || nautical | knot / kn
temperature | 1 | 273.15 | celsius | degree_celsius degree_centigrade grad_celsius celsius / °C
temperature | 5/9 | 459.67 | fahrenheit | degree_fahrenheit fahrenheit / °F
temperature | 1 || kelvin | kelvin / K
share | 0.01 ||| percent per_cent percentage_point prozent por_ciento pour_cent por_cento per_cento procent / %
share | 0.001 ||| promille per_mille / ‰
data | 1 ||| byte / B
data | 1000 ||| kilobyte / kB KB
data | 1000000 ||| megabyte / MB
data | 1000000000 ||| gigabyte / GB
data | 1000000000000 ||| terabyte / TB
data | 1024 || binary | kibibyte / KiB
data | 1048576 || binary | mebibyte / MiB
data | 1073741824 || binary | gibibyte / GiB
bits | 1000000 ||| megabit / Mbit Mb
bits | 1000000000 ||| gigabit / Gbit Gb
power | 1 ||| watt / W
power | 1000 ||| kilowatt / kW
power | 1000000 ||| megawatt / MW
power | 745.7 || imperial | horsepower / hp
energy | 1 || joule | joule / J
energy | 1000 || joule | kilojoule / kJ
energy | 3600000 || hour | kilowatt_hour kilowatt-hour / kWh
energy | 4184 || calorie | kilocalorie / kcal
voltage | 1 ||| volt / V
voltage | 1000 ||| kilovolt / kV
current | 1 ||| ampere amp / A
frequency | 1 ||| hertz / Hz
frequency | 1000 ||| kilohertz / kHz
frequency | 1000000 ||| megahertz / MHz
frequency | 1000000000 ||| gigahertz / GHz
pressure | 100 ||| hectopascal millibar / hPa mbar
pressure | 100000 ||| bar /
loudness | 1 ||| decibel / dB
money USD | 1 ||| dollar us_dollar u.s._dollar american_dollar / $ US$ USD
money CAD | 1 ||| canadian_dollar / CA$ CAD
money AUD | 1 ||| australian_dollar / AU$ AUD
money EUR | 1 ||| euro / € EUR
money GBP | 1 ||| pound_sterling british_pound / £ GBP
money JPY | 1 ||| yen / ¥ JPY
money CHF | 1 ||| swiss_franc franken / CHF
money INR | 1 ||| rupee indian_rupee / ₹ INR
money CNY | 1 ||| yuan renminbi / CNY RMB
money RUB | 1 ||| rouble ruble / ₽ RUB
money | 0.01 ||| cent /
"""
_PLURALS = {"s": "", "es": "", "n": "", "en": "", "e": ""}


def _units() -> tuple[dict[str, Unit], dict[str, Unit]]:
    names: dict[str, Unit] = {}
    symbols: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        dimension, factor, offset, system, spelled = map(str.strip, line.split("|"))
        long, short = (part.split() for part in spelled.split("/ " if "/ " in spelled else "/"))
        unit = Unit(long[0], dimension, Fraction(factor), Fraction(offset or 0), system)
        names |= {name.replace("_", " ").replace(".", ""): unit for name in long}
        symbols |= dict.fromkeys(short, unit)
    return names, symbols


_NAMES, _SYMBOLS = _units()
MOST_WORDS = 3  # of a unit's name
CURRENCIES = frozenset(name for name, unit in _SYMBOLS.items() if unit.dimension.startswith(ANY_MONEY))


def unit_of(shown: str, folded: str) -> Unit | None:
    """The unit of that name. `shown`: as written, where it may be a symbol; `folded`: in lower case."""
    if unit := _SYMBOLS.get(shown) or _NAMES.get(folded):
        return unit
    head, _, rest = folded.partition(" ")
    if rest and (unit := _NAMES.get(f"{_singular(head)} {rest}")):
        return unit
    return next(
        (unit for end in _PLURALS if folded.endswith(end) and (unit := _NAMES.get(folded.removesuffix(end)))), None
    )


def _singular(word: str) -> str:
    return word if word in ("celsius",) else word.removesuffix("s")
