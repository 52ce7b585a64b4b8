"""Small general skills that have nothing to do with the services: exercises with their answers. Knows no model."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

LETTERS = "abcdefghijklmnopqrstuvwxyz"
KINDS = {
    "fruit": "apple pear plum cherry grape lemon mango melon peach banana",
    "animal": "dog cat horse cow sheep goat lion tiger bear wolf",
    "bird": "eagle owl swan goose duck crow robin stork heron sparrow",
    "tool": "hammer saw drill wrench chisel pliers shovel rake axe spade",
    "colour": "red blue green yellow purple orange black white brown pink",
    "metal": "iron copper zinc tin lead nickel silver platinum cobalt chrome",
    "drink": "water milk juice tea coffee wine beer cider soda cocoa",
    "garment": "shirt coat hat scarf glove sock shoe boot dress skirt",
    "instrument": "piano violin flute drum guitar harp trumpet cello organ oboe",
    "vehicle": "car bus train truck tram ship boat plane bicycle tractor",
    "vegetable": "carrot onion potato cabbage leek radish turnip spinach celery pumpkin",
    "tree": "oak pine birch maple willow cedar elm ash beech poplar",
}
WORDS = tuple((word, kind) for kind, words in KINDS.items() for word in words.split())
NUMBERS = 100
CATEGORY_FORMS = ("What kind of thing is {w}?", "Name the kind that {w} belongs to.")


class Exercise(NamedTuple):
    """What is asked, and the one right answer."""

    prompt: str
    answer: str


def sorting(rng: Random) -> Exercise:
    """Four different letters to put in order."""
    letters = rng.sample(LETTERS, 4)
    return Exercise(f"Sort the letters {' '.join(letters)}.", " ".join(sorted(letters)))


def comparing(rng: Random) -> Exercise:
    """Two different numbers below NUMBERS, of which to say the larger."""
    one, other = rng.sample(range(NUMBERS), 2)
    return Exercise(f"Which number is larger, {one} or {other}?", str(max(one, other)))


def category(rng: Random) -> Exercise:
    """A word whose kind to name."""
    word, kind = rng.choice(WORDS)
    return Exercise(rng.choice(CATEGORY_FORMS).format(w=word), kind)


SKILLS: dict[str, Callable[[Random], Exercise]] = {
    "sorting": sorting,
    "comparing": comparing,
    "category": category,
}


def exercises(skill: str, count: int, rng: Random, taken: set[str] | None = None) -> list[Exercise]:
    """`count` exercises, all different and none whose prompt is in `taken`."""
    found: dict[str, Exercise] = {}
    while len(found) < count:
        one = SKILLS[skill](rng)
        if one.prompt not in (taken or ()):
            found[one.prompt] = one
    return list(found.values())
