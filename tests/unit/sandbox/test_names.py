"""Every number has a name of its own."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.names import NAMES, PLACES, STRIDE, SYLLABLES, name

NUMBERS = st.integers(min_value=0, max_value=NAMES - 1)
PARTS = re.compile("".join(f"({'|'.join(place)})" for place in PLACES))


@given(NUMBERS)
def test_a_number_can_be_read_back_from_its_name(number: int) -> None:
    found = PARTS.fullmatch(name(number).lower())
    assert found
    digits = [place.index(syllable) for place, syllable in zip(PLACES, found.groups(), strict=True)]
    scrambled = sum(digit * len(PLACES[0]) ** place for place, digit in enumerate(digits))
    assert scrambled * pow(STRIDE, -1, NAMES) % NAMES == number


def test_no_syllable_stands_in_two_places() -> None:
    assert len(set(SYLLABLES)) == len(SYLLABLES)


def test_neighbouring_numbers_have_unlike_names() -> None:
    names = [name(number) for number in range(64)]
    assert len({one[:4] for one in names}) > 48
    assert len(set(names)) == 64
