"""Suites of what others wrote: multiple-choice items of public benchmarks, paragraphs of Wikipedia. Asks no model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import yaml

from benchmarks.real.passages import halves, usable
from pipeline.documents import clean_text

ITEMS = {"piqa": 150, "arc_easy": 170, "openbookqa": 110}
_LONGEST = 240  # characters of an item's question and choices
_PASSAGES, _LENGTHS, _SEED = 4, (300, 850), 15  # passages of a title, their characters, and the draw


def write_regression(benchmarks: Path, folder: Path) -> int:
    """The first short items of each benchmark in ITEMS, as lm-eval tasks over local data. Returns how many."""
    written = 0
    for name, count in ITEMS.items():
        items = map(json.loads, (benchmarks / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
        short = [one for one in items if len(one["question"]) + sum(map(len, one["choices"])) <= _LONGEST]
        write_lines(folder / f"{name}.jsonl", short[:count])
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(_task(name), sort_keys=False), encoding="utf-8")
        written += len(short[:count])
    return written


def write_texts(data: Path, path: Path) -> int:
    """Passages of the titles that recipes are chosen on, never of those that benchmarks report. Returns how many."""
    passages, draw = json.loads(data.read_text(encoding="utf-8")), Random(_SEED)
    found = (usable(passages, title, _LENGTHS) for title in halves(passages)[0])
    chosen = [one for own in found for one in draw.sample(own, min(_PASSAGES, len(own)))]
    texts = [" ".join(clean_text(str(one["context"])).split()) for one in chosen]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return len(texts)


def write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """A JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _task(name: str) -> dict[str, object]:
    return {
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
