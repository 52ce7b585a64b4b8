"""Self-study of a document's own sentences: each is asked for by some of its words, and learned as it stands. Pure.

What is learned is true, whatever the model can write. It is learned from the base model's probabilities with the
document in the prompt (context distillation), so that the adapter changes no more than reading it would.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipeline.digests import seed_from
from pipeline.documents import sentences, words
from pipeline.prompts import framed
from pipeline.self_edits.context import WriterContext
from pipeline.types import Document, Example

QUESTION = "What is said about {cue}?"
_MOST_WORDS = 3  # of a cue
_SHORTEST_WORD = 4
_FEWEST_WORDS = 3  # of a sentence that is asked for


def quotes(context: WriterContext, document: Document, bodies: Sequence[str]) -> tuple[Example, ...]:
    """Each sentence of each body asked for `rules.quotes` times: by one of its words, by two, by three, by one, ...

    The words are drawn by the document's id. The prompts are framed by `question_prompt`; the teacher sees the body.
    """
    draw = Random(seed_from("quotes", document.id))
    found: dict[str, Example] = {}
    for body in bodies:
        for sentence in sentences(body):
            for time in range(context.rules.quotes):
                cue = _cue(sentence, 1 + time % _MOST_WORDS, draw)
                if cue:
                    asked = question_with(context, document, body, QUESTION.format(cue=cue))
                    one = replace(asked, completion=sentence)
                    found.setdefault(one.id, one)
    return tuple(found.values())


def question_with(context: WriterContext, document: Document, body: str, question: str) -> Example:
    """A question framed by `question_prompt`, without a completion yet; its teacher sees the body."""
    prompt = framed(context.question_prompt, question, document.title)
    return Example(prompt=prompt, completion="", taught_by=context.open_book(document, body, prompt))


def _has_number(word: str) -> bool:
    return any(char.isnumeric() and not char.isalpha() for char in word)


def _cue(sentence: str, count: int, draw: Random) -> str:
    """So many of the sentence's words that carry meaning, in its order; "" for a sentence of few words."""
    said = words(sentence)
    content = [word for word in said if len(word) >= _SHORTEST_WORD or word[0].isupper() or _has_number(word)]
    if len(said) < _FEWEST_WORDS or not content:
        return ""
    places = sorted(draw.sample(range(len(content)), min(count, len(content))))
    return ", ".join(content[place] for place in places)
