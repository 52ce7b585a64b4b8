"""Documents are withdrawn after three runs, and a rebuild forgets them: what is left of them, and what is kept.

Each seed goes through the whole product: runs, approvals, withdrawal, rebuild, its gates, an approval. What nobody
taught is measured twice: the base model on the withdrawn questions, and the rebuilt model on documents that were
never delivered.
"""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from benchmarks.figures import Measured, write_results
from benchmarks.shortened import shorten
from flows.cli.runs import run_nightly, run_rebuild
from flows.outcome import RunOutcome
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.services.releases import ask
from flows.wiring import Workspace
from gates.evidence import held_out_items
from gates.statistics import wilson
from pipeline.grading import grade
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents, write_runs
from pipeline.types import Document, GateReport

# Disjoint from every seed that tests, the demo, other benchmarks and the choice of the default recipe use.
SEEDS = (60_011, 60_012, 60_013)
RUNS, PER_RUN, WITHDRAWN = 3, 8, 4
# Runs that are written and never delivered: what the rebuilt model answers about them is guessed.
UNSEEN = (RUNS + 1, RUNS + 2, RUNS + 3)


@dataclass(frozen=True, kw_only=True)
class Share:
    """Right answers of n."""

    right: int
    n: int

    def __str__(self) -> str:
        return f"{self.right} of {self.n}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One seed: the rebuild's end and gates, and what is answered of which documents, before and after."""

    seed: int
    outcome: RunOutcome
    report: GateReport
    gone_before: Share
    gone_after: Share
    gone_base: Share
    kept_before: Share
    kept_after: Share
    unseen: Share


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, one run, two documents withdrawn")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    seeds, count, gone = (SEEDS[:1], 1, 2) if options.quick else (SEEDS, RUNS, WITHDRAWN)
    # One folder for all: the scheduler keeps its record in the first workspace until the process ends.
    with tempfile.TemporaryDirectory(prefix="sealed-withdrawal-") as folder:
        runs = [_run(seed, count, gone, Path(folder) / str(seed), options.quick) for seed in seeds]
    write_results("withdrawal", _figures(runs), options.out)


def _run(seed: int, count: int, gone: int, folder: Path, quick: bool) -> Run:
    root = folder / "workspace"
    workspace = init_workspace(root, str(model_path()), actor="benchmark")
    if quick:
        shorten(root)
    _learn(workspace, root, folder / "documents", seed, count)
    learned = [document for _, taught in workspace.ledger.documents.learned() for document in taught]
    # Spread over the runs, so that old and new lessons are forgotten.
    leaving = learned[:: max(1, len(learned) // gone)][:gone]
    staying = [document for document in learned if document not in leaving]
    gone_before, kept_before = _share(workspace, leaving), _share(workspace, staying)
    workspace.ledger.withdrawals.withdraw([one.id for one in leaving], actor="benchmark", reason="measured")
    outcome = run_rebuild(root)
    print(f"seed {seed}, rebuild: {outcome.sentence}", flush=True)
    if outcome.release is None:
        raise SystemExit(f"seed {seed}: the rebuild was not released, so there is nothing to measure")
    review.approve(workspace, outcome.release, actor="benchmark-reviewer", note="measured")
    rebuilt = workspace.ledger.runs.get(outcome.run or 0)
    unseen = [one for number in UNSEEN for one in run_documents(number, PER_RUN, seed)]
    run = Run(
        seed=seed,
        outcome=outcome,
        report=workspace.ledger.reports.get(rebuilt.report or ""),
        gone_before=gone_before,
        gone_after=_share(workspace, leaving),
        gone_base=_share(workspace, leaving, release=0),
        kept_before=kept_before,
        kept_after=_share(workspace, staying),
        unseen=_share(workspace, unseen),
    )
    workspace.ledger.close()
    print(
        f"seed {seed}: withdrawn {run.gone_before} -> {run.gone_after}, base {run.gone_base}; "
        f"kept {run.kept_before} -> {run.kept_after}; never delivered {run.unseen}",
        flush=True,
    )
    return run


def _learn(workspace: Workspace, root: Path, folder: Path, seed: int, count: int) -> None:
    write_runs(folder, runs=count, per_run=PER_RUN, seed=seed, variant=None)
    for number in range(1, count + 1):
        outcome = run_nightly(root, folder / f"run-{number}")
        print(f"seed {seed}, run {number}: {outcome.sentence}", flush=True)
        if outcome.release is None:
            raise SystemExit(f"seed {seed}: run {number} was not released, so there is nothing to withdraw")
        review.approve(workspace, outcome.release, actor="benchmark-reviewer", note="measured")


def _share(workspace: Workspace, of: Sequence[Document], release: int | None = None) -> Share:
    """How many test questions about these documents production, or a release, answers right."""
    eval_items = held_out_items(of)
    answers = ask(workspace, tuple(eval_item.question for eval_item in eval_items), release)
    right = sum(
        round(grade(answer.text, eval_item.answers, eval_item.question))
        for answer, eval_item in zip(answers, eval_items, strict=True)
    )
    return Share(right=right, n=len(eval_items))


def _figures(runs: Sequence[Run]) -> list[Measured]:
    before, after, base, unseen = (
        _pooled("withdrawn: production before", [run.gone_before for run in runs]),
        _pooled("withdrawn: rebuilt", [run.gone_after for run in runs]),
        _pooled("withdrawn: base model, which never saw them", [run.gone_base for run in runs]),
        _pooled("never delivered: rebuilt", [run.unseen for run in runs]),
    )
    kept = [
        _pooled(f"kept: {word}", shares)
        for word, shares in (
            ("production before", [run.kept_before for run in runs]),
            ("rebuilt", [run.kept_after for run in runs]),
        )
    ]
    gates = [_gate(run, gate) for run in runs for gate in ("retention", "regression")]
    seconds = fmean(run.outcome.seconds_total for run in runs)
    return [
        before,
        after,
        base,
        unseen,
        _above("the base", after, base),
        _above("what was never delivered", after, unseen),
        *kept,
        _change("kept: change", kept[0], kept[1]),
        *gates,
        Measured(name="seconds of a rebuild", value=seconds, unit="s", n=len(runs)),
    ]


def _pooled(name: str, shares: Sequence[Share]) -> Measured:
    right, n = sum(share.right for share in shares), sum(share.n for share in shares)
    return Measured(name=name, value=right / n, unit="share", n=n, interval=wilson(right, n, 0.05))


def _above(whom: str, after: Measured, level: Measured) -> Measured:
    excess = 100 * (after.value - level.value)
    name = f"withdrawn: rebuilt above {whom}"
    return Measured(name=name, value=excess, unit="points", n=after.n, goal="<= 3", met=excess <= 3)


def _change(name: str, before: Measured, after: Measured) -> Measured:
    return Measured(name=name, value=100 * (after.value - before.value), unit="points", n=after.n)


def _gate(run: Run, gate: str) -> Measured:
    """base knowledge or skills since the base model, paired item by item: the gate's own interval."""
    result = next(result for result in run.report.results if result.gate == gate)
    found = {f.name.removeprefix("base_"): f.value for f in result.figures if f.name.startswith("base_")}
    change, lower, upper = (100 * found[key] for key in ("difference", "lower_bound", "upper_bound"))
    what = {"retention": "base knowledge", "regression": "skills"}[gate]
    return Measured(
        name=f"seed {run.seed}: {what} since the base (90 %)",
        value=change,
        unit="points",
        n=int(found["items"]),
        interval=(lower, upper),
        goal=">= -3",
        met=change >= -3,
    )


if __name__ == "__main__":
    main()
