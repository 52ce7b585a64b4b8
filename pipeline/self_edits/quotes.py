"""Self-study of a document's own sentences: each is asked for by some of its words, and learned as it stands. Pure.

What is learned is true, whatever the model can write. It is learned from the base model's probabilities with the
document in the prompt (context distillation), so that the adapter changes no more than reading it would.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from random import Random

from pipeline.digests import seed_from
from pipeline.documents import sentences
from pipeline.prompts import framed
from pipeline.self_edits.common_words import common_words
from pipeline.self_edits.context import WriterContext
from pipeline.self_edits.cues import cue
from pipeline.types import Document, Example

QUESTION = "What is said about {cue}?"
_SIZES = (1, 3, 5)  # words of a cue
_DRAWS = 8  # for a cue that a sentence was not asked for by yet; one of few words has no more


def quotes(context: WriterContext, document: Document, bodies: Sequence[str]) -> tuple[Example, ...]:
    """Each sentence of each body asked for `rules.quotes` times: by one of its words, by three, by five, by one, ...

    The words are drawn by the document's id. The prompts are framed by `question_prompt`; the teacher sees the body.
    """
    draw, common = Random(seed_from("quotes", document.id)), common_words(document.body)
    asked = [
        (sentence, words, body)
        for body in bodies
        for sentence in sentences(body)
        for words in _cues(sentence, context.rules.quotes, common, draw)
    ]
    found = (
        replace(question_with(context, document, body, QUESTION.format(cue=words)), completion=sentence)
        for sentence, words, body in asked
    )
    return tuple({one.id: one for one in found}.values())


def _cues(sentence: str, count: int, common: frozenset[str], draw: Random) -> list[str]:
    """So many cues of the sentence, each another; fewer where it has no more."""
    found: list[str] = []
    for time in range(count):
        drawn = (cue(sentence, _SIZES[time % len(_SIZES)], common, draw) for _ in range(_DRAWS))
        found += [*islice((one for one in drawn if one and one not in found), 1)]
    return found


def question_with(context: WriterContext, document: Document, body: str, question: str) -> Example:
    """A question framed by `question_prompt`, without a completion yet; its teacher sees the body."""
    prompt = framed(context.question_prompt, question, document.title)
    return Example(prompt=prompt, completion="", taught_by=context.open_book(document, body, prompt))
