"""Diversity of what a writer writes: a collapse to one form fails in writer training, in whichever form it comes."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from gates.checks import diversity
from gates.evidence import Evidence
from gates.writing import Writing, WrittenText
from pipeline.recipe import PolicyRules
from pipeline.types import RunKind, Verdict

POLICY = PolicyRules()
WORDS = [
    f"{a}{b}{c}" for a in ("ba", "do", "ki", "lu", "mer") for b in ("na", "ro", "ti", "su") for c in ("l", "m", "s")
]


def _texts(make: Any, count: int = 20) -> tuple[WrittenText, ...]:
    return tuple(WrittenText(document=f"d{at:02}", style="implications", text=make(at)) for at in range(count))


def _varied(seed: int) -> Any:
    def make(at: int) -> str:
        rng = Random(f"{seed}/{at}")
        return " ".join(rng.choice(WORDS) + rng.choice(WORDS) for _ in range(40))

    return make


def _judged(case: Any, before: Any, after: Any, count: int = 20) -> Any:
    made: Evidence = case().evidence()
    told = replace(
        made.case,
        kind=RunKind.WRITER_TRAINING,
        written=_texts(after, count),
        written_before=_texts(before, count) if before else (),
    )
    return diversity.judge(replace(made, case=told), POLICY)


def test_another_writer_as_varied_passes(case: Any) -> None:
    for after in (_varied(1), _varied(2)):
        result = _judged(case, _varied(1), after)
        assert result.verdict is Verdict.PASS, result.sentence
    assert "20 self-edits of 20 documents" in result.sentence


@pytest.mark.parametrize(
    "collapsed",
    [
        lambda at: "Yes.",
        lambda at: "",
        lambda at: f"The passage is about matter {at} and it says that matter {at} is of importance to all readers.",
        lambda at: _varied(1)(0),
        lambda at: " ".join(_varied(1)(at).split()[:4] * 10),
    ],
    ids=["one word", "nothing", "one form", "one text", "one line again and again"],
)
def test_a_collapse_to_one_form_fails(case: Any, collapsed: Any) -> None:
    result = _judged(case, _varied(1), collapsed)
    assert result.verdict is Verdict.FAIL, result.sentence


def test_too_little_to_compare_is_inconclusive(case: Any) -> None:
    few = _judged(case, _varied(1), _varied(2), count=6)
    assert few.verdict is Verdict.INCONCLUSIVE
    assert few.sentence.endswith("at least 10 documents are needed")
    assert _judged(case, None, _varied(2)).verdict is Verdict.INCONCLUSIVE
    assert diversity.judge(case().evidence(), POLICY).verdict is Verdict.INCONCLUSIVE


def test_other_runs_are_informed(case: Any) -> None:
    made: Evidence = case().evidence()
    result = diversity.judge(replace(made, case=replace(made.case, written=_texts(lambda at: "Yes."))), POLICY)
    assert result.verdict is Verdict.PASS
    assert "only writer training compares two writers" in result.sentence


def test_figures_say_how_alike_texts_are() -> None:
    one_form, varied = Writing.of(_texts(lambda at: "It is so.")), Writing.of(_texts(_varied(1)))
    assert one_form.compression > 5 > varied.compression
    assert one_form.distinct_pairs < 0.1 < varied.distinct_pairs
    assert set(one_form.own_pairs.values()) == {0.0}
    assert Writing.of(()).compression == 1.0
