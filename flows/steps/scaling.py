"""Scales a failed run's adapter down until it passes its gates, documents and all: the cheap way to save the run."""

from dataclasses import dataclass, replace

from flows.run_context import RunContext
from flows.services.serving_trial import try_serving
from flows.steps.evaluation import case_of
from flows.steps.guard import training_basis, training_guard
from flows.steps.updates import store_plan, stored_plan, warm_start
from gates.bisect import change_of, find_factor
from gates.evaluation import evaluate
from gates.evidence import Case
from pipeline.progress import step, titled
from pipeline.training import scale_adapter
from pipeline.types import BisectStep, Checkpoint, GateReport, ModelRef, Run, Trained, UpdatePlan, Verdict


@dataclass(frozen=True)
class ScaledPlan:
    """The plan of a scaled update that passed."""

    plan: UpdatePlan

    def chosen(self, context: RunContext, run: Run) -> Run:
        """Makes it the run's update."""
        store_plan(context, run, self.plan, training_basis(context, run, training_guard(context)))
        return context.ledger.runs.get(run.number)


def scale_down(context: RunContext, run: Run, trained: Trained) -> tuple[list[BisectStep], ScaledPlan | None]:
    """What was tried, and the plan with the largest share of the change that passes all gates; None where none does.

    An adapter that is scaled already is not scaled again.
    """
    whole, steps, passed = stored_plan(context, trained.manifest.update), list[BisectStep](), dict[float, UpdatePlan]()
    if whole.update.scale != 1.0:
        return steps, None
    search, case = find_factor(), case_of(context, run, trained)
    try:
        factor = next(search)
        while True:
            plan = replace(whole, update=replace(whole.update, scale=factor))
            report = _judged(context, run, plan, case)
            passed[factor] = plan
            steps.append(
                BisectStep(documents=run.documents, factor=factor, verdict=report.verdict, sentence=_why(report))
            )
            factor = search.send(change_of(report))
    except StopIteration as done:
        return steps, ScaledPlan(passed[done.value]) if done.value is not None else None


def _judged(context: RunContext, run: Run, plan: UpdatePlan, whole: Case) -> GateReport:
    """What the gates say of the scaled adapter, which the serving engine is asked to take like any other."""
    workspace = context.workspace
    out = workspace.folder_of(plan.update.id)
    with titled("bisect"):
        with step(f"scaling the adapter to {plan.update.scale:g}"):
            parent, trained = warm_start(context, run, plan), workspace.folder_of(whole.update)
            made = scale_adapter(workspace.base, trained, plan.update, context.recipe.training, parent=parent, out=out)
        candidate = Checkpoint(ModelRef(base=whole.candidate.ref.base, adapter=made.manifest.adapter), out)
        served = try_serving(workspace, candidate, made.manifest)
        case = replace(whole, update=plan.update.id, manifest=made.manifest, candidate=candidate, served=served)
        report, _ = evaluate(workspace.base, case, context.recipe.policy, workspace.settings.cache)
    return report


def _why(report: GateReport) -> str:
    """What the first gate that did not pass says; empty where all did."""
    missed = (one.sentence for one in report.results if one.required and one.verdict is not Verdict.PASS)
    return next(missed, "")
