"""What the gate `retention` costs after five runs and after thirty: questions asked of a candidate, and seconds."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.figures import Measured
from benchmarks.gates_speed import random_adapter
from flows.services.gate_runs import adapter_case
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from gates.catalogue import policy_of_foreign
from gates.draws import draw
from gates.evaluation import evaluate_part
from gates.evidence import Case, ReleaseEvalSet, held_out_items
from pipeline.adapters.foreign import take_foreign
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents
from pipeline.types import Checkpoint, ModelRef

SEED, RUNS, DOCUMENTS = 40_031, (5, 30), 13  # so many documents have some hundred questions
PAIRS, QUICK_PAIRS = 5, 1
GOAL = 1.2


def measured(quick: bool) -> list[Measured]:
    """Both numbers of runs are gated in turn, each time with an adapter that no score is kept of."""
    with tempfile.TemporaryDirectory(prefix="sealed-retention-") as folder:
        workspace = init_workspace(Path(folder) / "workspace", str(model_path()), actor="benchmark")
        earlier = {runs: _earlier(runs) for runs in RUNS}
        seconds: dict[int, list[float]] = {runs: [] for runs in RUNS}
        for pair in range(-1, QUICK_PAIRS if quick else PAIRS):  # the first keeps production's scores
            for runs in RUNS:
                case = _case(workspace, Path(folder) / f"adapter-{pair}-{runs}", pair + 1, earlier[runs])
                took = _gated(workspace, case)
                if pair >= 0:
                    seconds[runs].append(took)
        asked = {runs: _asked(workspace, earlier[runs]) for runs in RUNS}
        workspace.ledger.close()
    return list(_figures(asked, seconds))


def _earlier(runs: int) -> tuple[ReleaseEvalSet, ...]:
    return tuple(
        ReleaseEvalSet(release=run, eval_items=held_out_items(run_documents(run, DOCUMENTS, SEED)))
        for run in range(1, runs + 1)
    )


def _case(workspace: Workspace, folder: Path, seed: int, earlier: tuple[ReleaseEvalSet, ...]) -> Case:
    """A candidate that changed next to nothing, after so many releases."""
    base, out = workspace.base, folder / "taken"
    manifest = take_foreign(random_adapter(workspace, folder / "made", seed=seed), base.identity, base.model, out)
    case = adapter_case(workspace, workspace.ledger.releases.production(), out, manifest)
    candidate = Checkpoint(ModelRef(base=base.identity.model, adapter=manifest.adapter), out)
    return replace(case, candidate=candidate, earlier=earlier)


def _gated(workspace: Workspace, case: Case) -> float:
    policy = policy_of_foreign(workspace.recipe.policy)
    case = replace(case, earlier=draw(case.earlier, policy.retention.max_earlier_items))
    began = time.perf_counter()
    evaluate_part(workspace.base, case, policy, workspace.settings.cache, gates=("retention",))
    return time.perf_counter() - began


def _asked(workspace: Workspace, earlier: Sequence[ReleaseEvalSet]) -> int:
    most = workspace.recipe.policy.retention.max_earlier_items
    standing = sum(map(len, workspace.suites.retention))
    return standing + sum(len(one.eval_items) for one in draw(earlier, most))


def _figures(asked: dict[int, int], seconds: dict[int, list[float]]) -> list[Measured]:
    early, late = RUNS
    ratios = sorted(second / first for first, second in zip(seconds[early], seconds[late], strict=True))
    counts = [
        Measured(name=f"questions asked of a candidate after {runs} runs", value=asked[runs], unit="questions")
        for runs in RUNS
    ]
    times = [
        Measured(name=f"seconds of the gate after {runs} runs", value=median(seconds[runs]), unit="s", n=len(ratios))
        for runs in RUNS
    ]
    ratio = Measured(
        name=f"the gate after {late} runs, times that after {early}",
        value=median(ratios),
        unit="x",
        goal=f"<= {GOAL:g}",
        n=len(ratios),
        interval=(ratios[0], ratios[-1]),
        met=median(ratios) <= GOAL,
    )
    return [*counts, *times, ratio]
