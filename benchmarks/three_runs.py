"""Three runs in a row on seeds that no default was chosen on: what is learned, kept, and lost elsewhere.

Each run goes through the whole product: the nightly flow, its gates, an approval. The base knowledge's test services
are in no rehearsal; skills are the regression suites. Changes are paired item by item against the base model.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.figures import Measured, write_results
from benchmarks.shortened import shorten
from flows.cli.runs import run_nightly
from flows.outcome import RunOutcome
from flows.services import review
from flows.services.initialisation import init_workspace
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import write_runs
from pipeline.types import GateReport

# Disjoint from every seed that tests, the demo and the choice of the default recipe use.
SEEDS = (40_011, 40_012, 40_013)
RUNS = 3
PER_RUN = 8


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a seed: how it ended, and what its gates said."""

    seed: int
    outcome: RunOutcome
    report: GateReport


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, one run of little rehearsal")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    seeds, runs = (SEEDS[:1], 1) if options.quick else (SEEDS, RUNS)
    # One folder for all: the scheduler keeps its record in the first workspace until the process ends.
    with tempfile.TemporaryDirectory(prefix="sealed-runs-") as folder:
        repeats = [list(_runs(seed, runs, Path(folder) / str(seed), options.quick)) for seed in seeds]
    write_results("runs", list(_figures(repeats, runs)), options.out)


def _runs(seed: int, runs: int, folder: Path, quick: bool) -> Iterator[Run]:
    root = folder / "workspace"
    workspace = init_workspace(root, str(model_path()), actor="benchmark")
    if quick:
        shorten(root)
    write_runs(folder / "documents", runs=runs, per_run=PER_RUN, seed=seed, variant=None)
    for number in range(1, runs + 1):
        outcome = run_nightly(root, folder / "documents" / f"run-{number}")
        print(f"seed {seed}, run {number}: {outcome.sentence}", flush=True)
        found_by = workspace.ledger.reports.get(workspace.ledger.runs.get(outcome.run or number).report or "")
        yield Run(seed=seed, outcome=outcome, report=found_by)
        if outcome.release is None:
            break
        review.approve(workspace, outcome.release, actor="benchmark-reviewer", note="measured")
    workspace.ledger.close()


def _figures(repeats: Sequence[Sequence[Run]], runs: int) -> Iterator[Measured]:
    first = [_shares(repeat[0]) for repeat in repeats]
    eval_items = sum(repeat[0].outcome.eval_items for repeat in repeats)
    before, after = (_mean(first, f"recall_{side}") for side in ("before", "after"))
    worst = min(shares["recall_after"] for shares in first)
    yield Measured(
        name="run 1 recall before", value=before, unit="share", goal="<= 0.10", n=eval_items, met=before <= 0.1
    )
    yield Measured(
        name="run 1 recall after", value=after, unit="share", goal=">= 0.85", n=eval_items, met=after >= 0.85
    )
    yield Measured(name="run 1 recall after, worst seed", value=worst, unit="share", n=eval_items // len(repeats))
    for repeat in repeats:
        for number, run in enumerate(repeat, start=1):
            yield _change(run, number, "base knowledge", "retention", "base_")
        yield _change(repeat[0], 1, "skills", "regression", "")
    if runs == RUNS:
        yield from _kept(repeats)
    yield from _cost(repeats)


def _change(run: Run, number: int, name: str, gate: str, prefix: str) -> Measured:
    """A standing suite's change since the base model in points, paired item by item: the gate's own interval."""
    result = next(result for result in run.report.results if result.gate == gate)
    figures = {
        figure.name.removeprefix(prefix): figure.value for figure in result.figures if figure.name.startswith(prefix)
    }
    change, lower, upper = (100 * figures[key] for key in ("difference", "lower_bound", "upper_bound"))
    return Measured(
        name=f"seed {run.seed}: {name} after run {number}, change (90 %)",
        value=change,
        unit="points",
        n=int(figures["items"]),
        interval=(lower, upper),
        goal=">= -3" if number == 1 else "",
        met=change >= -3 if number == 1 else None,
    )


def _kept(repeats: Sequence[Sequence[Run]]) -> Iterator[Measured]:
    """How many seeds passed all runs, and the share of the earlier ones' recall that is left after the last."""
    passed = sum(len(repeat) == RUNS and repeat[-1].outcome.release is not None for repeat in repeats) / len(repeats)
    yield Measured(name="seeds whose three runs all passed", value=passed, unit="share", n=len(repeats))
    whole = [repeat for repeat in repeats if len(repeat) == RUNS]
    if not whole:
        return
    learned = [fmean(_shares(run)["recall_after"] for run in repeat[:-1]) for repeat in whole]
    left = [_shares(repeat[-1])["earlier_releases_after"] for repeat in whole]
    share = fmean(kept / taught for kept, taught in zip(left, learned, strict=True))
    yield Measured(
        name="earlier releases kept after run 3",
        value=share,
        unit="share",
        goal=">= 0.90",
        n=len(whole),
        met=share >= 0.9,
    )


def _cost(repeats: Sequence[Sequence[Run]]) -> Iterator[Measured]:
    runs = [run.outcome for repeat in repeats for run in repeat]
    yield Measured(name="seconds a run", value=fmean(n.seconds_total for n in runs), unit="s", n=len(runs))


def _shares(run: Run) -> dict[str, float]:
    return {figure.name: figure.value for figure in run.outcome.figures}


def _mean(shares: Sequence[dict[str, float]], name: str) -> float:
    return fmean(share[name] for share in shares)


if __name__ == "__main__":
    main()
