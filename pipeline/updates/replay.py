"""Chooses which examples of earlier releases are replayed, fact by fact. Pure; knows no model.

Many self-edits say the same: a bounded number of examples drawn from all of them would leave facts out long before
there are as many facts as examples.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipeline.grading import YES_OR_NO, normalise
from pipeline.types import Example, Role, SelfEdit
from pipeline.updates.plan import in_turn, once

_SHORT = 8  # words of an answer that can stand for a fact


def choose_replay(earlier: Sequence[SelfEdit], limit: int, seed: int) -> tuple[Example, ...]:
    """At most `limit` examples of earlier releases (role REPLAY): one of each fact in turn, then a second of each, ...

    A fact's questions come before its statements: a fact that is rehearsed in one wording fades in the others, and
    statements do not prevent that. The seed decides which facts and examples come first.
    """
    by_document: dict[str, list[Example]] = {}
    for edit in earlier:
        by_document.setdefault(edit.document, []).extend(edit.examples)
    draw = Random(seed)
    facts = [_drawn(fact, draw) for examples in by_document.values() for fact in facts_of(once(examples))]
    draw.shuffle(facts)
    return tuple(replace(one, role=Role.REPLAY) for one in in_turn(facts)[:limit])


def facts_of(examples: Sequence[Example]) -> list[list[Example]]:
    """The examples of one document, grouped by the fact that they are about.

    Questions with the same short answer are about one fact, unless the answer is yes or no; so different questions with
    the same number for an answer count as one. A statement belongs to the answer that it contains: the longest one, of
    equally long ones the first in the alphabet. A statement that contains none is a fact of its own.
    """
    found = {normalise(one.completion) for one in examples if _asks(one)} - YES_OR_NO
    answers = sorted(found, key=lambda answer: (-len(answer), answer))
    facts: dict[str, list[Example]] = {}
    for one in examples:
        facts.setdefault(_fact(one, answers), []).append(one)
    return list(facts.values())


def _fact(example: Example, answers: Sequence[str]) -> str:
    """The key of the example's fact: an answer, or its own id."""
    said = normalise(example.completion)
    if _asks(example):
        return example.id if said in YES_OR_NO else said
    return next((answer for answer in answers if f" {answer} " in f" {said} "), example.id)


def _asks(example: Example) -> bool:
    """Whether it is a question of one line with a short answer."""
    short = 0 < len(normalise(example.completion).split()) <= _SHORT
    return short and bool(example.prompt) and "\n" not in example.prompt


def _drawn(fact: Sequence[Example], draw: Random) -> list[Example]:
    return sorted(draw.sample(fact, len(fact)), key=lambda one: not _asks(one))
