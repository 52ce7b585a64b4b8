"""Which answers does a run cost: those that the base gives every time, or those that it gives most times?

Usage: python -m benchmarks.real.sureness --data squad_passages.json [--asked 900]

Common facts and short tasks are drawn, and those kept that the base answers rightly. Each is sampled sixteen times, by
another seed than the one that suites are made with, so that no question is in a band by luck. Then an adapter of the
recipe and one of the passages alone, which ruins a model, answer them greedily.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from benchmarks.data.common_knowledge import Fact, facts, instructions
from benchmarks.figures import RESULTS, Measured, write_results
from benchmarks.learning.intervals import by_group, interval, mean
from benchmarks.real.arms import Room, default, passage_only, train
from benchmarks.real.exams import replies
from benchmarks.real.passages import CHOOSING, runs_of
from benchmarks.real.setting import Setting, read_setting
from benchmarks.standing_suites import by_wording, share_right
from pipeline.engines import SamplingParams, cut_off
from pipeline.engines.local import LocalEngine
from pipeline.prompts import framed

RUN_SEED, DRAWN_SEED, SAMPLED_SEED = 71_001, 5, 6
_SAMPLES = 16
_SAMPLED = SamplingParams(max_new_tokens=48, temperature=0.7, samples=_SAMPLES, seed=SAMPLED_SEED)
# At least so many of sixteen sampled replies are right, and fewer than in the band before.
BANDS = (16, 15, 12, 8, 0)


@dataclass(frozen=True)
class Question:
    """A question that the base answers rightly, and how many of its sampled replies are right."""

    fact: Fact
    prompt: str
    right: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON file of passages with questions")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--asked", type=int, default=900, help="questions that are drawn")
    parser.add_argument("--quick", action="store_true", help="ask 90")
    parser.add_argument("--out", type=Path, default=RESULTS / "real-sureness.json")
    options = parser.parse_args()
    options.asked = 90 if options.quick else options.asked
    setting = read_setting(options.model)
    questions = known(setting, options.asked)
    print(f"{len(questions)} of {options.asked} questions are answered rightly", flush=True)
    figures: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="sealed-sureness-") as name:
        room = Room(
            base=setting.base,
            recipe=setting.recipe,
            prompts=setting.prompts,
            documents=runs_of(options.data, RUN_SEED, 1, CHOOSING)[0],
            cache=Path(name),
        )
        for arm, lesson in (("the recipe", default), ("the passages alone", passage_only)):
            adapter = Path(name) / arm.replace(" ", "-")
            train(setting.base, lesson(room), adapter, RUN_SEED)
            figures += lost(arm, questions, _grades(setting, questions, adapter))
            write_results("real.sureness", figures, options.out)


def known(setting: Setting, asked: int) -> tuple[Question, ...]:
    """Of so many questions drawn those that the base answers rightly and shortly, sampled."""
    every = by_wording([*facts(), *instructions()])
    drawn = Random(DRAWN_SEED).sample(every, min(asked, len(every)))
    frame = setting.recipe.policy.question_prompt
    found = [Question(fact, framed(frame, fact.questions[0]), 0) for fact in drawn]
    said = replies(setting.base, [one.prompt for one in found], None)
    engine = LocalEngine(setting.base)
    right = [
        one
        for one, reply in zip(found, said, strict=True)
        if share_right(one.fact, (reply,)) and not cut_off(engine, reply, _SAMPLED.max_new_tokens)
    ]
    sampled = engine.generate([one.prompt for one in right], _SAMPLED, adapter=None)
    return tuple(
        replace(one, right=round(_SAMPLES * share_right(one.fact, replied)))
        for one, replied in zip(right, sampled, strict=True)
    )


def lost(arm: str, questions: Sequence[Question], grades: Sequence[float]) -> Iterator[Measured]:
    """Which share of each band an adapter no longer answers rightly, with 95 % intervals."""
    for place, least in enumerate(BANDS):
        below = BANDS[place - 1] if place else _SAMPLES + 1
        band = [
            (one.fact, 1.0 - grade) for one, grade in zip(questions, grades, strict=True) if least <= one.right < below
        ]
        if band:
            by_fact = by_group([one for _, one in band], [f"{fact.kind}: {fact.subject}" for fact, _ in band])
            name = f"lost by {arm}: {least} to {below - 1} of {_SAMPLES} sampled replies right"
            yield Measured(name=name, value=mean(by_fact), unit="share", n=len(band), interval=interval(by_fact))


def _grades(setting: Setting, questions: Sequence[Question], adapter: Path | None) -> list[float]:
    said = replies(setting.base, [one.prompt for one in questions], adapter)
    return [share_right(one.fact, (reply,)) for one, reply in zip(questions, said, strict=True)]


if __name__ == "__main__":
    main()
