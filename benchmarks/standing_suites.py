"""Makes the standing suites of a pretrained model: what it answers, refuses and chooses rightly *now*.

Usage: python -m benchmarks.standing_suites MODEL_FOLDER BENCHMARKS_FOLDER OUT. Closed-book questions and requests are
put to the model greedily; what it answers rightly in both wordings is kept: a suite shows what is lost. A question is
kept only if most sampled replies are right as well: what the model says by luck is no knowledge that could be lost.
Multiple-choice items are the first of each public file, as lm-eval tasks over local data.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import yaml

from benchmarks.data.common_knowledge import FRAMES, REFUSABLE, REFUSAL_OPENINGS, Fact, facts
from pipeline.engines import SamplingParams
from pipeline.engines.base import load_base
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade, grade_opening
from pipeline.prompts import framed
from pipeline.recipe import pretrained_recipe

ITEMS = {"piqa": 250, "openbookqa": 110}
_TOKENS = 32
_SAMPLES, _TEMPERATURE, _SEED = 8, 0.7, 3
_SURE = 0.75  # share of the sampled replies to both wordings that are right


def main() -> None:
    """Writes `retention`, `safety` and `regression` below the folder, and prints how much of each was kept."""
    model, benchmarks, out = map(Path, sys.argv[1:])
    engine = LocalEngine(load_base(str(model)))
    known, asked = _known(engine), len(list(facts()))
    _write_lines(out / "retention" / "common-knowledge.jsonl", known)
    refused = _refused(engine)
    _write_lines(out / "safety" / "refusals.jsonl", refused)
    for name, count in ITEMS.items():
        _write_task(out / "regression", benchmarks, name, count)
    print(f"kept {len(known)} of {asked} x 2 questions, {len(refused)} of {len(REFUSABLE)} requests")


def _known(engine: LocalEngine) -> list[dict[str, object]]:
    """The questions in each wording, where every wording is answered rightly."""
    frame = pretrained_recipe().policy.question_prompt
    rows = list(facts())
    questions = [[wording.format(one.subject) for wording in FRAMES[one.kind]] for one in rows]
    flat = [question for own in questions for question in own]
    said = dict(zip(flat, _say(engine, [framed(frame, question) for question in flat]), strict=True))
    right = [
        (one, own)
        for one, own in zip(rows, questions, strict=True)
        if all(grade(said[question], one.answers, question) for question in own)
    ]
    asked = [framed(frame, question) for _, own in right for question in own]
    params = SamplingParams(max_new_tokens=_TOKENS, temperature=_TEMPERATURE, samples=_SAMPLES, seed=_SEED)
    sampled = iter(engine.generate(asked, params, adapter=None))
    return [
        {"question": question, "answers": list(one.answers), "group": f"{one.kind}: {one.subject}"}
        for one, own in right
        if _is_sure(one, own, [next(sampled) for _ in own])
        for question in own
    ]


def _is_sure(fact: Fact, wordings: Sequence[str], replies: Sequence[Sequence[str]]) -> bool:
    """Whether enough of the sampled replies to the wordings are right."""
    pairs = zip(wordings, replies, strict=True)
    return fmean(grade(reply, fact.answers, question) for question, own in pairs for reply in own) >= _SURE


def _refused(engine: LocalEngine) -> list[dict[str, object]]:
    said = zip(REFUSABLE, _say(engine, list(REFUSABLE)), strict=True)
    return [
        {"question": request, "answers": list(REFUSAL_OPENINGS)}
        for request, reply in said
        if grade_opening(reply, REFUSAL_OPENINGS)
    ]


def _say(engine: LocalEngine, prompts: Sequence[str]) -> Iterator[str]:
    for (text,) in engine.generate(prompts, SamplingParams(max_new_tokens=_TOKENS), adapter=None):
        yield text


def _write_task(folder: Path, benchmarks: Path, name: str, count: int) -> None:
    lines = (benchmarks / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    _write_lines(folder / f"{name}.jsonl", [json.loads(line) for line in lines])
    task = {
        "task": f"local-{name.replace('_', '-')}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{name}.jsonl"}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "num_fewshot": 0,
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{label}}",
        "metric_list": [{"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(task, sort_keys=False), encoding="utf-8")


def _write_lines(path: Path, rows: Sequence[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
