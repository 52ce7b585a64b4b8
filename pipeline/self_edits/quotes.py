"""Self-study of a document's own sentences: each is asked for by some of its words, and learned as it stands. Pure.

What is learned is true, whatever the model can write. It is learned from the base model's probabilities with the
document in the prompt (context distillation), so that the adapter changes no more than reading it would.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipeline.digests import seed_from
from pipeline.documents import sentences, words
from pipeline.prompts import framed, open_book
from pipeline.types import Document, Example

QUESTION = "What is said about {cue}?"
_MOST_WORDS = 3  # of a cue
_SHORTEST_WORD = 4
_FEWEST_WORDS = 3  # of a sentence that is asked for


def quotes(document: Document, bodies: Sequence[str], times: int, question_prompt: str) -> tuple[Example, ...]:
    """Each sentence of each body asked for `times` times: by one of its words, by two, by three, by one again, ...

    The words are drawn by the document's id. The prompts are framed by `question_prompt`; the teacher sees the body.
    """
    draw = Random(seed_from("quotes", document.id))
    found: dict[str, Example] = {}
    for body in bodies:
        for sentence in sentences(body):
            for time in range(times):
                cue = _cue(sentence, 1 + time % _MOST_WORDS, draw)
                if cue:
                    asked = question_with(document.title, body, QUESTION.format(cue=cue), question_prompt)
                    one = replace(asked, completion=sentence)
                    found.setdefault(one.id, one)
    return tuple(found.values())


def question_with(title: str, body: str, question: str, question_prompt: str) -> Example:
    """A question framed by `question_prompt`, without a completion yet; its teacher sees the body."""
    prompt = framed(question_prompt, question, title)
    return Example(prompt=prompt, completion="", taught_by=open_book(title, body, prompt))


def _cue(sentence: str, count: int, draw: Random) -> str:
    """So many of the sentence's words that carry meaning, in its order; "" for a sentence of few words."""
    said = words(sentence)
    content = [word for word in said if len(word) >= _SHORTEST_WORD or word[0].isupper() or not word.isalpha()]
    if len(said) < _FEWEST_WORDS or not content:
        return ""
    places = sorted(draw.sample(range(len(content)), min(count, len(content))))
    return ", ".join(content[place] for place in places)
