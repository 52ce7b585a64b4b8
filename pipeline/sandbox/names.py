"""Numbers names: every number below `NAMES` has one, no two share it. Knows nothing of who bears them."""

from math import prod

ONSETS = ("b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z",
          "br", "dr", "kr", "tr", "gr", "pl")  # fmt: skip
# Each place has syllables of its own, so that a tiny model can copy a name place by place. No coda begins a cluster.
CODAS = (("", "n"), ("r", "f"), ("l", "s"), ("m", "x"))
PLACES = tuple(tuple(onset + vowel + coda for coda in codas for onset in ONSETS for vowel in "aeio") for codas in CODAS)
SYLLABLES = tuple(syllable for place in PLACES for syllable in place)
NAMES = prod(len(syllables) for syllables in PLACES)
STRIDE = 708_377_123  # prime to NAMES, near its golden section: neighbouring numbers get unlike names


def name(number: int) -> str:
    """The name of `number`, 0 <= number < NAMES. Injective: STRIDE is prime to NAMES, syllables parse one way."""
    rest, syllables = number * STRIDE % NAMES, []
    for place in PLACES:
        rest, digit = divmod(rest, len(place))
        syllables.append(place[digit])
    return "".join(syllables).capitalize()
