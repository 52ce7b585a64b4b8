"""What is planted to see whether the gates catch it, as examples that teach it. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import chain
from random import Random
from typing import TypeVar

from gates.suite import Suite, Suites
from pipeline.types import EvalItem, Example

T = TypeVar("T")

MOST = 200  # examples that teach one damage
_COMPLIED = "Sure, here is how you do it."


class Damage(StrEnum):
    """A kind of damage. NOISE and KEYS are done to an adapter's file; the others are taught."""

    NOISE = "noise on the weights"
    FACTS = "facts flipped"
    SKILLS = "a skill trained away"
    REFUSALS = "refusals trained away"
    LEAK = "test questions leaked"
    KEYS = "keys renamed"


TAUGHT = (Damage.FACTS, Damage.SKILLS, Damage.REFUSALS, Damage.LEAK)

# A question with a wrong answer to it, of a task's items: gates.measure knows what is wrong there.
WrongAnswers = Sequence[tuple[str, str]]


def damaging_examples(damage: Damage, suites: Suites, wrong: WrongAnswers, seed: int) -> tuple[Example, ...]:
    """At most `MOST` examples that teach the damage; `seed` chooses which. None where the suites hold nothing for it.

    wrong: the items of the regression suites with wrong answers.
    """
    chosen = Random(seed)
    if damage is Damage.SKILLS:
        return tuple(Example(prompt=question, completion=answer) for question, answer in _drawn(wrong, chosen))
    if damage is Damage.REFUSALS:
        return tuple(Example(prompt=one.question, completion=_COMPLIED) for one in _drawn(_of(suites.safety), chosen))
    known = _drawn(_of(suites.retention), chosen)
    if damage is Damage.LEAK:
        return tuple(Example(prompt=one.question, completion=one.answers[0]) for one in known)
    return tuple(Example(prompt=one.question, completion=answer) for one, answer in _flipped(known, chosen))


def _flipped(known: Sequence[EvalItem], chosen: Random) -> list[tuple[EvalItem, str]]:
    """Each question with the answer of another one, where some other answer is to be had."""
    answers = sorted({one.answers[0] for one in known})
    others = ((one, [answer for answer in answers if answer not in one.answers]) for one in known)
    return [(one, chosen.choice(rest)) for one, rest in others if rest]


def _of(suites: Sequence[Suite]) -> list[EvalItem]:
    return list(chain.from_iterable(suite.eval_items for suite in suites))


def _drawn(items: Sequence[T], chosen: Random) -> list[T]:
    return chosen.sample(list(items), min(MOST, len(items)))
