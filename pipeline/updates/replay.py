"""Chooses which examples of earlier releases are replayed, fact by fact: many notes say the same. Knows no model.

A bounded number of examples drawn from all notes leaves facts out long before there are as many facts as examples.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipeline.grading import NAMELESS, normalise
from pipeline.types import Example, Role, SelfEdit
from pipeline.updates.plan import in_turn, once

_SHORT = 8  # words of an answer that can stand for a fact


def choose_replay(earlier: Sequence[SelfEdit], limit: int, seed: int) -> tuple[Example, ...]:
    """At most `limit` examples of earlier releases (role REPLAY): one of each fact in turn, then a second of each, ...

    Of a fact its questions come before what states it: asked in one wording alone, it fades in the others, and a
    statement does not keep it from that. Which facts and examples come first is drawn.
    """
    by_document: dict[str, list[Example]] = {}
    for edit in earlier:
        by_document.setdefault(edit.document, []).extend(edit.examples)
    draw = Random(seed)
    facts = [_drawn(fact, draw) for examples in by_document.values() for fact in facts_of(once(examples))]
    draw.shuffle(facts)
    return tuple(replace(one, role=Role.REPLAY) for one in in_turn(facts)[:limit])


def facts_of(examples: Sequence[Example]) -> list[list[Example]]:
    """The examples of one document by what they say.

    Questions with the same short answer are about one fact, unless that is a mere yes or no; so different questions to
    which one number is the answer count as one. A statement is about that whose answer it names, the
    longest where it names several, of equally long ones the first by letters. What names none stands alone.
    """
    found = {normalise(one.completion) for one in examples if _asks(one)} - NAMELESS
    answers = sorted(found, key=lambda answer: (-len(answer), answer))
    facts: dict[str, list[Example]] = {}
    for one in examples:
        facts.setdefault(_fact(one, answers), []).append(one)
    return list(facts.values())


def _fact(example: Example, answers: Sequence[str]) -> str:
    """What the example is about: an answer, or itself."""
    said = normalise(example.completion)
    if _asks(example):
        return example.id if said in NAMELESS else said
    return next((answer for answer in answers if f" {answer} " in f" {said} "), example.id)


def _asks(example: Example) -> bool:
    """Whether it is a question of one line with a short answer."""
    short = 0 < len(normalise(example.completion).split()) <= _SHORT
    return short and bool(example.prompt) and "\n" not in example.prompt


def _drawn(fact: Sequence[Example], draw: Random) -> list[Example]:
    return sorted(draw.sample(fact, len(fact)), key=lambda one: not _asks(one))
