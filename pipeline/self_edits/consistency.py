"""Tells notes that a correction says from those that its writer only reads into it. Pure; knows no model.

A writer that expects a text to answer a question finds an answer in it: the new owner, asked where the data live. It
does so now and then, and asks of what the text says far more often. A heuristic: what it drops is dropped with a
reason, and what it lets through the gates still measure.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median

MOST, HARDLY_A_DOUBT = 0.875, 0.7  # shares of samples that say the same
RARE = 2 / 3  # of how often the most frequent fact is written of
ANOTHER_KIND = 4.0  # nats by which an answer suits one fact less than another that it may be meant for


@dataclass(frozen=True)
class Agreed:
    """A note's example that says what its writer reads in the correction.

    `agreeing`: the share of samples that read the same. `before`: what the question was answered without the
    correction. `written`: how many of the notes hold it. `suits`: how well the answer suits the question, in nats
    (`pipeline.self_edits.answer_type`).
    """

    example: str
    agreeing: float
    before: str
    written: int
    suits: float = 0.0


def holding(asked: Sequence[Agreed]) -> list[Agreed]:
    """Of examples with one answer those that most samples agree on.

    If there are none, those on which the most agree, where there is hardly a doubt: each thing that a correction says
    should be asked once.
    """
    most = max((one.agreeing for one in asked), default=0.0)
    least = MOST if most >= MOST else max(HARDLY_A_DOUBT, most)
    return [one for one in asked if one.agreeing >= least]


def contested(asked: Sequence[Agreed], answer: str, stable: Collection[str]) -> list[Agreed]:
    """Those whose kind decides, where one answer is given to more than one fact of which one was known: see `misread`.

    The answer may be meant for each known fact, and for the one that is written of most often.
    """
    counts = _written_of(asked)
    most = max(counts, key=lambda before: counts[before], default="")
    facts = {before for before in counts if before != answer and (before in stable or before == most)}
    if len(facts) < 2:
        return []
    return [one for one in asked if one.before in facts and one.agreeing >= HARDLY_A_DOUBT]


def misread(asked: Sequence[Agreed], answer: str, stable: Collection[str]) -> frozenset[str]:
    """Of examples with one answer the ids of those that give it to another fact than the correction does.

    What was answered alike before is one fact. One is another where it was known before (`stable`: what several
    questions were answered with), was not this answer, and either the answer is of another kind than what its questions
    ask for, or it is written of rarely beside the most frequent of the others.
    """
    counts = _written_of(asked)
    unlike = _of_another_kind(contested(asked, answer, stable), stable)
    often = max((count for before, count in counts.items() if before != answer and before not in unlike), default=0)
    others = {before for before, count in counts.items() if before in stable and count < RARE * often} - {answer}
    return frozenset(one.example for one in asked if one.before in others | unlike)


def _written_of(asked: Sequence[Agreed]) -> Counter[str]:
    """How often each fact, by what was answered before, is written of where there is hardly a doubt."""
    counts: Counter[str] = Counter()
    for one in asked:
        if one.agreeing >= HARDLY_A_DOUBT:
            counts[one.before] += one.written
    return counts


def _of_another_kind(asked: Sequence[Agreed], stable: Collection[str]) -> set[str]:
    """The known facts whose questions the answer suits far less than those of the fact that it suits best."""
    suits = {one.before: median(each.suits for each in asked if each.before == one.before) for one in asked}
    best = max(suits.values(), default=0.0)
    return {before for before, each in suits.items() if before in stable and each < best - ANOTHER_KIND}
