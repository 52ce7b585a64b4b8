"""An adapter that is trained beside its parent's, which stays as it is; in the end both are one of the recipe's rank.

A parent that is trained on moves on both sides at once, and what it had learned moves along. Beside it a run changes as
little as a first run does. The merged adapter is the nearest one of the recipe's rank, which may be larger than that of
what one run trains, so that the changes of several runs find room.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch

from pipeline.adapters.products import beside, nearest, scaled, split
from pipeline.adapters.stack import rank_axis, start_of, views_of
from pipeline.digests import seed_from
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


def start_beside(job: TrainingJob, parent: _Tensors) -> _Tensors:
    """Where a widened job starts: the parent's tensors, beside a new adapter as PEFT draws it."""
    return beside(parent, _new(parent, job.rules.rank - job.held, job.seed))


def merged(tensors: _Tensors, job: TrainingJob) -> dict[str, torch.Tensor]:
    """The adapter of the recipe's rank that a widened job leaves, with as much of its change as its rules keep.

    One without a parent gets new ranks, which add nothing yet and can be trained on, to fill it up.
    """
    parent, own = split(tensors, job.held)
    kept = scaled(own, job.rules.interpolation)
    return nearest(beside(parent, kept), job.merged_rank) if job.held else _filled(kept, job)


def unmerged(tensors: _Tensors, job: TrainingJob) -> dict[str, torch.Tensor]:
    """What a widened job that diverged leaves: tensors of the recipe's rank, whose values mean nothing."""
    first, _ = split(tensors, job.merged_rank)
    return _filled(first, job)


def _filled(tensors: _Tensors, job: TrainingJob) -> dict[str, torch.Tensor]:
    """The tensors beside as many new ranks as the recipe's rank has more than the job trained."""
    missing = job.merged_rank - job.rules.rank
    new = _new(tensors, missing, seed_from("spare ranks", job.seed)) if missing > 0 else None
    return beside(tensors, new) if new else dict(tensors)


def _new(like: _Tensors, rank: int, seed: int) -> dict[str, torch.Tensor]:
    """A new adapter of this rank for the layers of another one, as PEFT draws it: side B is zero."""
    shapes = {name: _of_side(name, tensor, rank) for name, tensor in like.items()}
    return {name: view[0] for name, view in views_of(start_of(shapes, seed, None)[None], shapes).items()}


def _of_side(name: str, tensor: torch.Tensor, rank: int) -> tuple[int, int]:
    rows, columns = tensor.shape
    return (rank, columns) if rank_axis(name) == 0 else (rows, rank)
