"""`sealed gates validate` on the embedded model: a release goes through the product, then its gates are tried."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Measured
from benchmarks.shortened import shorten
from flows.cli.runs import run_nightly
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.steps.gate_validation import RESAMPLED, SIBLINGS, Validation, ValidationWish, validate_gates
from gates.validation.rates import Rate
from pipeline.errors import PolicyError
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import write_runs

SEED = 40_021  # no default was chosen on it
FULL, QUICK = ValidationWish(seeds=20, draws=9), ValidationWish(seeds=2, draws=9)
PASSING, CAUGHT = 0.99, 0.95


def measured(quick: bool) -> list[Measured]:
    """The share of the siblings that pass, and of each damage the share that is caught."""
    with tempfile.TemporaryDirectory(prefix="sealed-gates-") as folder:
        return list(_figures(_validated(Path(folder), QUICK if quick else FULL)))


def _validated(folder: Path, wish: ValidationWish) -> Validation:
    root = folder / "workspace"
    workspace = init_workspace(root, str(model_path()), actor="benchmark")
    shorten(root)
    write_runs(folder / "documents", runs=1, per_run=8, seed=SEED, variant=None)
    outcome = run_nightly(root, folder / "documents" / "run-1")
    if outcome.release is None:
        raise PolicyError(f"the run to be tried was not released: {outcome.sentence}")
    review.approve(workspace, outcome.release, actor="benchmark-reviewer", note="measured")
    found = validate_gates(workspace, wish)
    workspace.ledger.close()
    return found


def _figures(found: Validation) -> Iterator[Measured]:
    of = {rate.kind: rate for rate in found.rates}
    same = [of.pop(SIBLINGS), of.pop(RESAMPLED)]
    for rate in same:
        yield _passing(rate)
    passed, n = sum(rate.passed for rate in same), sum(rate.n for rate in same)
    goal = f">= {PASSING:g}"
    yield Measured(name="A/A: all that pass", value=passed / n, unit="share", goal=goal, n=n, met=passed / n >= PASSING)
    for rate in of.values():
        yield _caught(rate)


def _passing(rate: Rate) -> Measured:
    return Measured(
        name=f"A/A: {rate.kind}: pass", value=rate.passed / rate.n, unit="share", n=rate.n, interval=rate.interval
    )


def _caught(rate: Rate) -> Measured:
    low, high = rate.interval
    return Measured(
        name=f"{rate.kind}: caught ({rate.failed} FAIL, {rate.inconclusive} INCONCLUSIVE)",
        value=rate.caught / rate.n,
        unit="share",
        goal=f">= {CAUGHT:g}",
        n=rate.n,
        interval=(1 - high, 1 - low),
        met=rate.caught / rate.n >= CAUGHT,
    )
