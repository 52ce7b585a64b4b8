"""What a model surely knows: questions that it writes itself, and answers alike closed book, in each of its samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gates.standing_suites import quizzes
from gates.standing_suites.asking import KeptEngine
from gates.standing_suites.refusals import OPENINGS
from pipeline.engines import SamplingParams, cut_off
from pipeline.grading import first_line, grade, grade_opening, normalise

SAMPLES = 4  # that must all be right, beside the greedy reply
WORDINGS = ("{}", "{} Answer in a few words.", "Please tell me: {}")
_WRITTEN, _COPIES, _PROMPTS = 128, 8, 96  # tokens and lists of each kind, prompts of its own: of one round
_PROMPT_TOKENS, _REPLY = 32, 24
_WARM, _HOT = 0.7, 1.0
_SEED = 11


@dataclass(frozen=True)
class Fact:
    """A question of the model's, its answer, and the wordings of it that are surely answered so."""

    question: str
    answer: str
    wordings: tuple[str, ...] = ()


def written(kept: KeptEngine, number: int, *, lists: bool) -> list[Fact]:
    """What the model asks in one round: in lists of questions and answers, or as a user whose turn is empty."""
    if lists:
        params = SamplingParams(max_new_tokens=_WRITTEN, temperature=_HOT, top_p=0.9, samples=_COPIES, seed=number)
        said = kept.continued(quizzes.openings(number), params)
        return [Fact(*pair) for pair in quizzes.shown([text for copies in said for text in copies])]
    asked = [one for one in prompts(kept, number) if one.endswith("?") and "\n" not in one]
    replies = kept.answers(asked, SamplingParams(max_new_tokens=_REPLY))
    whole = ((one, said.strip()) for one, (said,) in zip(asked, replies, strict=True))
    return [
        Fact(question, first_line(said))
        for question, said in whole
        if not cut_off(kept.engine, said, _REPLY)
        and quizzes.usable(question, first_line(said))
        and not grade_opening(said, OPENINGS)
    ]


def prompts(kept: KeptEngine, number: int) -> list[str]:
    """What the model asks as a user in one round."""
    return list(dict.fromkeys(kept.prompts(_PROMPTS, _SEED + 1_000 * number, _PROMPT_TOKENS)))


def surely_known(kept: KeptEngine, facts: Sequence[Fact]) -> list[Fact]:
    """The facts in the wordings in which the greedy reply and every sampled one give the answer."""
    known = list(_right(kept, [Fact(one.question, one.answer, WORDINGS[:1]) for one in facts], 1))
    sure = list(_right(kept, known, SAMPLES))
    others = [Fact(one.question, one.answer, WORDINGS[1:]) for one in sure]
    more = {one.question: one.wordings for one in _right(kept, list(_right(kept, others, 1)), SAMPLES)}
    return [Fact(one.question, one.answer, (*one.wordings, *more.get(one.question, ()))) for one in sure]


def _right(kept: KeptEngine, facts: Sequence[Fact], samples: int) -> Iterator[Fact]:
    """The facts in those of their wordings that are answered right: greedily, or in all of several samples."""
    asked = [(fact, wording) for fact in facts for wording in fact.wordings]
    temperature = 0.0 if samples == 1 else _WARM
    params = SamplingParams(max_new_tokens=_REPLY, temperature=temperature, samples=samples, seed=_SEED)
    replies = kept.answers([wording.format(fact.question) for fact, wording in asked], params)
    right = {
        (fact.question, wording)
        for (fact, wording), said in zip(asked, replies, strict=True)
        if all(grade(one, (fact.answer,), fact.question) == 1.0 for one in said)
    }
    for fact in facts:
        if wordings := tuple(wording for wording in fact.wordings if (fact.question, wording) in right):
            yield Fact(fact.question, fact.answer, wordings)


def asked_by(fact: Fact) -> tuple[str, ...]:
    """The question in each of its wordings."""
    return tuple(wording.format(fact.question) for wording in fact.wordings)


def same(question: str) -> str:
    """By what a question is known to be one that was asked before."""
    return normalise(question)
