"""Reads a local lm-eval task file: data only. Whatever could run code or reach the network is refused here.

Knows no model and does not import lm-eval; `gates.measure` hands it the configuration that was read.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gates.wording import visible
from pipeline.digests import digest_of
from pipeline.errors import BadDataFile
from pipeline.nesting import json_of, whole_characters

METRICS = frozenset({"acc", "acc_norm", "exact_match"})
OUTPUTS = frozenset({"generate_until", "multiple_choice"})
_IGNORED = frozenset({"dataset_path", "dataset_name", "dataset_kwargs", "tag", "task_alias", "metadata", "group"})
_DATA = frozenset({"task", "output_type", "test_split", "validation_split", "fewshot_split", "training_split"})
_PROMPT = frozenset({"doc_to_text", "doc_to_target", "doc_to_choice", "description", "target_delimiter"})
_FEWSHOT = frozenset({"fewshot_delimiter", "fewshot_config", "num_fewshot"})
_SCORING = frozenset({"metric_list", "generation_kwargs", "filter_list", "repeats", "should_decontaminate"})
_PASSED = _DATA | _PROMPT | _FEWSHOT | _SCORING
_GREEDY = {"do_sample": (False,), "temperature": (0, 0.0), "num_beams": (1,)}


@dataclass(frozen=True, kw_only=True)
class TaskItem:
    """One item of a task: its data as canonical JSON, the rendered question, and the group it is clustered by."""

    data: str
    question: str
    group: str

    @cached_property
    def id(self) -> str:
        return digest_of("item", self.data)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One lm-eval task: its configuration and its splits as canonical JSON, and the metric that scores items.

    plain: whether it is asked as the lm-eval command asks, and not in the model's chat template.
    """

    name: str
    metric: str
    config: str
    splits: tuple[tuple[str, str], ...]
    split: str
    items: tuple[TaskItem, ...]
    plain: bool = False

    @cached_property
    def digest(self) -> str:
        plain = ("plain",) if self.plain else ()
        return digest_of("task", self.metric, self.config, self.splits, *plain)


@dataclass(frozen=True, kw_only=True)
class TaskSource:
    """A task of the installed lm-eval by name, and where its rows come from: `data`, or None for the datasets cache.

    limit: how many items are asked, the first ones; 0: all.
    """

    name: str
    data: Path | None = None
    limit: int = 0


@dataclass(frozen=True, kw_only=True)
class StandardTask:
    """A task of the installed lm-eval: its items hold what is asked, word for word, and what counts as right."""

    source: TaskSource
    metric: str
    items: tuple[TaskItem, ...]

    @property
    def name(self) -> str:
        return self.source.name

    @cached_property
    def digest(self) -> str:
        return digest_of("standard task", self.metric, [item.data for item in self.items])


def read_task(path: Path, *, plain: bool = False) -> Task:
    """Reads one task file with its data files. Raises BadDataFile, naming the file and what to change."""
    config = _load(path)
    _refuse_unknown(path, config)
    _refuse_sampling(path, config)
    split = config.get("test_split") or config.get("validation_split")
    splits = {name: _each_once(items) for name, items in _read_splits(path, config).items()}
    if not isinstance(split, str) or not splits.get(split):
        raise BadDataFile(f"{path}: test_split must name one of the data files {sorted(splits)}, with items in it.")
    metric = _metric(path, config)
    name = str(config.get("task", path.stem))
    passed = {key: value for key, value in config.items() if key in _PASSED}
    return Task(
        name=name,
        metric=metric,
        config=_canonical(path, {**passed, "task": name}),
        splits=tuple((name, _canonical(path, items)) for name, items in sorted(splits.items())),
        split=split,
        items=_items(path, config, splits[split]),
        plain=plain,
    )


class _Sandbox(ImmutableSandboxedEnvironment):
    """A template reaches data and nothing else, and raises nothing to a power: that can take for ever."""

    intercepted_binops = frozenset({"**"})

    def call_binop(self, context: object, operator: str, left: object, right: object) -> object:
        raise SecurityError(f"{operator} is refused: a power can take for ever to compute")


def sandbox() -> ImmutableSandboxedEnvironment:
    """A Jinja environment with lm-eval's settings for a template that nobody has vouched for."""
    environment = _Sandbox(undefined=StrictUndefined, keep_trailing_newline=True)
    for name in ("lipsum", "cycler"):
        del environment.globals[name]
    del environment.filters["random"]  # a question is the same each time that it is read
    environment.filters["regex_replace"] = lambda text, pattern, new, count=0: re.sub(pattern, new, text, count=count)
    return environment


def _load(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise BadDataFile(f"{path} is not plain YAML: {error}. Tags such as !function are refused.") from error
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise BadDataFile(f"{path} must hold one lm-eval task: keys, which are texts, and values.")
    return config


def _refuse_unknown(path: Path, config: Mapping[str, Any]) -> None:
    if config.get("dataset_path") != "json":
        raise BadDataFile(f"{path}: dataset_path must be json, with local data_files. Nothing is downloaded here.")
    unknown = sorted(set(config) - _PASSED - _IGNORED)
    if unknown:
        raise BadDataFile(f"{path}: {_named(unknown)} is refused: it can run code or pull in other files.")
    output = config.get("output_type", "generate_until")
    if not isinstance(output, str) or output not in OUTPUTS:
        raise BadDataFile(f"{path}: output_type must be one of {', '.join(sorted(OUTPUTS))}.")
    if config.get("repeats", 1) != 1:
        raise BadDataFile(f"{path}: repeats must be 1: answers are greedy, so repetitions add nothing.")


def _named(keys: Sequence[str]) -> str:
    return ", ".join(visible(key, 60) for key in keys)


def _table(path: Path, config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The keys and values under `key`; none where it is left out."""
    found = config.get(key) or {}
    if not isinstance(found, dict):
        raise BadDataFile(f"{path}: {key} must hold keys and values.")
    return found


def _refuse_sampling(path: Path, config: Mapping[str, Any]) -> None:
    settings = _table(path, config, "generation_kwargs")
    for key, allowed in _GREEDY.items():
        if key in settings and settings[key] not in allowed:
            raise BadDataFile(f"{path}: generation_kwargs.{key} must be {allowed[0]}: gates compare greedy answers.")


def _metric(path: Path, config: Mapping[str, Any]) -> str:
    default = "acc" if config.get("output_type") == "multiple_choice" else "exact_match"
    entries = config.get("metric_list") or [{"metric": default}]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadDataFile(f"{path}: metric_list must be a list, each entry with the key metric.")
    metrics = [str(entry.get("metric")) for entry in entries]
    if any(entry.get("hf_evaluate") for entry in entries):
        raise BadDataFile(f"{path}: metric_list: hf_evaluate is refused: it downloads code. Leave it out.")
    if not metrics or not set(metrics) <= METRICS:
        raise BadDataFile(f"{path}: metric_list may hold {', '.join(sorted(METRICS))}: they score each item by itself.")
    return str(metrics[0])


def _read_splits(path: Path, config: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    files = _table(path, config, "dataset_kwargs").get("data_files")
    if not isinstance(files, dict) or not files or not all(isinstance(name, str) for name in files.values()):
        raise BadDataFile(f"{path}: dataset_kwargs.data_files must map each split to one file, as test: items.jsonl.")
    return {str(split): _read_items(path, name) for split, name in files.items()}


def _read_items(path: Path, name: str) -> list[dict[str, Any]]:
    folder = path.parent.resolve()
    try:
        file = (folder / name).resolve()
    except ValueError as error:
        raise BadDataFile(f"{path}: {name!r} is no name of a file. Name one that lies beside the task file.") from error
    if not file.is_relative_to(folder):
        raise BadDataFile(f"{path}: the data file {name} lies outside {folder}. Put it beside the task file.")
    try:
        # Not by `splitlines`, which also parts a text at U+2028.
        items = [json_of(line) for line in file.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        raise BadDataFile(f"{file} cannot be read as JSON lines: {error}. Write one object a line.") from error
    if not all(isinstance(item, dict) for item in items):
        raise BadDataFile(f"{file} must hold one JSON object a line.")
    return items


def _each_once(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({json.dumps(item, sort_keys=True): item for item in items}.values())


def _items(path: Path, config: Mapping[str, Any], items: list[dict[str, Any]]) -> tuple[TaskItem, ...]:
    text = config.get("doc_to_text")
    if not isinstance(text, str):
        raise BadDataFile(f"{path}: doc_to_text must be a template or the name of a field.")
    questions = _rendered(path, text, items)
    return tuple(
        TaskItem(data=_canonical(path, item), question=question, group=str(item.get("group", "")))
        for item, question in zip(items, questions, strict=True)
    )


def _rendered(path: Path, text: str, items: list[dict[str, Any]]) -> list[str]:
    """The question of each item. Whatever a template raises, as it is compiled or computes, is a mistake in it."""
    try:
        template = sandbox().from_string(text)
        questions = [str(item[text] if text in item else template.render(**item)) for item in items]
        whole_characters(questions)
    except Exception as error:
        raise BadDataFile(f"{path}: doc_to_text does not render: {error}. Name only fields of every item.") from error
    return questions


def _canonical(path: Path, value: object) -> str:
    try:
        whole_characters(value)
        return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadDataFile(f"{path} holds a value that is not plain JSON: {error}.") from error
