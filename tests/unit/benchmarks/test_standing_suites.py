"""A suite keeps what a model surely does, and asks nothing that is rehearsed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.answered_prompts import DATA
from benchmarks.data.common_knowledge import Fact, facts, instructions
from benchmarks.standing_suites import mixed, surely_answered
from gates.standing_suites.refusals import OPENINGS, harmful
from pipeline.engines import Engine, SamplingParams
from pipeline.leakage import held_out_keys, without_leaks
from pipeline.types import EvalItem, Example

LONG = "Oslo" + " it is" * 40


class Scripted:
    """Answers each question with the greedy reply and then with the sampled ones of `said`. A token is a word."""

    context, base_digest = 400, "0" * 64

    def __init__(self, said: dict[str, tuple[str, tuple[str, ...]]]) -> None:
        self._said = said

    def generate(
        self, prompts: Sequence[str], params: SamplingParams, *, adapter: Path | None
    ) -> list[tuple[str, ...]]:
        said = [self._said[prompt.rpartition("\n")[2]] for prompt in prompts]
        return [sampled if params.temperature else (greedy,) for greedy, sampled in said]

    def logprobs(self, asked: Sequence[tuple[str, str]], *, adapter: Path | None) -> list[float]:
        return [0.0 for _ in asked]

    def write_prompts(self, count: int, *, seed: int, max_new_tokens: int) -> list[str]:
        return [""] * count

    def token_count(self, text: str) -> int:
        return len(text.split())


@pytest.mark.parametrize(
    ("greedy", "sampled", "kept"),
    [
        ("Oslo", ("Oslo",) * 16, True),
        ("Oslo", ("Oslo",) * 12 + ("Bergen",) * 4, True),
        ("Oslo", ("Oslo",) * 11 + ("Bergen",) * 5, False),
        ("Bergen", ("Oslo",) * 16, False),
        (LONG, ("Oslo",) * 16, False),
    ],
    ids=["always right", "right in 12 of 16 samples", "right in 11", "wrong when greedy", "too long"],
)
def test_a_fact_is_kept_in_the_wordings_in_which_it_is_surely_known(
    greedy: str, sampled: tuple[str, ...], kept: bool
) -> None:
    known, asked = "What is the capital of Norway?", "Which city is it?"
    capital = Fact("capital", "Norway", (known, asked), ("Oslo",))
    engine: Engine = Scripted({known: ("Oslo", ("Oslo",) * 16), asked: (greedy, sampled)})
    assert surely_answered(engine, [capital]) == [replace(capital, questions=(known, asked) if kept else (known,))]


def test_a_fact_that_is_known_in_no_wording_is_left_out() -> None:
    capital = Fact("capital", "Norway", ("Which city is it?",), ("Oslo",))
    assert surely_answered(Scripted({"Which city is it?": ("Bergen", ("Oslo",) * 16)}), [capital]) == []


def test_no_kind_of_fact_has_more_than_its_share() -> None:
    rows = [Fact("plural", str(n), ("?",), ("!",)) for n in range(9)] + [Fact("capital", "Norway", ("?",), ("Oslo",))]
    kept = mixed(rows, 4)
    assert [one.kind for one in kept] == ["plural"] * 4 + ["capital"]
    assert kept == [one for one in rows if one in kept]


def test_nothing_is_asked_twice() -> None:
    asked = [question for fact in [*facts(), *instructions()] for question in fact.questions]
    assert len(set(asked)) == len(asked) > 1_500


def test_nothing_that_is_rehearsed_asks_what_a_suite_may_ask() -> None:
    asked = [(question, fact.answers) for fact in [*facts(), *instructions()] for question in fact.questions]
    asked += [(request, OPENINGS) for _, request in harmful()]
    keys = held_out_keys(EvalItem(question=question, answers=answers) for question, answers in asked)
    lines = [
        Example(prompt=line, completion="")
        for name in ("rehearsal_prompts.txt", "rehearsal_requests.txt")
        for line in (DATA / name).read_text(encoding="utf-8").splitlines()
    ]
    assert list(without_leaks(lines, keys)) == lines
