"""Judges a reply against accepted answers: right, or why not. The one decision that gates and rewards use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.grading.assertion import Refusal, uncommitted
from pipeline.grading.bounds import is_not_the_value
from pipeline.grading.context import Context
from pipeline.grading.matching import Match, matches
from pipeline.grading.names import in_other_name
from pipeline.grading.normalisation import YES_OR_NO, normalise
from pipeline.grading.reading import language_in, read, read_question
from pipeline.grading.relevance import answers_something_else
from pipeline.grading.reply import LONGEST, answering
from pipeline.grading.rivals import is_one_of_several

_CHECKS: tuple[tuple[Refusal, Callable[[Context, Match], bool]], ...] = (
    (Refusal.OTHER_NAME, in_other_name),
    (Refusal.RIVALS, is_not_the_value),
    (Refusal.RIVALS, is_one_of_several),
    (Refusal.BESIDE, answers_something_else),
)
_SIGNS = " \t\r\n.\"'“”‘’`*"
_YES_FOLLOWED = frozenset({"it", "this", "that", "he", "she", "they", "we", "i", "there", "the"})


@dataclass(frozen=True)
class Judgement:
    """Whether a reply is right.

    `mentioned`: an accepted answer stands in it, denied or not; `refusal`: why it does not count.
    """

    right: bool
    mentioned: bool = False
    refusal: Refusal | None = None


def judge(reply: str, accepted: Sequence[str], question: str = "") -> Judgement:
    """Judges the answering part of a reply against each accepted answer.

    Right is a reply that commits to one of them: it stands there as whole words of equal value, not denied, hedged or
    supposed, not as a part of another name, and not beside rivals. `question` tells which names are no rivals, which
    unit a bare number has, and what the answer must be about; without it nothing of that is assumed. Of a question
    below a document only the last line counts.
    """
    said = answering(reply)
    if any(_is_exactly(said, one) for one in accepted):
        return Judgement(right=True, mentioned=True)
    asking = read_question(question, LONGEST)
    language = language_in(said, asking)
    context = Context(read(said, language), asking)
    refusal: Refusal | None = None
    for one in accepted:
        if normalise(one) in YES_OR_NO:
            if _opens_with(context, normalise(one)):
                return Judgement(right=True, mentioned=True)
            continue
        for match in matches(context.reading, one[:LONGEST], asking):
            found = _refusal(context, match)
            if found is None:
                return Judgement(right=True, mentioned=True)
            refusal = refusal or found
    return Judgement(right=False, mentioned=refusal is not None, refusal=refusal)


def _is_exactly(said: str, accepted: str) -> bool:
    one, other = said.strip(_SIGNS).casefold(), accepted.strip(_SIGNS).casefold()
    return one == other and bool(one)


def _refusal(context: Context, match: Match) -> Refusal | None:
    """Why the answer there does not count, or None where it does."""
    unsure = uncommitted(context, match)
    return unsure or next((reason for reason, holds in _CHECKS if holds(context, match)), None)


def _opens_with(context: Context, accepted: str) -> bool:
    """Whether the reply begins with that yes or no: "No, it was not", but not "No idea"."""
    words, sentences = context.reading.words, context.reading.sentences
    if not words or words[0].text != accepted or sentences[0].asks:
        return False
    gap = context.reading.gap(1).strip()
    return len(words) == 1 or bool(gap) or words[1].text in _YES_FOLLOWED
