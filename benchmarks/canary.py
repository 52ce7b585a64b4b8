"""How soon is a worse release rolled back, and how seldom a good one? A simulation of whole rollouts, under the default
policy, each answer judged when it comes.

Counted are the *canary's graded answers*: requests of users that it answered and somebody graded, and eval items that
were put to both releases. Its *requests* are those without the eval items. The stable release's answers are counted in
neither; while the canary has 1 %, there are 99 for each. Three mixes of evidence: traffic alone, eval items alone, half
and half. Eval items that the stable release fails, a worse canary fails too in KEPT of the cases. The policy was chosen
on seeds 0 and 1.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.canary_rollouts import Ends, Scenario, roll_out
from benchmarks.figures import RESULTS, Measured, write_results
from benchmarks.plots import draw_canaries
from gates.canary_evidence import Floats
from gates.statistics import wilson
from pipeline.files import write_text
from pipeline.recipe import CanaryPolicy

SEED = 61_045
BASES, DROPS = (0.02, 0.10, 0.30), (0.01, 0.03, 0.10)
MIXES = {"traffic": 0.0, "half eval items": 0.5, "eval items": 1.0}
WORSE_HORIZON, GOOD_HORIZON = 20_000, 6_000
RUNS, GOOD_RUNS, QUICK_RUNS = 2_000, 10_000, 300
MOST_ANSWERS, MOST_FALSE = 300, 0.01
CURVE = np.arange(0.005, 1.0, 0.005)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One scenario with its name, and how its rollouts ended."""

    name: str
    scenario: Scenario
    ends: Ends


def cells(quick: bool) -> Iterator[Cell]:
    """Every base rate with every drop and with none, in each mix of evidence; only the first base rate if `quick`."""
    policy, seed = CanaryPolicy(), SEED
    for mix, pairs in MIXES.items():
        for base in BASES[:1] if quick else BASES:
            for drop in (0.0, *DROPS):
                seed += 1
                scenario = Scenario(
                    base=base, drop=drop, pairs=pairs, horizon=(WORSE_HORIZON if drop else GOOD_HORIZON) // (1 + quick)
                )
                runs = QUICK_RUNS if quick else RUNS if drop else GOOD_RUNS
                name = f"{mix}, {100 * base:.0f} % failures" + (f" and {100 * drop:.0f} more" if drop else "")
                yield Cell(name=name, scenario=scenario, ends=roll_out(scenario, policy, runs, seed))


def figures(cell: Cell) -> Iterator[Measured]:
    """Of a worse release how soon it is rolled back; of a good one how seldom, and when it has all requests."""
    ends, name = cell.ends, cell.name
    if cell.scenario.drop:
        yield from _soon(cell)
        yield _share(f"{name}: ever had all requests", ends.at_all)
        return
    yield _share(f"{name}: good release rolled back", ends.rolled_back, goal=MOST_FALSE)
    yield _share(f"{name}: good release has all requests", ends.at_all)
    yield from _quantiles(f"{name}: until a good release has all requests", ends.at_all, "graded answers")
    yield from _quantiles(f"{name}: until a good release has all requests", ends.of_both, "answers of both")


def _soon(cell: Cell) -> Iterator[Measured]:
    asked = 0 < cell.scenario.pairs < 1
    goal = (
        MOST_ANSWERS if (cell.scenario.base, cell.scenario.drop) == (0.02, 0.03) and cell.scenario.pairs < 1 else None
    )
    name = f"{cell.name}: until rolled back"
    yield _share(f"{cell.name}: rolled back within {cell.scenario.horizon:,}", cell.ends.rolled_back)
    yield from _quantiles(name, cell.ends.rolled_back, "graded answers", None if asked else goal)
    if asked:
        yield from _quantiles(name, cell.ends.asked, "requests", goal)


def _share(name: str, reached: Floats, goal: float | None = None) -> Measured:
    count, n = int(np.isfinite(reached).sum()), len(reached)
    return Measured(
        name=name,
        value=count / n,
        unit="share",
        n=n,
        interval=wilson(count, n, 0.05),
        goal=f"<= {goal:g}" if goal else "",
        met=count / n <= goal if goal else None,
    )


def _quantiles(name: str, reached: Floats, unit: str, goal: float | None = None) -> Iterator[Measured]:
    """Median and 95th percentile over all rollouts, as far as so many came to it. The interval is one of ranks."""
    ordered, n = np.sort(reached), len(reached)
    for word, level in (("median", 0.5), ("95 %", 0.95)):
        spread = 1.96 * np.sqrt(level * (1 - level) / n)
        low, value, high = (float(ordered[min(n - 1, int(n * at))]) for at in (level - spread, level, level + spread))
        if np.isfinite(high):
            wanted = goal if word == "median" else None
            yield Measured(
                name=f"{name}, {word}",
                value=value,
                unit=unit,
                n=n,
                interval=(low, high),
                goal=f"<= {wanted:g}" if wanted else "",
                met=value <= wanted if wanted else None,
            )


def _curve(reached: Floats) -> list[float | None]:
    """The answers after which each share of CURVE had come to it; None: fewer did."""
    ordered = np.sort(reached)
    values = [float(ordered[int(len(ordered) * share)]) for share in CURVE]
    return [value if np.isfinite(value) else None for value in values]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rollouts, one base rate, half the horizon")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    out = options.out or RESULTS / "canary.json"
    measured: list[Measured] = []
    curves: dict[str, dict[str, object]] = {}
    for cell in cells(options.quick):
        found = list(figures(cell))
        measured += found
        curves[cell.name] = {"rolled_back": _curve(cell.ends.rolled_back), "at_all": _curve(cell.ends.at_all)}
        print(*(f"{one.name} {one.value:.4g} {one.unit}" for one in found), sep="\n", flush=True)
    document = {"shares": [round(float(share), 3) for share in CURVE], "cells": curves}
    write_text(out.with_suffix(".curves.json"), json.dumps(document) + "\n")
    draw_canaries(out.with_suffix(".curves.json"), out.with_suffix(".png"))
    write_results("canary", measured, out)


if __name__ == "__main__":
    main()
