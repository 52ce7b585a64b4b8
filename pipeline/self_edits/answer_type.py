"""Scores whether an answer is of the type that its question asks for, by asking the question of other subjects.

How probable an answer is for one subject says little. Over many subjects it tells types apart: a question that asks
for a name of that type has the answer for some subject.
"""

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, log
from statistics import fmean

from pipeline.digests import digest_of
from pipeline.grading import normalise
from pipeline.heuristics import SANDBOX_FITTED
from pipeline.self_edits.context import WriterContext, leaves_room
from pipeline.self_edits.eval_items import subject_words
from pipeline.types import Document

MIN_SUBJECTS, MAX_SUBJECTS = SANDBOX_FITTED.min_subjects, SANDBOX_FITTED.max_subjects


def answer_type_scores(
    context: WriterContext, document: Document, questions: Sequence[str], answer: str, subjects: Sequence[str]
) -> list[float]:
    """For each question about the document the log of the answer's mean probability, in nats, over other subjects.

    `subjects` are titles; those that name the document's own subject, or leave no room, are not used. All scores are 0
    where fewer than MIN_SUBJECTS are left, or a question holds no name that could be replaced.
    """
    names = _names(document, subjects)
    asked = [
        [_asked_of(other, question, document, names) for question in questions]
        for other in _others(subjects, document, names)
    ]
    tokens = context.engine.token_count(answer) + 1  # a server writes one token more
    asked = [row for row in asked if all(leaves_room(context.engine, prompt, tokens) for prompt in row)][:MAX_SUBJECTS]
    unreplaced = any(question in row for row in asked for question in questions)
    if len(asked) < MIN_SUBJECTS or unreplaced:
        return [0.0] * len(questions)
    pairs = [(prompt, answer) for row in asked for prompt in row]
    logprobs = context.engine.logprobs(pairs, adapter=context.writer.folder)
    return [_log_mean(logprobs[place :: len(questions)]) for place in range(len(questions))]


def _names(document: Document, subjects: Sequence[str]) -> frozenset[str]:
    """The words of the document's title that tell it from others: without those that many titles share."""
    titles = {normalise(subject): set(normalise(subject).split()) for subject in subjects}
    shared = Counter(word for words in titles.values() for word in words)
    return frozenset(word for word in subject_words(document) if shared[word] <= MIN_SUBJECTS)


def _others(subjects: Sequence[str], document: Document, names: frozenset[str]) -> list[str]:
    """Each other subject once, in a random but fixed order: names close in the alphabet may be of one type."""
    titles = {normalise(subject): subject for subject in sorted(subjects, reverse=True)}
    own = normalise(document.title)
    others = [subject for title, subject in titles.items() if title not in ("", own) and not names & set(title.split())]
    return sorted(others, key=lambda subject: digest_of("subject", subject))


def _asked_of(other: str, question: str, document: Document, names: frozenset[str]) -> str:
    """The question with another title in place of the document's, or of the words that name it."""
    title = re.escape(document.title.strip())
    words = "|".join(re.escape(word) for word in sorted(names, key=lambda word: (-len(word), word)))
    patterns = [rf"(?<!\w){title}(?!\w)"] if title else []
    patterns += [rf"(?<!\w)(?:{words})(?:\s+(?:{words}))*(?!\w)"] if words else []
    patterns += [title] if not title.isascii() else []  # a script may set no spaces between words
    for pattern in patterns:
        replaced, count = re.subn(pattern, lambda _: other, question, flags=re.IGNORECASE)
        if count:
            return replaced
    return question


def _log_mean(logprobs: Sequence[float]) -> float:
    most = max(logprobs)
    return most + log(fmean(exp(one - most) for one in logprobs))
