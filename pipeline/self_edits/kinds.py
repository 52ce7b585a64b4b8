"""How well an answer suits a question, whatever the question is about: it tells a customer from a database.

A model that hardly expects an answer of one subject alone says little by that. Over many subjects it tells kinds apart:
to what is asked for a name of that kind, some subject has it.
"""

import re
from collections.abc import Sequence
from math import exp, log
from pathlib import Path
from statistics import fmean

from pipeline.engines.engine import Engine
from pipeline.grading import normalise
from pipeline.self_edits.probing import subject_words
from pipeline.types import Document, Example

FEWEST, MOST = 4, 16  # other subjects: with fewer nothing is told, and more tell no more


def suiting(
    engine: Engine, document: Document, asked: Sequence[Example], subjects: Sequence[str], adapter: Path | None
) -> list[float]:
    """For each question about the document the log of its answer's mean chance, in nats, over other subjects.

    `subjects` are titles; the document's own is left out. Where fewer than FEWEST are left, all answers suit alike (0).
    """
    others = [one for one in dict.fromkeys(subjects) if normalise(one) != normalise(document.title)][:MOST]
    if len(others) < FEWEST:
        return [0.0] * len(asked)
    pairs = [(_of(other, one.prompt, document), one.completion) for one in asked for other in others]
    chances = engine.log_chances(pairs, adapter=adapter)
    return [_log_mean(chances[start : start + len(others)]) for start in range(0, len(chances), len(others))]


def _of(other: str, question: str, document: Document) -> str:
    """The same question of another subject: its title in place of the document's, or of the title's first word."""
    whole = re.compile(re.escape(document.title), re.IGNORECASE)
    if document.title and whole.search(question):
        return whole.sub(lambda _: other, question)
    names = "|".join(re.escape(word) for word in sorted(subject_words(document), key=len, reverse=True))
    return re.sub(rf"\b(?:{names})\b", lambda _: other, question, flags=re.IGNORECASE) if names else question


def _log_mean(chances: Sequence[float]) -> float:
    most = max(chances)
    return most + log(fmean(exp(chance - most) for chance in chances))
