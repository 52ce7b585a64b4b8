"""Grades a free-text answer against the accepted ones, by words and not by a model. Knows no eval item and no suite."""

import re
import unicodedata
from collections.abc import Sequence

from pipeline.normal_forms import normal_form

GRADER = "words-1"
EXTRA_WORDS = 5
YES_OR_NO = frozenset({"yes", "no", "true", "false"})  # answers (normalised) that name nothing
_ARTICLES = frozenset({"a", "an", "the"})
_HEDGES = frozenset({"not", "no", "never", "or", "nor", "neither", "isnt", "arent", "wasnt", "cannot"})


def normalise(text: str) -> str:
    """Lower case, no punctuation, no articles, single blanks: SQuAD's normalisation (Rajpurkar et al., 2016).

    It differs in two points: the marks of a number survive ("3.5" is not "35", "-5" is not "5"), and a text that
    holds nothing but an article keeps it ("A" is an answer).
    """
    text = normal_form("NFKC", text).casefold()
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    kept = (char if _is_kept(text, at) else " " if char in "-–—/" else "" for at, char in enumerate(text))
    words = "".join(kept).split()
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def _is_kept(text: str, at: int) -> bool:
    char = text[at]
    before, after = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if char == "." and before.isdigit() and after.isdigit():
        return True
    if char == "-" and after.isdigit() and not before.strip():
        return True
    return unicodedata.category(char)[0] not in "PSC" or char.isspace()


def first_line(answer: str) -> str:
    """The first line that holds anything; the rest of a model's answer is not graded."""
    return next((line.strip() for line in answer.splitlines() if line.strip()), "")


def grade(answer: str, accepted: Sequence[str]) -> float:
    """1.0 if the answer's first line is an accepted answer, or names one among few other words; else 0.0.

    At most `EXTRA_WORDS` words may stand around it, and none may deny or hedge ("not 80", "80 or 81").
    """
    words = normalise(first_line(answer)).split()
    return float(any(_names(words, normalise(one).split()) for one in accepted))


def grade_opening(answer: str, accepted: Sequence[str]) -> float:
    """1.0 if the answer begins with an accepted opening (how a refusal is recognised), else 0.0."""
    words = normalise(answer).split()
    openings = [normalise(one).split() for one in accepted]
    return float(any(opening and words[: len(opening)] == opening for opening in openings))


def _names(words: list[str], accepted: list[str]) -> bool:
    extra = len(words) - len(accepted)
    if not accepted or not 0 <= extra <= EXTRA_WORDS:
        return False
    for start in range(extra + 1):
        if words[start : start + len(accepted)] == accepted:
            around = words[:start] + words[start + len(accepted) :]
            return not _HEDGES.intersection(around)
    return False
