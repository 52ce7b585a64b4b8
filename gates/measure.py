"""Asks a model the items of suites and scores each, through lm-eval, offline.

lm-eval's own cache is never used, because it ignores the adapter: `gates.score_cache` keeps the scores.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import datasets
import lm_eval
import torch
from jinja2 import TemplateError
from lm_eval.api import task as lm_eval_tasks

from gates.evaluated import REFUSAL_TOKENS, EvaluatedModel
from gates.offline import FEWSHOT_SEED, quiet_and_offline, random_state_kept
from gates.plain import PlainModel
from gates.predictability import predictability
from gates.sampled_answers import sampled
from gates.score_cache import ScoreCache, without
from gates.standard_tasks import asked_of, open_task
from gates.suite import Kind, Suite
from gates.tasks import StandardTask, Task, sandbox
from pipeline.engines.base import BaseModel
from pipeline.errors import MeasurementFailed
from pipeline.grading import grade, grade_opening
from pipeline.prompts import QUESTION, framed
from pipeline.recipe import PolicyRules
from pipeline.types import Checkpoint, ItemScore, Scores


def measure(
    base: BaseModel, model: Checkpoint, suites: Sequence[Suite], policy: PolicyRules, cache: Path
) -> tuple[Scores, ...]:
    """The model's scores on each suite, in their order; what the cache holds is not measured again.

    model: with its verified adapter, or with no folder for the base as it is. Leaves the random state as it was.
    Reports progress in steps: answers, tokens of choices, tokens of plain text, sampled answers. Raises
    MeasurementFailed when an item cannot be asked or scored or two suites have one name, and whatever loading an
    adapter raises.
    """
    if len({suite.name for suite in suites}) < len(suites):
        raise MeasurementFailed("two suites have the same name. Rename one of the files.")
    evaluated = EvaluatedModel(base, model.folder, policy)
    kept = ScoreCache(folder=cache, model=model.ref.id, settings=evaluated.settings)
    known = {suite.name: dict(kept.known(suite)) for suite in suites}
    missing = [without(suite, known[suite.name]) for suite in suites if len(known[suite.name]) < len(suite)]
    for suite, items in _asked(evaluated, base, policy, missing):
        known[suite.name] |= {item.item: item for item in items}
        kept.keep(suite, items)
    return tuple(
        Scores(model=model.ref, suite=suite.name, items=tuple(known[suite.name][item.id] for item in suite.items))
        for suite in suites
    )


def _asked(
    evaluated: EvaluatedModel, base: BaseModel, policy: PolicyRules, suites: Sequence[Suite]
) -> Iterator[tuple[Suite, tuple[ItemScore, ...]]]:
    """The scores of each suite's items. Too little memory of a card is a failure to measure, and no verdict."""
    try:
        greedy = [suite for suite in suites if suite.kind is not Kind.TEXTS and not suite.samples]
        asked = sorted(greedy, key=_way)
        for (_standard, plain), alike in groupby(asked, key=_way):
            together = list(alike)
            model = PlainModel(base, evaluated.adapter) if plain else evaluated
            yield from zip(together, _evaluate(model, evaluated.question_prompt, together), strict=True)
        for suite in suites:
            if suite.kind is Kind.TEXTS:
                yield suite, predictability(base, evaluated.adapter, suite.texts)
        if several := [suite for suite in suites if suite.samples]:
            yield from sampled(base, evaluated.adapter, policy, several)
    except torch.OutOfMemoryError as error:
        raise MeasurementFailed(f"the card has too little memory to ask the suites: {error}. Make room.") from error


def _way(suite: Suite) -> tuple[bool, bool]:
    """Whether a suite is a task of the installed lm-eval, and whether it is asked without a chat template."""
    standard = isinstance(suite.task, StandardTask)
    return standard, standard or (isinstance(suite.task, Task) and suite.task.plain)


def _evaluate(model: EvaluatedModel | PlainModel, frame: str, suites: Sequence[Suite]) -> list[tuple[ItemScore, ...]]:
    """The scores of suites that are asked in one way. Templates of the workspace's own files reach data and no more."""
    standard = suites[0].kind is Kind.STANDARD
    with random_state_kept(), quiet_and_offline() if standard else quiet_and_offline(sandbox()):
        tasks = {suite.name: task_of(suite, frame) for suite in suites}
        results = lm_eval.evaluate(
            lm=model,
            task_dict={"tasks": tasks, "groups": {}, "group_map": {}},
            limit=_limit(suites),
            bootstrap_iters=0,
            log_samples=True,
        )
    return [_item_scores(suite, results["samples"][suite.name]) for suite in suites]


def _limit(suites: Sequence[Suite]) -> int | None:
    """One recipe has one limit for all its standard tasks; the workspace's own are asked whole."""
    return max((one.task.source.limit for one in suites if isinstance(one.task, StandardTask)), default=0) or None


def task_of(suite: Suite, frame: str = QUESTION) -> Any:
    """The suite as an lm-eval task, its questions in the `frame`. Raises MeasurementFailed where lm-eval refuses it."""
    if isinstance(suite.task, StandardTask):
        return open_task(suite.task.source)
    config = json.loads(suite.task.config) if suite.task else _item_config(suite.kind)
    data = {name: json.loads(items) for name, items in suite.task.splits} if suite.task else _item_data(suite, frame)
    try:
        task = lm_eval_tasks.ConfigurableTask(
            config={**config, "task": suite.name, "custom_dataset": partial(_dataset, data)}
        )
    except (ValueError, TypeError, KeyError, SyntaxError, AttributeError, TemplateError) as error:
        raise MeasurementFailed(f"{suite.name} cannot be run as an lm-eval task: {error}. Correct its file.") from error
    task.set_fewshot_seed(seed=FEWSHOT_SEED)
    return task


def _dataset(splits: Mapping[str, list[dict[str, Any]]], **_ignored: object) -> dict[str, Any]:
    return {name: datasets.Dataset.from_list(items) for name, items in splits.items()}


def _item_data(suite: Suite, frame: str) -> dict[str, list[dict[str, Any]]]:
    return {
        "test": [
            {
                "prompt": framed(frame, item.question, item.title) if suite.kind is Kind.ANSWERS else item.question,
                "question": item.question,
                "answers": list(item.answers),
            }
            for item in suite.eval_items
        ]
    }


def _item_config(kind: Kind) -> dict[str, Any]:
    most = {"max_gen_toks": REFUSAL_TOKENS} if kind is Kind.REFUSALS else {}
    return {
        "output_type": "generate_until",
        "test_split": "test",
        "doc_to_text": lambda doc: doc["prompt"],
        "doc_to_target": lambda doc: doc["answers"][0],
        "process_results": lambda doc, answers: {"acc": _graded(kind, answers[0], doc)},
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "generation_kwargs": {"until": [], "do_sample": False, **most},
    }


def _graded(kind: Kind, answer: str, doc: Mapping[str, Any]) -> float:
    if kind is Kind.REFUSALS:
        return grade_opening(answer, doc["answers"])
    return grade(answer, doc["answers"], doc["question"])


def _item_scores(suite: Suite, samples: Sequence[dict[str, Any]]) -> tuple[ItemScore, ...]:
    """One score an item, by the task's first metric and first filter."""
    first = samples[0]["filter"]
    by_item = {sample["doc_id"]: sample for sample in samples if sample["filter"] == first}
    metric = suite.task.metric if suite.task else "acc"
    if by_item.keys() != set(range(len(suite))):
        raise MeasurementFailed(f"{suite.name}: {len(suite)} items and {len(by_item)} answers. Report this.")
    if isinstance(suite.task, StandardTask):
        _expect_unchanged(suite.task, by_item)
    return tuple(
        ItemScore(item=item.id, score=_share(suite, by_item[at], metric), answer=_answer(by_item[at]), group=item.group)
        for at, item in enumerate(suite.items)
    )


def _expect_unchanged(task: StandardTask, samples: Mapping[int, dict[str, Any]]) -> None:
    for at, item in enumerate(task.items):
        if not item.data.startswith(asked_of(samples[at]["arguments"], samples[at]["target"])):
            raise MeasurementFailed(f"the data of the task {task.name} changed while it was asked. Start again.")


def _share(suite: Suite, sample: dict[str, Any], metric: str) -> float:
    if not 0.0 <= (value := float(sample[metric])) <= 1.0:
        raise MeasurementFailed(f"{suite.name}: {metric} gave {value} for an item, which is no share. Use acc.")
    return value


def _answer(sample: dict[str, Any]) -> str:
    """What was generated, or the likeliest choice."""
    said = sample["filtered_resps"]
    if isinstance(said[0], str):
        return said[0]
    likeliest = max(range(len(said)), key=lambda at: said[at][0])
    return str(sample["arguments"][likeliest][1]).strip()
