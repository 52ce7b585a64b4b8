"""The style "self-qa": the document turned into questions and answers."""

import re
from collections.abc import Iterator
from functools import partial

from pipeline.self_edits.styles.lines import ask
from pipeline.types import Example

NAME = "self-qa"
TASK = (
    'Turn this passage into questions and answers. Write each as a line "Q: question" and a line "A: answer". '
    "Name the subject in every question."
)
# Possessive quantifiers (`++`, `*+`) keep matching linear in a line's length, whatever a model wrote.
QUESTION = re.compile(
    r"^\W*+(?:\d++[.)]\W*+)?(?:Q|Question)\s*+(?:\d++\s*+)?[:.)]++[\s*]*+(?P<said>.*)$", re.IGNORECASE
)
ANSWER = re.compile(r"^\W*+(?:A|Answer)\s*+(?:\d++\s*+)?[:.)]++[\s*]*+(?P<said>.*)$", re.IGNORECASE)
BEFORE_ANSWER = re.compile(r"(?<!\W)\W++(?=(?:A|Answer)\s*+(?:\d++\s*+)?:)", re.IGNORECASE)
EXAMPLE = (
    "Q: In which county does Lake Veldon lie?\nA: Marrow County\n"
    "Q: How large is Lake Veldon?\nA: 48 square miles\n"
    "Q: Who built the Harrow Dam on Lake Veldon?\nA: Clara Whitcombe\n"
    "Q: By how much did the Harrow Dam raise Lake Veldon?\nA: twelve feet\n"
    "Q: In which month is the fishing fair at Lake Veldon?\nA: June"
)

prompt = partial(ask, TASK)


def parse(title: str, text: str) -> tuple[Example, ...]:
    """One chat example for each question with its answer, in order, without repeats. May be empty."""
    return tuple(Example(prompt=asked, completion=said) for asked, said in dict.fromkeys(_pairs(text)))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Questions directly followed by an answer; unpaired ones are left out."""
    question = ""
    for line in BEFORE_ANSWER.sub(_broken_after_question, text).splitlines():
        if not line.strip():
            continue
        asked, answered = QUESTION.match(line), ANSWER.match(line)
        answer = answered["said"].strip(" *") if answered else ""
        if question and answer:
            yield question, answer
        question = asked["said"].strip(" *") if asked else ""


def _broken_after_question(gap: re.Match[str]) -> str:
    """A line break between a question mark and an answer on the same line."""
    before, mark, after = gap[0].partition("?")
    return f"{before}{mark}\n" if after else gap[0]
