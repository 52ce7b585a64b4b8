"""How well an answer suits a question, whatever the question is about: it tells a customer from a database.

A model that hardly expects an answer of one subject alone says little by that. Over many subjects it tells kinds apart:
to what is asked for a name of that kind, some subject has it.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from math import exp, log
from pathlib import Path
from statistics import fmean

from pipeline.digests import digest_of
from pipeline.engines.engine import Engine
from pipeline.engines.limits import template_tokens
from pipeline.grading import normalise
from pipeline.self_edits.eval_items import subject_words
from pipeline.types import Document

FEWEST_SUBJECTS, MOST_SUBJECTS = 4, 16  # with fewer nothing is told, and more tell no more

Suit = Callable[[Document, Sequence[str], str], list[float]]


def suiting(
    engine: Engine,
    document: Document,
    questions: Sequence[str],
    answer: str,
    *,
    subjects: Sequence[str],
    adapter: Path | None,
) -> list[float]:
    """For each question about the document the log of the answer's mean chance, in nats, over other subjects.

    `subjects` are titles; those that name the document's own are left out, and those too long to be asked about. Where
    fewer than FEWEST_SUBJECTS are left, or a question holds no name that could be replaced, all suit alike (0).
    """
    names = _names(document, subjects)
    asked = [
        [_asked_of(other, question, document, names) for question in questions]
        for other in _others(subjects, document, names)
    ]
    asked = [row for row in asked if _fits(engine, row, answer)][:MOST_SUBJECTS]
    untold = any(question in row for row in asked for question in questions)
    if len(asked) < FEWEST_SUBJECTS or untold:
        return [0.0] * len(questions)
    chances = engine.logprobs([(prompt, answer) for row in asked for prompt in row], adapter=adapter)
    return [_log_mean(chances[place :: len(questions)]) for place in range(len(questions))]


def _names(document: Document, subjects: Sequence[str]) -> frozenset[str]:
    """The words that name the document among others: those of its title, without what many titles share."""
    titles = {normalise(subject): set(normalise(subject).split()) for subject in subjects}
    shared = Counter(word for words in titles.values() for word in words)
    return frozenset(word for word in subject_words(document) if shared[word] <= FEWEST_SUBJECTS)


def _others(subjects: Sequence[str], document: Document, names: frozenset[str]) -> list[str]:
    """Each other subject once, in an order by chance that is always the same: titles by letters may be all of one."""
    titles = {normalise(subject): subject for subject in sorted(subjects, reverse=True)}
    own = normalise(document.title)
    others = [subject for title, subject in titles.items() if title not in ("", own) and not names & set(title.split())]
    return sorted(others, key=lambda subject: digest_of("subject", subject))


def _asked_of(other: str, question: str, document: Document, names: frozenset[str]) -> str:
    """The same question of another subject: its title in place of the document's, or of the words that name it."""
    title = re.escape(document.title.strip())
    words = "|".join(re.escape(word) for word in sorted(names, key=lambda word: (-len(word), word)))
    ways = [rf"(?<!\w){title}(?!\w)"] if title else []
    ways += [rf"(?<!\w)(?:{words})(?:\s+(?:{words}))*(?!\w)"] if words else []
    ways += [title] if not title.isascii() else []  # a script may set no spaces between words
    for way in ways:
        replaced, count = re.subn(way, lambda _: other, question, flags=re.IGNORECASE)
        if count:
            return replaced
    return question


def _fits(engine: Engine, prompts: Sequence[str], answer: str) -> bool:
    """Whether each can be asked with the answer; a server writes one token more."""
    room = engine.context - template_tokens(engine) - engine.token_count(answer) - 1
    return all(engine.token_count(prompt) <= room for prompt in prompts)


def _log_mean(chances: Sequence[float]) -> float:
    most = max(chances)
    return most + log(fmean(exp(chance - most) for chance in chances))
