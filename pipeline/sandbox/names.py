"""Numbers names: every number below `NAMES` has one, no two share it. Knows nothing of who bears them."""

ONSETS = ("b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z",
          "br", "dr", "kr", "tr", "gr", "pl")  # fmt: skip
SYLLABLES = tuple(onset + vowel + coda for coda in ("", "n") for onset in ONSETS for vowel in "aeio")
LENGTH = 4
NAMES = len(SYLLABLES) ** LENGTH
STRIDE = 708_377_123  # prime to NAMES, near its golden section: neighbouring numbers get unlike names


def name(number: int) -> str:
    """The name of `number`, 0 <= number < NAMES. Injective: STRIDE is prime to NAMES, syllables parse one way."""
    rest, syllables = number * STRIDE % NAMES, []
    for _ in range(LENGTH):
        rest, digit = divmod(rest, len(SYLLABLES))
        syllables.append(SYLLABLES[digit])
    return "".join(syllables).capitalize()
