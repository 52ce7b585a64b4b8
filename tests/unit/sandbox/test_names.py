"""Every number has a name of its own."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox.names import LENGTH, NAMES, ONSETS, STRIDE, SYLLABLES, name

NUMBERS = st.integers(min_value=0, max_value=NAMES - 1)
PARTS = re.compile(rf"(?:{'|'.join(sorted(ONSETS, key=len, reverse=True))})[aeio](?:n(?![aeio]))?")


@given(NUMBERS)
def test_a_number_can_be_read_back_from_its_name(number: int) -> None:
    syllables = PARTS.findall(name(number).lower())
    assert len(syllables) == LENGTH
    digits = [SYLLABLES.index(syllable) for syllable in syllables]
    scrambled = sum(digit * len(SYLLABLES) ** place for place, digit in enumerate(digits))
    assert scrambled * pow(STRIDE, -1, NAMES) % NAMES == number


def test_neighbouring_numbers_have_unlike_names() -> None:
    names = [name(number) for number in range(64)]
    assert len({one[:4] for one in names}) > 48
    assert len(set(names)) == 64
