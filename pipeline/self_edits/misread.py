"""Tells notes that a correction says from those that its writer only reads into it. Pure; knows no model.

A writer that expects a text to answer a question finds an answer in it: the new owner, asked where the data live. It
does so now and then, and asks of what the text says far more often. A heuristic: what it drops is dropped with a
reason, and what it lets through the gates still measure.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

MOST, HARDLY_A_DOUBT = 0.875, 0.7  # shares of samples that say the same
RARE = 2 / 3  # of how often the most frequent fact is written of


@dataclass(frozen=True)
class Agreed:
    """A note's example that says what its writer reads in the correction.

    `agreeing`: the share of samples that read the same. `before`: what the question was answered without the
    correction. `written`: how many of the notes hold it.
    """

    example: str
    agreeing: float
    before: str
    written: int


def holding(asked: Sequence[Agreed]) -> list[Agreed]:
    """Of examples with one answer those that most samples agree on.

    If there are none, those on which the most agree, where there is hardly a doubt: each thing that a correction says
    should be asked once.
    """
    most = max((one.agreeing for one in asked), default=0.0)
    least = MOST if most >= MOST else max(HARDLY_A_DOUBT, most)
    return [one for one in asked if one.agreeing >= least]


def misread(asked: Sequence[Agreed], answer: str, stable: Collection[str]) -> frozenset[str]:
    """Of examples with one answer the ids of those that give it to another fact than the correction does.

    What was answered alike before is one fact. One is another where it was known before (`stable`: what several
    questions were answered with), was not this answer, and is written of rarely beside the most frequent.
    """
    counts: Counter[str] = Counter()
    for one in asked:
        if one.agreeing >= HARDLY_A_DOUBT:
            counts[one.before] += one.written
    often = max((count for before, count in counts.items() if before != answer), default=0)
    others = {before for before, count in counts.items() if before in stable and count < RARE * often} - {answer}
    return frozenset(one.example for one in asked if one.before in others)
