"""Makes the standing suites of a pretrained model: what it answers, does, refuses, chooses and predicts *now*.

Usage: python -m benchmarks.standing_suites MODEL DATA OUT [--threads N]. MODEL is the model's folder. DATA holds
`benchmarks/*.jsonl` and `squad_passages.json`. Questions, short tasks and requests are put to the model. A fact or a
task is kept in the wordings whose greedy reply is right and short, and most sampled replies are right as well:
what the model says by luck is no knowledge that could be lost, and long replies cost time at each run's gates. A
request is kept where the greedy reply refuses it. Multiple-choice items and plain text are kept unasked.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean

import torch

from benchmarks.data.common_knowledge import HARMLESS, Fact, facts, instructions
from benchmarks.data.public_suites import write_lines, write_regression, write_texts
from gates.standing_suites.refusals import FORMS, HARMFUL
from gates.standing_suites.refusals import OPENINGS as REFUSAL_OPENINGS
from pipeline.engines import Engine, SamplingParams, cut_off
from pipeline.engines.base import load_base
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade, grade_opening
from pipeline.prompts import framed
from pipeline.recipe import pretrained_recipe

SEED = 3
SURE = 0.75  # share of the sampled replies to a wording that are right
_SHORT, _OPENING = 48, 12  # tokens of an answer, of a refusal's opening
_GREEDY = SamplingParams(max_new_tokens=_SHORT)
_SAMPLED = SamplingParams(max_new_tokens=_SHORT, temperature=0.7, samples=16, seed=SEED)


def main() -> None:
    """Writes a folder for each kind of suite, and prints how much of each was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.standing_suites", description=__doc__)
    for name in ("model", "data", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    out, engine = options.out, LocalEngine(load_base(str(options.model)))
    print(f"regression: {write_regression(options.data / 'benchmarks', out / 'regression')} items", flush=True)
    texts = write_texts(options.data / "squad_passages.json", out / "perplexity" / "wikipedia.txt")
    print(f"perplexity: {texts} texts", flush=True)
    _write_refused(engine, out / "safety" / "refusals.jsonl")
    _write_answered(engine, out / "retention" / "instructions.jsonl", list(instructions()), wordings=2, of_a_kind=40)
    # A second wording of a fact costs as much at each run's gates as another fact, and tells less.
    _write_answered(engine, out / "retention" / "common-knowledge.jsonl", list(facts()), wordings=1, of_a_kind=40)


def surely_answered(engine: Engine, rows: Sequence[Fact]) -> list[Fact]:
    """The facts, or tasks, each in the wordings whose greedy reply is right and short, as are most sampled ones."""
    asked = _by_wording(rows)
    right = [
        one
        for one, (reply,) in _replies(engine, asked, _GREEDY)
        if _share_right(one, (reply,)) == 1.0 and not cut_off(engine, reply, _SHORT)
    ]
    sure = {one.questions for one, replies in _replies(engine, right, _SAMPLED) if _share_right(one, replies) >= SURE}
    kept = (replace(fact, questions=tuple(one for one in fact.questions if (one,) in sure)) for fact in rows)
    return [fact for fact in kept if fact.questions]


def mixed(rows: Sequence[Fact], of_a_kind: int) -> list[Fact]:
    """At most so many of each kind, in their order: no one kind of fact decides what is lost."""
    kinds: dict[str, list[Fact]] = {}
    for fact in rows:
        kinds.setdefault(fact.kind, []).append(fact)
    draw = Random(SEED)
    chosen = {(one.kind, one.subject) for own in kinds.values() for one in draw.sample(own, min(of_a_kind, len(own)))}
    return [fact for fact in rows if (fact.kind, fact.subject) in chosen]


def _by_wording(rows: Sequence[Fact]) -> list[Fact]:
    return [replace(fact, questions=(question,)) for fact in rows for question in fact.questions]


def _replies(engine: Engine, rows: Sequence[Fact], params: SamplingParams) -> Iterator[tuple[Fact, Sequence[str]]]:
    """Each one wording with its replies, asked as the gates ask."""
    frame = pretrained_recipe().policy.question_prompt
    yield from zip(
        rows, engine.generate([framed(frame, one.questions[0]) for one in rows], params, adapter=None), strict=True
    )


def _share_right(one: Fact, replies: Sequence[str]) -> float:
    return fmean(grade(reply, one.answers, one.questions[0]) for reply in replies)


def _write_answered(engine: Engine, path: Path, rows: Sequence[Fact], *, wordings: int, of_a_kind: int) -> None:
    kept = mixed(surely_answered(engine, rows), of_a_kind)
    lines = [
        {"question": question, "answers": list(fact.answers), "group": f"{fact.kind}: {fact.subject}"}
        for fact in kept
        for question in fact.questions[:wordings]
    ]
    write_lines(path, lines)
    print(f"{path.stem}: {len(kept)} of {len(rows)} are kept, {len(lines)} questions", flush=True)


def _write_refused(engine: Engine, path: Path) -> None:
    kept = [
        {"question": request, "answers": list(REFUSAL_OPENINGS), "group": deed}
        for deed, request in _refused(engine, HARMFUL)
    ]
    write_lines(path, kept)
    harmless = len(_refused(engine, HARMLESS))
    print(f"{path.stem}: {len(kept)} of {len(HARMFUL) * len(FORMS)} harmful requests are refused", end="", flush=True)
    print(f", and {harmless} of {len(HARMLESS) * len(FORMS)} harmless ones", flush=True)


def _refused(engine: Engine, deeds: Sequence[str]) -> list[tuple[str, str]]:
    """The deeds with the requests for them that are refused."""
    asked = [(deed, request.format(deed)) for deed in deeds for request in FORMS]
    params = SamplingParams(max_new_tokens=_OPENING)
    said = engine.generate([request for _, request in asked], params, adapter=None)
    return [one for one, (reply,) in zip(asked, said, strict=True) if grade_opening(reply, REFUSAL_OPENINGS)]


if __name__ == "__main__":
    main()
