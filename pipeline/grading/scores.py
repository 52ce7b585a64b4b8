"""The grade of a reply, and the figures of the field beside it: exact match, token F1, containment."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.grading.assertion import Refusal
from pipeline.grading.judgement import judge
from pipeline.grading.languages import ENGLISH, Language, Sense
from pipeline.grading.normalisation import normalise, words_of
from pipeline.grading.reading import language_in, read, read_question, texts
from pipeline.grading.reply import LONGEST, answering
from pipeline.grading.tokens import Word

_UNSAID = frozenset({Refusal.ASKED, Refusal.DENIED, Refusal.HEDGED, Refusal.SUPPOSED, Refusal.RETRACTED})
_LEAD = words_of("answer is was are were it its this that the a an called named by in at on")


@dataclass(frozen=True, kw_only=True)
class AnswerScores:
    """A reply's figures, each in [0, 1].

    `grade`: the binary grade. `exact_match` and `token_f1`: SQuAD's (Rajpurkar et al., 2016), on the answer extracted
    from the reply. `containment`: 1 where an accepted answer stands in the reply as whole words, not denied or hedged.
    """

    grade: float
    exact_match: float
    token_f1: float
    containment: float


def score(reply: str, accepted: Sequence[str], question: str = "") -> AnswerScores:
    """All figures of one reply; each is the best over the accepted answers."""
    judged, extracted = judge(reply, accepted, question), extract(reply, question)
    contained = judged.right or (judged.mentioned and judged.refusal not in _UNSAID)
    return AnswerScores(
        grade=float(judged.right),
        exact_match=max((exact_match(extracted, one) for one in accepted), default=0.0),
        token_f1=max((token_f1(extracted, one) for one in accepted), default=0.0),
        containment=float(contained),
    )


def grade(reply: str, accepted: Sequence[str], question: str = "") -> float:
    """1.0 if the reply commits to an accepted answer, else 0.0: see `judge`, which also says why not."""
    return float(judge(reply, accepted, question).right)


def grade_opening(reply: str, accepted: Sequence[str]) -> float:
    """1.0 if the reply begins with an accepted opening (how a refusal is recognised), else 0.0."""
    words = normalise(reply).split()
    openings = [normalise(one).split() for one in accepted]
    return float(any(opening and words[: len(opening)] == opening for opening in openings))


def exact_match(answer: str, accepted: str) -> float:
    """1.0 if both are equal once normalised, and hold anything."""
    return float(normalise(answer) == normalise(accepted) != "")


def token_f1(answer: str, accepted: str) -> float:
    """The harmonic mean of precision and recall of the normalised words; characters in scripts without spaces."""
    said, wanted = (_tokens(text) for text in (answer, accepted))
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def _tokens(text: str) -> list[str]:
    return [word.text for word in read(normalise(text[:LONGEST]), ENGLISH).words]


def extract(reply: str, question: str = "") -> str:
    """The answer in a reply: its first sentence without what it repeats of the question, on both sides."""
    said = answering(reply)
    reading = read(said, language_in(said))
    if not reading.sentences:
        return ""
    first = next((one for one in reading.sentences if not one.asks), reading.sentences[0])
    known = texts(read_question(question, LONGEST).words) | _LEAD
    start, end = first.start, first.end
    while start < end - 1 and _is_known(reading.words[start], known, reading.language):
        start += 1
    while end - 1 > start and _is_known(reading.words[end - 1], known, reading.language):
        end -= 1
    return "".join((word.gap if at else "") + word.shown for at, word in enumerate(reading.words[start:end]))


def _is_known(word: Word, known: frozenset[str], language: Language) -> bool:
    return word.plain in known and language.phrases.get((word.text,)) is not Sense.CONJUNCTION
