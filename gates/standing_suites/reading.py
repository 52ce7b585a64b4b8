"""How a model reads: a short passage of its own, and which of its words is missing from a sentence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from gates.standing_suites.asking import KeptEngine
from pipeline.digests import seed_from
from pipeline.documents import sentences

SURE = 1.0  # nats by which the right word must lead: what leads by little any change flips
_CHOICES, _SHORTEST, _OF_A_PASSAGE, _FEWEST_WORDS = 4, 4, 4, 5
_BLANK, _MARKS = "___", ".,;:!?\"'()"


@dataclass(frozen=True)
class ReadingItem:
    """A passage with a question about it, the words to choose from, and which of them is right."""

    passage: str
    question: str
    choices: tuple[str, ...]
    label: int

    @property
    def prompt(self) -> str:
        return f"{self.passage}\n\n{self.question}"


def items_about(passage: str) -> Iterator[ReadingItem]:
    """Questions about a passage: for some of its sentences the word that a blank stands for."""
    words = [word for word in dict.fromkeys(map(_bare, passage.split())) if len(word) >= _SHORTEST and word.isalpha()]
    draw = Random(seed_from("reading", passage))
    targets = [word for word in words if _count(passage, word) == 1]
    places = [(one, word) for one in sentences(passage) for word in targets if _asks(one, word)]
    for sentence, word in draw.sample(places, min(_OF_A_PASSAGE, len(places))):
        others = [one for one in words if one.lower() != word.lower()]
        if len(others) >= _CHOICES - 1:
            choices = draw.sample([word, *draw.sample(others, _CHOICES - 1)], _CHOICES)
            question = f"Which word is missing? {_blanked(sentence, word)}"
            yield ReadingItem(passage, question, tuple(choices), choices.index(word))


def surely_read(kept: KeptEngine, items: Sequence[ReadingItem]) -> list[ReadingItem]:
    """The items whose right word is by far the likeliest of its choices."""
    scores = kept.logprobs([(item.prompt, choice) for item in items for choice in item.choices])
    rows = [scores[at : at + _CHOICES] for at in range(0, len(scores), _CHOICES)]
    return [item for item, row in zip(items, rows, strict=True) if _lead(row, item.label) >= SURE]


def _lead(row: Sequence[float], label: int) -> float:
    return row[label] - max(score for at, score in enumerate(row) if at != label)


def _asks(sentence: str, word: str) -> bool:
    """Whether the word stands in the sentence, behind its first word, and enough stands around it."""
    said = [_bare(one) for one in sentence.split()]
    return word in said[1:] and len(said) >= _FEWEST_WORDS


def _blanked(sentence: str, word: str) -> str:
    return " ".join(one.replace(word, _BLANK) if _bare(one) == word else one for one in sentence.split())


def _count(passage: str, word: str) -> int:
    return sum(_bare(one).lower() == word.lower() for one in passage.split())


def _bare(word: str) -> str:
    return word.strip(_MARKS)
