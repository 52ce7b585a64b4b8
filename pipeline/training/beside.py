"""An adapter that is trained beside its parent's, which stays as it is; in the end both are one of the recipe's rank.

A parent that is trained on moves on both sides at once, and what it had learned moves along. Beside it a run changes as
little as a first run does. The merged adapter is the nearest one of the recipe's rank, which may be larger than that of
what one run trains, so that the changes of several runs find room.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from pipeline.adapters.products import beside, nearest, padded, scaled
from pipeline.adapters.stack import Shapes, rank_axis, start_of, views_of
from pipeline.recipe import TrainingRules
from pipeline.training.jobs import TrainingJob

_Tensors = Mapping[str, torch.Tensor]


def widened(job: TrainingJob) -> TrainingJob:
    """The job with room for its parent's adapter and one of its own, where its rules want them side by side."""
    rules = job.rules
    if not rules.beside_parent:
        return job
    held, own = rules.rank if job.warm_start else 0, rules.beside_rank or rules.rank
    return replace(job, rules=rules.of_rank(held + own), held=held, merged_rank=rules.rank)


def parent_rules(job: TrainingJob) -> TrainingRules:
    """The rules by which the job's parent was trained: those of one adapter alone."""
    return job.rules.of_rank(job.held) if job.held else job.rules


def start_beside(job: TrainingJob, shapes: Shapes, parent: _Tensors) -> _Tensors:
    """Where a widened job of these shapes starts: the parent's tensors, beside a new adapter as PEFT draws it."""
    own = {name: _of_side(name, shape, job.rules.rank - job.held) for name, shape in shapes.items()}
    new = views_of(start_of(own, job.seed, None)[None], own)
    return beside(parent, {name: view[0] for name, view in new.items()})


def merged(tensors: _Tensors, job: TrainingJob) -> dict[str, torch.Tensor]:
    """The adapter of the recipe's rank that a widened job leaves, with as much of its change as its rules keep."""
    sides = {name: torch.tensor_split(one, [job.held], dim=rank_axis(name)) for name, one in tensors.items()}
    parent, own = ({name: parts[at] for name, parts in sides.items()} for at in (0, 1))
    kept = scaled(own, job.rules.interpolation)
    return nearest(beside(parent, kept), job.merged_rank) if job.held else padded(kept, job.merged_rank)


def _of_side(name: str, shape: tuple[int, int], rank: int) -> tuple[int, int]:
    rows, columns = shape
    return (rank, columns) if rank_axis(name) == 0 else (rows, rank)
