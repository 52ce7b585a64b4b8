"""How well an answer suits a question, whatever the question is about: it tells a customer from a database.

A model that hardly expects an answer of one subject alone says little by that. Over many subjects it tells kinds apart:
to what is asked for a name of that kind, some subject has it.
"""

import re
from collections.abc import Callable, Sequence
from math import exp, log
from pathlib import Path
from statistics import fmean

from pipeline.digests import digest_of
from pipeline.engines.engine import Engine
from pipeline.grading import normalise
from pipeline.self_edits.probing import names_subject, subject_words
from pipeline.types import Document

FEWEST_SUBJECTS, MOST_SUBJECTS = 4, 16  # with fewer nothing is told, and more tell no more
_TEMPLATE = 64  # tokens a chat template may add

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
    asked = [[_asked_of(other, question, document) for question in questions] for other in _others(subjects, document)]
    asked = [row for row in asked if _fits(engine, row, answer)][:MOST_SUBJECTS]
    untold = any(question in row for row in asked for question in questions)
    if len(asked) < FEWEST_SUBJECTS or untold:
        return [0.0] * len(questions)
    chances = engine.log_chances([(prompt, answer) for row in asked for prompt in row], adapter=adapter)
    return [_log_mean(chances[place :: len(questions)]) for place in range(len(questions))]


def _others(subjects: Sequence[str], document: Document) -> list[str]:
    """Each other subject once, in an order by chance that is always the same: titles by letters may be all of one."""
    different = {normalise(one): one for one in sorted(subjects, reverse=True) if not names_subject(one, document)}
    return sorted(filter(str.strip, different.values()), key=lambda title: digest_of("subject", title))


def _asked_of(other: str, question: str, document: Document) -> str:
    """The same question of another subject: its title in place of the document's, or of the words that name it."""
    title = document.title.strip()
    whole = re.escape(title) if not title.isascii() else rf"(?<!\w){re.escape(title)}(?!\w)"
    if title and re.search(whole, question, re.IGNORECASE):
        return re.sub(whole, lambda _: other, question, flags=re.IGNORECASE)
    name = "|".join(re.escape(word) for word in sorted(subject_words(document), key=lambda word: (-len(word), word)))
    run = rf"(?<!\w)(?:{name})(?:\s+(?:{name}))*(?!\w)"
    return re.sub(run, lambda _: other, question, flags=re.IGNORECASE) if name else question


def _fits(engine: Engine, prompts: Sequence[str], answer: str) -> bool:
    """Whether each can be asked with the answer; a server writes one token more."""
    room = engine.context - min(_TEMPLATE, engine.context // 8) - engine.token_count(answer) - 1
    return all(engine.token_count(prompt) <= room for prompt in prompts)


def _log_mean(chances: Sequence[float]) -> float:
    most = max(chances)
    return most + log(fmean(exp(chance - most) for chance in chances))
