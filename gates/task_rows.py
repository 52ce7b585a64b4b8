"""The rows of a standard task: from a folder of files, or from the local datasets cache. Nothing is downloaded here."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets

from gates.tasks import TaskSource
from pipeline.errors import BadDataFile, TaskDataMissing

Rows = Mapping[str, datasets.Dataset]


def given_rows(source: TaskSource, config: Mapping[str, Any]) -> Rows:
    """The rows by split, of DATA/NAME/SPLIT.jsonl; DATA/NAME.jsonl is the split that is asked.

    Raises TaskDataMissing, BadDataFile.
    """
    folder, asked = source.data or Path(), str(config.get("test_split") or config.get("validation_split"))
    files = {file.stem: file for file in sorted((folder / source.name).glob("*.jsonl"))}
    if asked not in files and (alone := folder / f"{source.name}.jsonl").is_file():
        files[asked] = alone
    if not files:
        raise TaskDataMissing(
            f"{folder} has no rows of the task {source.name}. Put them into {source.name}/{asked}.jsonl there, one "
            f"JSON object a line with the columns of {config['dataset_path']}, or take the folder out of suites.data."
        )
    return {split: _read(file) for split, file in files.items()}


def cached_rows(name: str, config: Mapping[str, Any]) -> Rows:
    """The rows that the local datasets cache holds. Raises TaskDataMissing, which names the command that fills it."""
    try:
        return load_rows(config)
    except (OSError, ValueError) as error:
        raise TaskDataMissing(
            f"the data of the task {name} ({config['dataset_path']}) are not in the datasets cache "
            f"{datasets.config.HF_DATASETS_CACHE}. Fill it where there is a network: `sealed suites fetch`. Or put "
            "files into the folder that suites.data names."
        ) from error


def load_rows(config: Mapping[str, Any]) -> Rows:
    """The rows of a task's own dataset, from the cache where the hub is out of reach."""
    options = dict(config.get("dataset_kwargs") or {})
    options.pop("trust_remote_code", None)
    return dict(datasets.load_dataset(str(config["dataset_path"]), config.get("dataset_name"), **options))


def _read(file: Path) -> datasets.Dataset:
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise BadDataFile(f"{file} cannot be read: {error}. Write one JSON object a line.") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise BadDataFile(f"{file} must hold one JSON object a line, at least one.")
    return datasets.Dataset.from_list(rows)
