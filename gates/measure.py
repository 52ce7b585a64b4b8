"""Asks a model the items of suites and scores each, through lm-eval, offline. The only importer of lm-eval.

lm-eval's own cache is never used: it ignores the adapter. Scores are kept by digests instead (`gates.score_cache`).
"""

import json
import logging
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gates import score_cache
from gates.evaluated_model import Subject
from gates.suite import Kind, Suite
from gates.tasks import sandbox
from pipeline.digests import digest_of
from pipeline.engines.base import BaseModel
from pipeline.engines.likelihood import BATCH
from pipeline.errors import MeasurementFailed
from pipeline.grading import GRADER, grade, grade_opening
from pipeline.recipe import PolicyRules
from pipeline.types import ItemScore, ModelRef, Scores

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}


def measure(
    base: BaseModel,
    ref: ModelRef,
    adapter: Path | None,
    suites: Sequence[Suite],
    policy: PolicyRules,
    cache: Path,
) -> tuple[Scores, ...]:
    """The model's scores on each suite, in their order; what the cache holds is not asked again.

    adapter: the verified folder of `ref.adapter`, None for the base as it is. Leaves the random state as it was.
    Raises MeasurementFailed when an item cannot be put to the model or scored, and whatever loading an adapter raises.
    """
    settings = _settings(base, policy)
    known = {suite.name: score_cache.load(cache, ref, suite, settings) for suite in suites}
    asked = [suite for suite in suites if known[suite.name] is None and len(suite)]
    if asked:
        subject = Subject(base, adapter, policy.max_answer_tokens)
        for suite, items in zip(asked, _evaluate(subject, asked), strict=True):
            scores = Scores(model=ref, suite=suite.name, items=items)
            score_cache.save(cache, scores, suite, settings)
            known[suite.name] = scores
    return tuple(known[suite.name] or Scores(model=ref, suite=suite.name, items=()) for suite in suites)


def _settings(base: BaseModel, policy: PolicyRules) -> str:
    """Whatever else could change an answer or its score."""
    identity = base.identity
    return digest_of(
        "settings",
        policy.max_answer_tokens,
        GRADER,
        BATCH,
        version("lm-eval"),
        str(base.model.dtype),
        base.model.device.type,
        identity.model,
        identity.tokenizer,
        identity.chat_template,
    )


def _evaluate(subject: Subject, suites: Sequence[Suite]) -> list[tuple[ItemScore, ...]]:
    with _left_as_it_was(), _quiet_and_offline():
        import lm_eval

        tasks = {suite.name: _task(suite) for suite in suites}
        results = lm_eval.evaluate(
            lm=subject,
            task_dict={"tasks": tasks, "groups": {}, "group_map": {}},
            bootstrap_iters=0,
            log_samples=True,
        )
    return [_item_scores(suite, results["samples"][suite.name]) for suite in suites]


def _task(suite: Suite) -> Any:
    from lm_eval.api.task import ConfigurableTask

    config = json.loads(suite.task.config) if suite.task else _item_config(suite.kind)
    data = {name: json.loads(items) for name, items in suite.task.splits} if suite.task else _item_data(suite)
    try:
        task = ConfigurableTask(config={**config, "task": suite.name, "custom_dataset": partial(_dataset, data)})
    except (ValueError, TypeError, KeyError, SyntaxError, AttributeError) as error:
        raise MeasurementFailed(f"{suite.name} cannot be run as an lm-eval task: {error}. Mend its file.") from error
    task.set_fewshot_seed(seed=0)
    return task


def _dataset(splits: dict[str, list[dict[str, Any]]], **_ignored: object) -> dict[str, Any]:
    from datasets import Dataset

    return {name: Dataset.from_list(items) for name, items in splits.items()}


def _item_data(suite: Suite) -> dict[str, list[dict[str, Any]]]:
    return {
        "test": [{"question": eval_item.question, "answers": list(eval_item.answers)} for eval_item in suite.eval_items]
    }


def _item_config(kind: Kind) -> dict[str, Any]:
    scored = grade_opening if kind is Kind.REFUSALS else grade
    return {
        "output_type": "generate_until",
        "test_split": "test",
        "doc_to_text": lambda doc: doc["question"],
        "doc_to_target": lambda doc: doc["answers"][0],
        "process_results": lambda doc, answers: {"acc": scored(answers[0], doc["answers"])},
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "generation_kwargs": {"until": [], "do_sample": False},
    }


def _item_scores(suite: Suite, samples: Sequence[dict[str, Any]]) -> tuple[ItemScore, ...]:
    """One score an item, by the task's first metric and first filter."""
    first = samples[0]["filter"]
    by_item = {sample["doc_id"]: sample for sample in samples if sample["filter"] == first}
    metric = suite.task.metric if suite.task else "acc"
    if by_item.keys() != set(range(len(suite))):
        raise MeasurementFailed(f"{suite.name}: {len(suite)} items and {len(by_item)} answers. Report this.")
    return tuple(
        ItemScore(item=item.id, score=_share(suite, by_item[at], metric), answer=_answer(by_item[at]), group=item.group)
        for at, item in enumerate(suite.items)
    )


def _share(suite: Suite, sample: dict[str, Any], metric: str) -> float:
    value = float(sample[metric])
    if not 0.0 <= value <= 1.0:
        raise MeasurementFailed(f"{suite.name}: {metric} gave {value} for an item, which is no share. Use acc.")
    return value


def _answer(sample: dict[str, Any]) -> str:
    """What was generated, or the likeliest choice."""
    said = sample["filtered_resps"]
    if isinstance(said[0], str):
        return said[0]
    likeliest = max(range(len(said)), key=lambda at: said[at][0])
    return str(sample["arguments"][likeliest][1]).strip()


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """lm-eval seeds the global random generators: what comes after us must not depend on that."""
    import numpy as np
    import torch

    state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(state[0])
            np.random.set_state(state[1])


def _no_bar(items: Iterable[Any], **_settings: object) -> Iterable[Any]:
    return items


@contextmanager
def _quiet_and_offline() -> Iterator[None]:
    """No progress bars, no warnings about defaults, no hub; templates of task files reach data only."""
    environment = dict(os.environ)
    os.environ.update(_OFFLINE)
    import lm_eval.api.task as tasks
    import lm_eval.utils as utils

    log = logging.getLogger("lm_eval")
    level, bar, templates = log.level, tasks.tqdm, utils.env
    log.setLevel(logging.ERROR)
    tasks.tqdm, utils.env = _no_bar, sandbox()
    try:
        yield
    finally:
        tasks.tqdm, utils.env = bar, templates
        log.setLevel(level)
        for name in _OFFLINE:
            os.environ.pop(name)
            os.environ.update({name: environment[name]} if name in environment else {})
