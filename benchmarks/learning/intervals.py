"""Means over documents with 95 % intervals: questions of one document hang together, so documents are resampled."""

from collections.abc import Sequence
from random import Random
from statistics import fmean

ROUNDS = 2000


def by_group(scores: Sequence[float], groups: Sequence[str]) -> list[list[float]]:
    """The scores of each group, in the order in which the groups come."""
    found: dict[str, list[float]] = {}
    for score, group in zip(scores, groups, strict=True):
        found.setdefault(group, []).append(score)
    return list(found.values())


def interval(clusters: Sequence[Sequence[float]], seed: int = 0) -> tuple[float, float]:
    """95 % of the mean score, by the percentiles of resampled clusters. Raises ValueError where there is none."""
    if not clusters:
        raise ValueError("no clusters to resample")
    draw, sums = Random(seed), [(sum(scores), len(scores)) for scores in clusters]
    means = []
    for _ in range(ROUNDS):
        drawn = draw.choices(sums, k=len(sums))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    return means[ROUNDS // 40], means[-ROUNDS // 40 - 1]


def mean(clusters: Sequence[Sequence[float]]) -> float:
    """Over all scores alike."""
    return fmean(score for scores in clusters for score in scores)
