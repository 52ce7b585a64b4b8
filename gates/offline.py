"""lm-eval as gates may use it: no network, no progress bars, and the process's random state as it was before."""

import logging
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import datasets
import huggingface_hub
import lm_eval.utils
import numpy as np
import torch
from lm_eval.api import task as lm_eval_tasks
from lm_eval.defaults import DEFAULT_OTHER_SEED, DEFAULT_RANDOM_SEED

FEWSHOT_SEED = DEFAULT_OTHER_SEED  # the lm-eval command's


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Restores the global random generators, which lm-eval seeds: what comes after us must not depend on that."""
    state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(state[0])
            np.random.set_state(state[1])


def seed_as_the_command() -> None:
    """Seeds the global generators as the lm-eval command does: some tasks shuffle their choices."""
    random.seed(DEFAULT_RANDOM_SEED)
    np.random.seed(DEFAULT_OTHER_SEED)
    torch.manual_seed(DEFAULT_OTHER_SEED)


def _no_bar(items: Iterable[Any], **_settings: object) -> Iterable[Any]:
    return items


@contextmanager
def quiet_and_offline(templates: Any = lm_eval.utils.env) -> Iterator[None]:
    """No progress bars, no warnings about defaults, no hub. templates: the Jinja environment that tasks render in."""
    logs = [logging.getLogger(name) for name in ("lm_eval", "datasets")]
    patches = (
        (huggingface_hub.constants, "HF_HUB_OFFLINE", True),
        (datasets.config, "HF_HUB_OFFLINE", True),
        (lm_eval_tasks, "tqdm", _no_bar),
        (lm_eval.utils, "env", templates),
    )
    levels, kept = [log.level for log in logs], [getattr(module, name) for module, name, _ in patches]
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    for log in logs:
        log.setLevel(logging.ERROR)
    for module, name, value in patches:
        setattr(module, name, value)
    try:
        yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
        for (module, name, _), value in zip(patches, kept, strict=True):
            setattr(module, name, value)
        if not bars:
            datasets.enable_progress_bars()
