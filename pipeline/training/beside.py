"""An adapter that is trained beside its parent's, which stays as it is; in the end both are one of one rank.

A parent that is trained on moves on both sides at once, and what it had learned moves along. Beside it a run changes as
little as a first run does. The merged adapter is the nearest one of the recipe's rank.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from pipeline.adapters.products import beside, nearest, scaled
from pipeline.adapters.stack import Shapes, rank_axis, start_of, views_of
from pipeline.recipe import TrainingRules
from pipeline.training.jobs import TrainingJob

_Tensors = Mapping[str, torch.Tensor]


def widened(job: TrainingJob) -> TrainingJob:
    """The job with room for its parent's adapter and one of its own, where its rules want them side by side."""
    if job.warm_start is None or not job.rules.beside_parent:
        return job
    return replace(job, rules=_of_rank(job.rules, 2 * job.rules.rank), held=job.rules.rank)


def parent_rules(job: TrainingJob) -> TrainingRules:
    """The rules by which the job's parent was trained: those of one adapter alone."""
    return _of_rank(job.rules, job.held) if job.held else job.rules


def start_beside(job: TrainingJob, shapes: Shapes, parent: _Tensors) -> _Tensors:
    """Where a widened job of these shapes starts: the parent's tensors, beside a new adapter as PEFT draws it."""
    own = {name: _of_side(name, shape, job.held) for name, shape in shapes.items()}
    new = views_of(start_of(own, job.seed, None)[None], own)
    return beside(parent, {name: view[0] for name, view in new.items()})


def merged(tensors: _Tensors, job: TrainingJob) -> dict[str, torch.Tensor]:
    """The adapter of the recipe's rank that a widened job leaves, with as much of its change as its rules keep."""
    sides = {name: torch.tensor_split(one, [job.held], dim=rank_axis(name)) for name, one in tensors.items()}
    parent, own = ({name: parts[at] for name, parts in sides.items()} for at in (0, 1))
    return nearest(beside(parent, scaled(own, job.rules.interpolation)), job.held)


def _of_rank(rules: TrainingRules, rank: int) -> TrainingRules:
    return rules.model_copy(update={"rank": rank, "alpha": rules.alpha * rank // rules.rank})


def _of_side(name: str, shape: tuple[int, int], rank: int) -> tuple[int, int]:
    rows, columns = shape
    return (rank, columns) if rank_axis(name) == 0 else (rows, rank)
