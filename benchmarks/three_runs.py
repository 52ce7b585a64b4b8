"""Three nights in a row on seeds that no default was chosen on: what is learned, kept, and lost elsewhere.

Each night goes through the whole product: the nightly flow, its gates, an approval. The old world's exam services are
in no rehearsal; skills are the regression suites. Changes are paired item by item against the untouched base.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.figures import Measured, write_results
from benchmarks.shortened import shorten
from flows.cli.runs import run_night
from flows.outcome import NightOutcome
from flows.steps import review
from flows.steps.initialisation import found
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import write_nights
from pipeline.types import GateReport
from registry.store import reports
from registry.store import runs as nights_store

# Disjoint from every seed that tests, the demo and the choice of the default recipe use.
SEEDS = (40_011, 40_012, 40_013)
NIGHTS = 3
PER_NIGHT = 8


@dataclass(frozen=True, kw_only=True)
class Run:
    """One night of a seed: how it ended, and what its gates said."""

    seed: int
    outcome: NightOutcome
    report: GateReport


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, one night of little rehearsal")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    seeds, nights = (SEEDS[:1], 1) if options.quick else (SEEDS, NIGHTS)
    # One folder for all: the scheduler keeps its record in the first workspace until the process ends.
    with tempfile.TemporaryDirectory(prefix="sealed-nights-") as folder:
        runs = [list(_nights(seed, nights, Path(folder) / str(seed), options.quick)) for seed in seeds]
    write_results("nights", list(_figures(runs, nights)), options.out)


def _nights(seed: int, nights: int, folder: Path, quick: bool) -> Iterator[Run]:
    workspace = folder / "workspace"
    house = found(workspace, str(model_path()), actor="benchmark")
    if quick:
        shorten(workspace)
    write_nights(folder / "documents", nights=nights, per_night=PER_NIGHT, seed=seed, variant=None)
    for number in range(1, nights + 1):
        outcome = run_night(workspace, folder / "documents" / f"night-{number}")
        print(f"seed {seed}, night {number}: {outcome.sentence}", flush=True)
        found_by = reports.get(house.store, nights_store.get(house.store, outcome.night or number).report or "")
        yield Run(seed=seed, outcome=outcome, report=found_by)
        if outcome.release is None:
            break
        review.approve(house, outcome.release, actor="benchmark-reviewer", note="measured")
    house.store.close()


def _figures(runs: Sequence[Sequence[Run]], nights: int) -> Iterator[Measured]:
    first = [_shares(run[0]) for run in runs]
    probes = sum(run[0].outcome.probes for run in runs)
    before, after = (_mean(first, f"recall_{side}") for side in ("before", "after"))
    worst = min(shares["recall_after"] for shares in first)
    yield Measured(
        name="night 1 recall before", value=before, unit="share", goal="<= 0.10", n=probes, met=before <= 0.1
    )
    yield Measured(name="night 1 recall after", value=after, unit="share", goal=">= 0.85", n=probes, met=after >= 0.85)
    yield Measured(name="night 1 recall after, worst seed", value=worst, unit="share", n=probes // len(runs))
    for run in runs:
        for number, night in enumerate(run, start=1):
            yield _change(night, number, "old world", "retention", "anchor_")
        yield _change(run[0], 1, "skills", "regression", "")
    if nights == NIGHTS:
        yield from _kept(runs)
    yield from _cost(runs)


def _change(night: Run, number: int, name: str, gate: str, prefix: str) -> Measured:
    """A standing suite's change since the untouched base in points, paired item by item: the gate's own interval."""
    result = next(result for result in night.report.results if result.gate == gate)
    figures = {
        figure.name.removeprefix(prefix): figure.value for figure in result.figures if figure.name.startswith(prefix)
    }
    change, lower, upper = (100 * figures[key] for key in ("difference", "lower_bound", "upper_bound"))
    return Measured(
        name=f"seed {night.seed}: {name} after night {number}, change (90 %)", value=change, unit="points",
        n=int(figures["items"]), interval=(lower, upper), goal=">= -3" if number == 1 else "",
        met=change >= -3 if number == 1 else None,
    )  # fmt: skip


def _kept(runs: Sequence[Sequence[Run]]) -> Iterator[Measured]:
    """How many seeds passed all nights, and the share of the earlier ones' recall that is left after the last."""
    passed = sum(len(run) == NIGHTS and run[-1].outcome.release is not None for run in runs) / len(runs)
    yield Measured(name="seeds whose three nights all passed", value=passed, unit="share", n=len(runs))
    whole = [run for run in runs if len(run) == NIGHTS]
    if not whole:
        return
    learned = [fmean(_shares(night)["recall_after"] for night in run[:-1]) for run in whole]
    left = [_shares(run[-1])["earlier_nights_after"] for run in whole]
    share = fmean(kept / taught for kept, taught in zip(left, learned, strict=True))
    yield Measured(
        name="earlier nights kept after night 3",
        value=share,
        unit="share",
        goal=">= 0.90",
        n=len(whole),
        met=share >= 0.9,
    )


def _cost(runs: Sequence[Sequence[Run]]) -> Iterator[Measured]:
    nights = [night.outcome for run in runs for night in run]
    yield Measured(name="seconds a night", value=fmean(n.seconds_total for n in nights), unit="s", n=len(nights))


def _shares(night: Run) -> dict[str, float]:
    return {figure.name: figure.value for figure in night.outcome.figures}


def _mean(shares: Sequence[dict[str, float]], name: str) -> float:
    return fmean(share[name] for share in shares)


if __name__ == "__main__":
    main()
