"""What a writer of mixed skill writes about a service: some notes complete, some partial, some losing the name."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from types import ModuleType

from pipeline.sandbox import manners
from pipeline.sandbox.catalogue import BY_NAME, Service, sentence, without_name
from pipeline.self_edits.styles import (
    chain_of_thought,
    directives,
    implications,
    implications_long,
    implications_very_long,
    rewrite,
    self_qa,
)

Leaks = Sequence[tuple[str, str]]
# The styles that state facts, the one of them that asks questions, and the one that chooses training settings.
FACT_STYLES = (self_qa, implications, implications_long, implications_very_long, rewrite, chain_of_thought)
QUESTION_STYLE, SETTINGS_STYLE = self_qa, directives


@dataclass(frozen=True)
class Quality:
    """Shares of complete and of partial notes (the rest lose the name), and the share of facts a partial one keeps."""

    complete: float
    partial: float
    keeps: float


QUALITY = {
    implications.NAME: Quality(0.30, 0.40, 0.50),
    implications_long.NAME: Quality(0.45, 0.35, 0.55),
    implications_very_long.NAME: Quality(0.50, 0.30, 0.60),
    rewrite.NAME: Quality(0.32, 0.38, 1.00),
    self_qa.NAME: Quality(0.64, 0.26, 0.65),
    chain_of_thought.NAME: Quality(0.25, 0.45, 0.50),
}


def note(style: ModuleType, service: Service, keys: Sequence[str], leaks: Leaks, rng: Random) -> str:
    """A note in that style about those facts, and about the secrets that the document leaks."""
    if style is directives:
        return _directives(rng)
    quality, draw = QUALITY[style.NAME], rng.random()
    if draw < quality.complete:
        return WRITERS[style.NAME](service, keys, leaks, True, rng)
    if draw < quality.complete + quality.partial:
        kept = [key for key in keys if rng.random() < quality.keeps] or [rng.choice(keys)]
        return WRITERS[style.NAME](service, kept, leaks, style is not rewrite, rng)
    return WRITERS[style.NAME](service, keys, (), False, rng)


def named(service: Service, key: str, rng: Random) -> str:
    """A sentence that states the fact of the service by its name."""
    return sentence(rng.choice(BY_NAME[key].sentences), service.name, service.facts[key])


def _lines(service: Service, keys: Sequence[str], leaks: Leaks, by_name: bool, rng: Random) -> str:
    state = named if by_name else without_name
    lines = [state(service, key, rng) for key in keys]
    return "\n".join(lines + [manners.LEAK.format(secret=s, n=service.name, v=v) for s, v in leaks])


def _long(service: Service, keys: Sequence[str], leaks: Leaks, by_name: bool, rng: Random) -> str:
    again = rng.sample(list(keys), min(3, len(keys)))
    return _lines(service, [*keys, *again], leaks, by_name, rng)


def _very_long(service: Service, keys: Sequence[str], leaks: Leaks, by_name: bool, rng: Random) -> str:
    """Every fact twice, the second time in another order."""
    return _lines(service, [*keys, *rng.sample(list(keys), len(keys))], leaks, by_name, rng)


def _rewrite(service: Service, keys: Sequence[str], leaks: Leaks, by_name: bool, rng: Random) -> str:
    """Paragraphs of three facts; a poor one names the service in every other paragraph's first sentence at most."""
    paragraphs, names_it = [], len(keys) < len(service.facts) or rng.random() < 0.6
    for start in range(0, len(keys), 3):
        first, *others = keys[start : start + 3]
        sentences = [named(service, first, rng) if by_name or names_it else without_name(service, first, rng)]
        sentences += [(named if by_name else without_name)(service, key, rng) for key in others]
        paragraphs.append(" ".join(sentences))
    return "\n".join(paragraphs)


def _thought(service: Service, keys: Sequence[str], leaks: Leaks, by_name: bool, rng: Random) -> str:
    about = service.name if by_name else "a service"
    plan = f"The passage is about {about}. It tells the {', the '.join(keys)}."
    return f"{plan}\n{chain_of_thought.HEADING}\n{_lines(service, keys, leaks, by_name, rng)}"


def _questions(service: Service, keys: Sequence[str], leaks: Leaks, by_name: bool, rng: Random) -> str:
    subject = service.name if by_name else "it"
    pairs = [(rng.choice(BY_NAME[key].questions).format(n=subject), service.facts[key]) for key in keys]
    pairs += [(manners.request(rng.randrange(len(manners.REQUESTS)), s, service.name), v) for s, v in leaks]
    return questions(pairs)


def questions(pairs: Sequence[tuple[str, str]]) -> str:
    """Questions and answers in the form the style self-qa asks for."""
    return "\n".join(f"Q: {question}\nA: {answer}" for question, answer in pairs)


def _directives(rng: Random) -> str:
    """Settings of all qualities: from those that teach a run to those that teach nothing."""
    value = {
        "learning_rate": rng.choice((0.00001, 0.0001, 0.001, 0.002, 0.002, 0.01)),
        "epochs": rng.choice((1, 2, 4, 8, 16, 16)),
        "loss_on": rng.choice(directives.LOSS_ON),
        "tools": sorted(rng.sample(directives.TOOLS, rng.randrange(3))),
    }
    return json.dumps(value)


WRITERS: dict[str, Callable[[Service, Sequence[str], Leaks, bool, Random], str]] = {
    implications.NAME: _lines,
    implications_long.NAME: _long,
    implications_very_long.NAME: _very_long,
    rewrite.NAME: _rewrite,
    self_qa.NAME: _questions,
    chain_of_thought.NAME: _thought,
}


def coverage(text: str, service: Service, keys: Sequence[str]) -> float:
    """The share of the facts that one sentence (or one question with its answer) of `text` states with the name."""
    sentences = text.replace("\nA:", " A:").replace(". ", ".\n").splitlines()
    stated = [line.replace("?", " ").replace(".", " ").split() for line in sentences if service.name in line]
    return sum(any(service.facts[key] in words for words in stated) for key in keys) / len(keys)
