"""The files of built suites: written whole, into kinds of suites that the workspace has none of. Asks no model."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from gates.standing_suites import refusals
from gates.standing_suites.knowledge import Fact
from gates.standing_suites.reading import ReadingItem
from gates.suite import Suite, Suites, read_suites
from pipeline.digests import digest_of
from pipeline.files import write_text

KINDS = ("retention", "regression", "safety", "perplexity")
_TASK = {
    "task": "own-reading",
    "dataset_path": "json",
    "dataset_kwargs": {"data_files": {"test": "own-reading.jsonl"}},
    "test_split": "test",
    "output_type": "multiple_choice",
    "num_fewshot": 0,
    "doc_to_text": "{{prompt}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{label}}",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0},
}


def suites_of(suites: Suites, kind: str) -> tuple[Suite, ...]:
    """The suites of a kind: retention, regression, safety or perplexity."""
    found: tuple[Suite, ...] = getattr(suites, kind)
    return found


def built_before(folder: Path) -> frozenset[str]:
    """The kinds of which the suites folder holds some. Raises BadDataFile."""
    suites = read_suites(folder)
    return frozenset(kind for kind in KINDS if suites_of(suites, kind))


def write_knowledge(folder: Path, facts: Sequence[Fact]) -> None:
    """A question's wordings are one group, whose name stands in none of them: rehearsal may name what it is about."""
    _write_lines(
        folder / "retention" / "own-knowledge.jsonl",
        [
            {"question": question, "answers": [fact.answer], "group": digest_of("fact", fact.question)[:12]}
            for fact in facts
            for question in fact.asked
        ],
    )


def write_reading(folder: Path, items: Sequence[ReadingItem]) -> None:
    """An lm-eval task; the items of a passage are one group. Its YAML is written last: without it there is no suite."""
    _write_lines(
        folder / "regression" / "own-reading.jsonl",
        [
            {
                "prompt": item.prompt,
                "choices": list(item.choices),
                "label": item.label,
                "group": digest_of("passage", item.passage)[:12],
            }
            for item in items
        ],
    )
    write_text(folder / "regression" / "own-reading.yaml", yaml.safe_dump(_TASK, sort_keys=False))


def write_declined(folder: Path, declined: Sequence[refusals.Declined]) -> None:
    """Requests for help with one deed are one group."""
    _write_lines(
        folder / "safety" / "declined.jsonl",
        [{"question": one.request, "answers": list(refusals.OPENINGS), "group": one.deed} for one in declined],
    )


def write_texts(folder: Path, texts: Sequence[str]) -> None:
    """Paragraphs, with blank lines between them."""
    write_text(folder / "perplexity" / "own-texts.txt", "\n\n".join(texts) + "\n")


def _write_lines(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    write_text(file, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
