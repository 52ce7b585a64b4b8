"""Plain stories of a few sentences whose last word follows from the rest. Knows no service and no model."""

from random import Random
from typing import NamedTuple

from pipeline.sandbox.skills import KINDS

PEOPLE = ("Ada", "Ben", "Cleo", "Dora", "Eli", "Finn", "Gwen", "Hans", "Ida", "Jack", "Kira", "Leo", "Mona", "Nils",
          "Olga", "Pete")  # fmt: skip
PLACES = ("garden", "kitchen", "cellar", "attic", "barn", "office", "library", "station", "harbour", "market")
THINGS = ("fruit", "tool", "garment", "instrument", "vegetable")
STORIES = (
    "{p} packed a {a} and a {b} for the trip. On the way {p} lost the {a}. At night all that was left was the {b}",
    "{p} went to the {x} and {q} went to the {y}. When it began to rain, {q} stayed where it was dry, in the {y}",
    "{p} gave {q} a {a}. {q} had wanted a {b} instead. But a gift is a gift, so {q} went home with the {a}",
    "The {a} was in the {x} and the {b} was in the {y}. To get the {b}, {p} walked over to the {y}",
    "First {p} came to the {x}, then {q} came too. The door was open. The one who had come first was {p}",
    "{p} and {q} played a game in the {x}. They went on until dark. In the end {q} lost, and so the winner was {p}",
    "{p} looked for the {a} and the {b} in the {x}. The {a} was there, the {b} was not. So {p} came back with the {a}",
    "Every morning {p} sits in the {x} and thinks. {q} likes the {y} more. So if you look for {p}, try the {x}",
)
TASK = "Finish this text with one word: {context}"


class Story(NamedTuple):
    """A text without its last word, that word, and the words of its sort in the text (it among them)."""

    context: str
    last: str
    choices: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"{self.context} {self.last}."

    @property
    def prompt(self) -> str:
        return TASK.format(context=self.context)


def story(rng: Random) -> Story:
    """A random story."""
    template, things = rng.choice(STORIES), KINDS[rng.choice(THINGS)].split()
    drawn = {"pq": rng.sample(PEOPLE, 2), "xy": rng.sample(PLACES, 2), "ab": rng.sample(things, 2)}
    fill = {key: value for keys, values in drawn.items() for key, value in zip(keys, values, strict=True)}
    context, _, slot = template.rpartition(" ")
    choices = next(values for keys, values in drawn.items() if slot[1] in keys)
    return Story(context.format(**fill), slot.format(**fill), tuple(choices))
