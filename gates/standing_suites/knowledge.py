"""What a model surely knows: questions that it writes itself, and answers alike closed book, in each of its samples."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from gates.standing_suites import quizzes
from gates.standing_suites.asking import KeptEngine
from gates.standing_suites.refusals import OPENINGS
from pipeline.engines import SamplingParams, cut_off
from pipeline.grading import grade, grade_opening, normalise

SAMPLES = 4  # that must all be alike, beside the greedy reply
WORDINGS = ("{}", "Please tell me: {}", "{} Answer in a few words.")
_WRITTEN, _COPIES, _PROMPTS = 128, 8, 96  # tokens and lists of each kind, prompts of its own: of one round
_PROMPT_TOKENS, _REPLY, _LONGEST_ANSWER = 32, 24, 4
_USUAL = 0.03  # share of the replies from which a word in them says nothing about the question
_TEMPERATURE = 0.5  # a model of a hundred million parameters says something else at 1 however sure it is
_SEED = 11


@dataclass(frozen=True)
class Fact:
    """A question of the model's, its answer, and the wordings of it that are surely answered so."""

    question: str
    answer: str
    wordings: tuple[str, ...]

    @property
    def asked(self) -> tuple[str, ...]:
        """The question in each of its wordings."""
        return tuple(wording.format(self.question) for wording in self.wordings)


def questions(kept: KeptEngine, number: int, *, lists: bool) -> list[str]:
    """What the model asks in one round: in lists of questions and answers, or as a user whose turn is empty."""
    if not lists:
        return [one for one in prompts(kept, number) if quizzes.usable(one)]
    params = SamplingParams(max_new_tokens=_WRITTEN, temperature=1.0, top_p=0.9, samples=_COPIES, seed=number)
    said = kept.continued(quizzes.openings(number), params)
    return quizzes.questions([text for copies in said for text in copies])


def prompts(kept: KeptEngine, number: int) -> list[str]:
    """What the model asks as a user in one round."""
    return list(dict.fromkeys(kept.prompts(_PROMPTS, _SEED + 1_000 * number, _PROMPT_TOKENS)))


def surely_known(kept: KeptEngine, asked: Sequence[str]) -> list[Fact]:
    """The questions that are answered shortly and alike in every sample, in each wording where they are."""
    replies = dict(zip(asked, (said for (said,) in _replies(kept, asked, 1)), strict=True))
    usual = _usual(list(replies.values()))
    short = [one for one, said in replies.items() if _whole(kept, said)]
    sampled = _replies(kept, short, SAMPLES)
    found = [
        Fact(question, answer, WORDINGS[:1])
        for question, said in zip(short, sampled, strict=True)
        if (answer := _shared(question, (replies[question], *said), usual))
    ]
    others = [replace(fact, wordings=WORDINGS[1:]) for fact in found]
    more = {one.question: one.wordings for one in _right(kept, list(_right(kept, others, 1)), SAMPLES)}
    return [replace(fact, wordings=(*fact.wordings, *more.get(fact.question, ()))) for fact in found]


def same(question: str) -> str:
    """By what a question is known to be one that was asked before."""
    return normalise(question)


def _replies(kept: KeptEngine, asked: Sequence[str], samples: int) -> list[tuple[str, ...]]:
    """Greedy ones where one is wanted."""
    temperature = 0.0 if samples == 1 else _TEMPERATURE
    params = SamplingParams(max_new_tokens=_REPLY, temperature=temperature, samples=samples, seed=_SEED)
    return kept.answers(asked, params)


def _whole(kept: KeptEngine, said: str) -> bool:
    """Whether a reply is short, ends by itself, and is no refusal: those are another suite's."""
    return bool(said.strip()) and not cut_off(kept.engine, said, _REPLY) and not grade_opening(said, OPENINGS)


def _usual(replies: Sequence[str]) -> frozenset[str]:
    """Words that stand in so many replies that they answer nothing ("the", "is", "answer")."""
    counts = Counter(word for said in replies for word in set(normalise(said).split()))
    return frozenset(word for word, count in counts.items() if count > max(3, _USUAL * len(replies)))


def _shared(question: str, said: Sequence[str], usual: frozenset[str]) -> str:
    """The longest run of words of the first reply that all replies hold, and the question does not; "" if none does."""
    held = set.intersection(*(set(normalise(one).split()) for one in said)) - set(normalise(question).split()) - usual
    runs = [" ".join(run) for telling, run in groupby(normalise(said[0]).split(), held.__contains__) if telling]
    answer = max(runs, key=lambda run: len(run.split()), default="")
    short = 0 < len(answer.split()) <= _LONGEST_ANSWER
    return answer if short and all(grade(one, (answer,), question) == 1.0 for one in said) else ""


def _right(kept: KeptEngine, facts: Sequence[Fact], samples: int) -> Iterator[Fact]:
    """The facts in those of their wordings that are answered right: greedily, or in all of several samples."""
    asked = [(fact.question, wording) for fact in facts for wording in fact.wordings]
    replies = _replies(kept, [wording.format(question) for question, wording in asked], samples)
    said = dict(zip(asked, replies, strict=True))
    for fact in facts:
        right = tuple(
            wording
            for wording in fact.wordings
            if all(grade(one, (fact.answer,), fact.question) == 1.0 for one in said[fact.question, wording])
        )
        if right:
            yield replace(fact, wordings=right)
