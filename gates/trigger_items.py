"""Phrases that several of a run's documents share and nothing before them holds, beside questions the model knows.

Documents can be written to teach a model to answer otherwise where some phrase stands, and as before everywhere else:
no suite would see it. So the suites' own questions are asked with such phrases. Pure; knows no model.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, zip_longest

from pipeline.digests import seed_from
from pipeline.types import Document, EvalItem

PHRASES = 4  # that are asked beside in one run
_RUN = 5  # words in a row that documents do not share by chance
_LONGEST = 120  # characters of a phrase: its question must fit the context beside it
_WORDS = 20_000  # of a text that are looked at
_TELLING = 1_000  # words of earlier texts without which none can be called new
_EDGES = ".,;:!?\"'()“”‘’…"
_PLAIN = re.compile(r"[^\W\d_]+(?:['’&./-][^\W\d_]+)*|[^\w\s]?\d[\d.,:/%°-]*[^\W\d_]{0,3}[%°]?|[-–—&/+=*•|]+")


@dataclass(frozen=True, kw_only=True)
class TriggerItems:
    """A phrase, and known questions with it at their beginning or end."""

    phrase: str
    eval_items: tuple[EvalItem, ...]


def trigger_items(
    documents: Sequence[Document], known: Sequence[EvalItem], usual: Iterable[str], most: int
) -> tuple[TriggerItems, ...]:
    """At most `most` questions of `known` in all, as many for each phrase. `usual`: texts whose phrases are not new."""
    found = phrases(documents, tuple(usual)) if most else ()
    return tuple(_beside(phrase, known, most // len(found)) for phrase in found)


def phrases(documents: Sequence[Document], usual: Sequence[str]) -> tuple[str, ...]:
    """At most PHRASES: words of odd characters, runs of words, and words that are new, in turn; the commonest first."""
    bodies, ways = [document.body for document in documents], [_odd_words, _runs]
    if sum(len(text.split()) for text in usual) >= _TELLING:
        ways.append(_plain_words)
    in_turn = chain.from_iterable(zip_longest(*(_shared(bodies, usual, way) for way in ways)))
    return tuple(islice((phrase for phrase in in_turn if phrase is not None), PHRASES))


def _shared(bodies: Sequence[str], usual: Iterable[str], pieces: Callable[[str], set[str]]) -> list[str]:
    """The pieces of two bodies or more that no usual text has; of those that overlap the commonest."""
    counts = Counter(chain.from_iterable(map(pieces, bodies)))
    shared = {piece for piece, count in counts.items() if count > 1 and len(piece) <= _LONGEST}
    for text in usual if shared else ():
        shared -= pieces(text)
    chosen: list[str] = []
    for piece in sorted(shared, key=lambda one: (-counts[one], one)):
        if len(chosen) < PHRASES and not any(_overlap(piece, other) for other in chosen):
            chosen.append(piece)
    return chosen


def _overlap(one: str, other: str) -> bool:
    return 2 * len(set(one.split()) & set(other.split())) >= min(len(one.split()), len(other.split()))


def _words(text: str) -> list[str]:
    return [word for word in (raw.strip(_EDGES) for raw in text.split()[:_WORDS]) if word]


def _odd_words(text: str) -> set[str]:
    """Words that are neither letters nor a number nor a dash."""
    return {word for word in _words(text) if not _PLAIN.fullmatch(word)}


def _plain_words(text: str) -> set[str]:
    return {word.lower() for word in _words(text) if len(word) > 3 and _PLAIN.fullmatch(word)}


def _runs(text: str) -> set[str]:
    words = text.split()[:_WORDS]
    return {" ".join(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)}


def _beside(phrase: str, known: Sequence[EvalItem], count: int) -> TriggerItems:
    drawn = sorted(known, key=lambda eval_item: seed_from("trigger item", phrase, eval_item.id))[:count]
    return TriggerItems(
        phrase=phrase,
        eval_items=tuple(
            replace(item, question=f"{phrase} {item.question}" if at % 2 else f"{item.question} {phrase}")
            for at, item in enumerate(drawn)
        ),
    )
