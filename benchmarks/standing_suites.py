"""Makes the standing suites of a pretrained model: what it answers, obeys, refuses and chooses rightly *now*.

Usage: python -m benchmarks.standing_suites MODEL_FOLDER DATA_FOLDER OUT [--threads N]. Questions, short tasks
and requests are put to the model greedily; what it does rightly is kept: a suite shows what is lost. A fact is kept
where every wording is answered rightly and shortly, since long answers cost time at each run's gates. Multiple-choice
items are the first short ones of each public file, as lm-eval tasks over local data; plain text is Wikipedia's.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import torch
import yaml

from benchmarks.data.common_knowledge import (
    HARMFUL,
    HARMLESS,
    REFUSAL_OPENINGS,
    REQUESTS,
    Fact,
    facts,
    instructions,
)
from benchmarks.real.passages import halves, usable
from pipeline.documents import clean_text
from pipeline.engines import SamplingParams
from pipeline.engines.base import load_base
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade, grade_opening
from pipeline.prompts import framed
from pipeline.recipe import pretrained_recipe

ITEMS = {"piqa": 150, "arc_easy": 170, "openbookqa": 110}
_LONGEST = 240  # characters of an item's question and choices
_SHORT, _OPENING = 32, 12  # tokens of an answer, of a refusal's opening
_TEXTS, _LENGTHS, _SEED = 4, (300, 850), 15  # plain text: passages of a title, their characters, and the draw

Row = Mapping[str, object]


def main() -> None:
    """Writes the folders of suites, and prints how much of each was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "data", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    engine = LocalEngine(load_base(str(options.model)))
    for name, count in ITEMS.items():
        _write_choices(options.out / "regression", options.data / "benchmarks", name, count)
    _write_texts(options.data / "squad_passages.json", options.out / "perplexity" / "wikipedia.txt")
    _write_refused(engine, options.out / "safety" / "refusals.jsonl")
    _write_answered(engine, options.out / "retention" / "instructions.jsonl", list(instructions()))
    _write_answered(engine, options.out / "retention" / "common-knowledge.jsonl", list(facts()))


def _write_answered(engine: LocalEngine, path: Path, rows: Sequence[Fact]) -> None:
    """The questions in each wording, where every wording is answered rightly and ends in time."""
    frame = pretrained_recipe().policy.question_prompt
    asked = [question for fact in rows for question in fact.questions]
    said = dict(zip(asked, _say(engine, [framed(frame, question) for question in asked], _SHORT), strict=True))
    right = [fact for fact in rows if all(grade(said[one], fact.answers, one) for one in fact.questions)]
    short = [fact for fact in right if all(engine.token_count(said[one]) < _SHORT for one in fact.questions)]
    kept = [
        {"question": question, "answers": list(fact.answers), "group": f"{fact.kind}: {fact.subject}"}
        for fact in short
        for question in fact.questions
    ]
    _write_lines(path, kept)
    print(f"{path.stem}: {len(right)} of {len(rows)} right in every wording; {len(short)} answered shortly are kept")


def _write_refused(engine: LocalEngine, path: Path) -> None:
    kept = [
        {"question": request, "answers": list(REFUSAL_OPENINGS), "group": deed}
        for deed, request in _refusals(engine, HARMFUL)
    ]
    _write_lines(path, kept)
    harmless = len(list(_refusals(engine, HARMLESS)))
    print(
        f"refuses {len(kept)} of {len(HARMFUL) * len(REQUESTS)} harmful requests, and {harmless} of "
        f"{len(HARMLESS) * len(REQUESTS)} harmless ones"
    )


def _refusals(engine: LocalEngine, deeds: Sequence[str]) -> Iterator[tuple[str, str]]:
    asked = [(deed, request.format(deed)) for deed in deeds for request in REQUESTS]
    for one, reply in zip(asked, _say(engine, [request for _, request in asked], _OPENING), strict=True):
        if grade_opening(reply, REFUSAL_OPENINGS):
            yield one


def _say(engine: LocalEngine, prompts: Sequence[str], tokens: int) -> list[str]:
    said = engine.generate(prompts, SamplingParams(max_new_tokens=tokens), adapter=None)
    return [text for (text,) in said]


def _write_texts(data: Path, path: Path) -> None:
    """Passages of the titles that recipes are chosen on, never of those that benchmarks report."""
    passages, draw = json.loads(data.read_text(encoding="utf-8")), Random(_SEED)
    found = (usable(passages, title, _LENGTHS) for title in halves(passages)[0])
    chosen = [one for own in found for one in draw.sample(own, min(_TEXTS, len(own)))]
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = (" ".join(clean_text(str(one["context"])).split()) for one in chosen)
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")


def _write_choices(folder: Path, benchmarks: Path, name: str, count: int) -> None:
    lines = (benchmarks / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(line) for line in lines]
    short = [one for one in items if len(one["question"]) + sum(map(len, one["choices"])) <= _LONGEST]
    _write_lines(folder / f"{name}.jsonl", short[:count])
    _write_task(
        folder / f"{name}.yaml",
        {
            "output_type": "multiple_choice",
            "num_fewshot": 0,
            "doc_to_text": "{{question}}",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "{{label}}",
            "metric_list": [{"metric": "acc_norm", "aggregation": "mean", "higher_is_better": True}],
        },
    )


def _write_task(path: Path, rest: Row) -> None:
    task = {
        "task": f"local-{path.stem.replace('_', '-')}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": f"{path.stem}.jsonl"}},
        "test_split": "test",
        **rest,
        "metadata": {"version": 1.0},
    }
    path.write_text(yaml.safe_dump(task, sort_keys=False), encoding="utf-8")


def _write_lines(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
