"""Tasks of the installed lm-eval by name: their own YAML, few-shot count and metric, with rows that lie here.

Code in a task's file is that of the installed package; a workspace's own task files are `gates.tasks`, which run none.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import lm_eval.tasks
from jinja2 import TemplateError
from lm_eval.tasks._factory import TaskFactory
from lm_eval.tasks._index import Entry, Kind
from lm_eval.tasks._yaml_loader import load_yaml

from gates.offline import FEWSHOT_SEED, quiet_and_offline, random_state_kept, seed_as_the_command
from gates.task_rows import cached_rows, given_rows, load_rows
from gates.tasks import StandardTask, TaskItem, TaskSource
from pipeline.digests import canonical_json
from pipeline.errors import BadRecipe, DownloadFailed, ExternalError

PACKAGE = Path(lm_eval.tasks.__file__).parent
_BROKEN = (ValueError, TypeError, LookupError, AttributeError, SyntaxError, ImportError, OSError, AssertionError)
_SHARES = ("acc", "acc_norm", "acc_bytes", "exact_match", "acc_mutual_info")  # metrics that score each item by itself
_OUTPUTS = frozenset({"multiple_choice", "generate_until", "loglikelihood"})
_SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")
_FRAME = re.compile(r"^\s*(?:question|q)\s*:\s*|\s*\n\s*(?:answer|a)\s*:\s*$", re.IGNORECASE)


def standard_tasks(sources: Sequence[TaskSource]) -> tuple[StandardTask, ...]:
    """The tasks with their items, read once a process while their files are the same.

    Raises BadRecipe for a name that is no task which gates can use, TaskDataMissing where its rows are not here, and
    ExternalError where lm-eval cannot make the task.
    """
    return tuple(_standard_task(source, _stamp(source.data)) for source in sources)


def open_task(source: TaskSource) -> Any:
    """The task as lm-eval runs it; to be called with the hub out of reach."""
    config = _config(source.name)
    rows = given_rows(source, config) if source.data else cached_rows(source.name, config)
    override = {"custom_dataset": lambda **_ignored: rows, **_without_absent(source, config, rows)}
    seed_as_the_command()
    try:
        entry = Entry(name=source.name, kind=Kind.TASK, yaml_path=_file(source.name))
        task = TaskFactory().build(entry, overrides=override, registry={})
        task.set_fewshot_seed(seed=FEWSHOT_SEED)
    except (*_BROKEN, TemplateError) as error:
        raise ExternalError(
            f"lm-eval cannot make the task {source.name}: {type(error).__name__}: {error}. Check that its rows have "
            "the columns of its own dataset, or take it out of suites.tasks."
        ) from error
    return task


def asked_of(arguments: Sequence[Any], target: object) -> str:
    """What is asked and what is right, as one canonical text."""
    return canonical_json([[list(map(_plain, one)) for one in arguments], _plain(target)])


def fetch(name: str) -> None:
    """Brings a task's rows into the datasets cache, over the network. Raises BadRecipe, DownloadFailed."""
    config = _config(name)
    try:
        load_rows(config)
    except (OSError, ValueError, RuntimeError) as error:
        raise DownloadFailed(
            f"the data of the task {name} ({config['dataset_path']}) could not be fetched: {error}. Check the network, "
            "HF_HUB_OFFLINE and HF_DATASETS_OFFLINE, or put files into the folder that suites.data names."
        ) from error


@lru_cache(maxsize=64)
def _standard_task(source: TaskSource, stamp: tuple[object, ...]) -> StandardTask:
    with random_state_kept(), quiet_and_offline():
        task = open_task(source)
        metric = _metric(source.name, task)
        try:
            items = tuple(_each(_items(task, source.limit)))
        except (*_BROKEN, TemplateError) as error:
            raise ExternalError(f"lm-eval cannot write the items of {source.name}: {error}. Check its rows.") from error
    return StandardTask(source=source, metric=metric, items=items)


def _stamp(folder: Path | None) -> tuple[object, ...]:
    """Changes with the folder's files. What the datasets cache holds is taken to stay while a process lives."""
    files = sorted(folder.rglob("*")) if folder else []
    return tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)


@lru_cache(maxsize=64)
def _file(name: str) -> Path:
    """The YAML in the installed package that defines a task. Raises BadRecipe."""
    defines = re.compile(rb'^"?(task|group)"?\s*:\s*["\']?' + re.escape(name.encode()) + rb'["\']?\s*(?:#.*)?$', re.M)
    groups = []
    for file in (*sorted((PACKAGE / name).glob("*.yaml")), *sorted(PACKAGE.rglob("*.yaml"))):
        if found := defines.search(file.read_bytes()):
            if found[1] == b"task":
                return file
            groups.append(file)
    if groups:
        members = [one if isinstance(one, str) else str(one.get("task")) for one in load_yaml(groups[0])["task"]]
        raise BadRecipe(f"suites.tasks: {name} is a group of lm-eval. Name its tasks: {', '.join(members)}.")
    raise BadRecipe(f"suites.tasks: the installed lm-eval has no task {name!r}. See `lm_eval ls tasks`.")


def _config(name: str) -> dict[str, Any]:
    """A task's configuration, none of its code loaded. Raises BadRecipe where gates cannot use such a task."""
    config: dict[str, Any] = load_yaml(_file(name), resolve_func=False)
    sampling = config.get("generation_kwargs") or {}
    for problem, found in {
        "is a class of its own": "class" in config,
        "runs code that a model wrote": bool(config.get("unsafe_code")),
        "shows pictures or sounds": "doc_to_image" in config or "doc_to_audio" in config,
        f"is of the type {config.get('output_type')}": config.get("output_type", "generate_until") not in _OUTPUTS,
        "samples its answers": bool(sampling.get("do_sample")) or config.get("repeats", 1) != 1,
        "has no dataset of its own": not config.get("dataset_path"),
        "scores by code that is downloaded": any(one.get("hf_evaluate") for one in config.get("metric_list") or ()),
    }.items():
        if found:
            raise BadRecipe(f"suites.tasks: {name} {problem}, which gates cannot ask item by item. Take it out.")
    return config


def _without_absent(source: TaskSource, config: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides for splits that the rows lack and nobody asks for. Raises BadRecipe where somebody does."""
    asked = config.get("test_split") or config.get("validation_split")
    shown = config.get("fewshot_split") or config.get("training_split") or asked
    needed = {asked, shown} if config.get("num_fewshot") else {asked}
    if absent := sorted(str(split) for split in needed - set(rows)):
        where = f"{source.data}/{source.name}/{absent[0]}.jsonl" if source.data else "the datasets cache"
        raise BadRecipe(f"suites.tasks: {source.name} asks for the split {absent[0]}, and {where} has none. Add it.")
    return {key: None for key in _SPLITS if config.get(key) and config[key] not in rows}


def _metric(name: str, task: Any) -> str:
    """The task's first metric that scores each item by itself."""
    named = list(task._metric_fn_list)
    own = named if callable(task.config.process_results) else [one for one in named if one in _SHARES]
    if not own:
        raise BadRecipe(f"suites.tasks: {name} scores no item by itself ({', '.join(named)}). Take it out.")
    return str(own[0])


def _items(task: Any, limit: int) -> Iterator[tuple[str, str]]:
    """What each item asks, and its question alone."""
    task.build_all_requests(limit=limit or None)
    requests: dict[int, list[Any]] = {}
    for request in task.instances:
        requests.setdefault(request.doc_id, []).append(request)
    for number, document in task.doc_iterator(limit=limit or None):
        arguments = [request.args for request in sorted(requests[number], key=lambda one: one.idx)]
        yield asked_of(arguments, task.doc_to_target(document)), _question(task, document)


def _each(items: Iterator[tuple[str, str]]) -> Iterator[TaskItem]:
    """Items that a dataset holds twice are told apart by their number."""
    seen = Counter[str]()
    for data, question in items:
        seen[data] += 1
        yield TaskItem(data=f"{data} {seen[data]}" if seen[data] > 1 else data, question=question, group="")


def _question(task: Any, document: Mapping[str, Any]) -> str:
    """What no training example may ask: the field that the task names for that, else its text without a frame."""
    named = task.config.doc_to_decontamination_query
    text = document[named] if named in document else task.doc_to_text(document)
    return _FRAME.sub("", text) if isinstance(text, str) else " ".join(map(str, task.doc_to_choice(document)))


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
