"""The words that any text of a language has, from the stop lists of a hundred languages that jusText brings."""

from collections.abc import Mapping
from functools import cache

import justext

from pipeline.documents import words

_FEWEST = 0.2  # share of a text's words that are common; below it the text is in no language that is listed
NONE: frozenset[str] = frozenset()


def common_words(text: str) -> frozenset[str]:
    """The common words, in lower case, of the language whose list holds most of the text's words; none if few do."""
    said = [word.lower() for word in words(text)]
    if not said:
        return NONE
    found = max(_lists().values(), key=lambda listed: sum(word in listed for word in said))
    return found if sum(word in found for word in said) >= _FEWEST * len(said) else NONE


@cache
def _lists() -> Mapping[str, frozenset[str]]:
    """By language, in alphabetical order."""
    return {name: justext.get_stoplist(name) for name in sorted(justext.get_stoplists())}
