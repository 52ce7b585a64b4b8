"""Trains parts of a run's documents side by side, and lets the gates that failed judge each. Keeps what it made."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from flows.run_context import RunContext
from flows.steps.evaluation import case_of
from flows.steps.guard import training_guard
from flows.steps.updates import stored_plan, training_settings, update_input, warm_start
from gates.bisect import Batch, failing_sentence
from gates.evaluation import evaluate_part, with_draws
from gates.evidence import Case
from gates.wording import counted
from pipeline import updates
from pipeline.engines import fits_context
from pipeline.leakage import TrainingGuard
from pipeline.progress import step, titled
from pipeline.training import train_loras
from pipeline.types import BisectStep, Checkpoint, Example, ModelRef, Run, Trained, UpdatePlan

log = logging.getLogger("sealed")


def learnable(learned: updates.UpdateInput, documents: Sequence[str]) -> tuple[str, ...]:
    """Those of the documents (ids) about which there is anything to train on: no other can make an update fail."""
    written = {edit.document for edit in learned.lasting_edits if edit.examples}
    return tuple(one for one in documents if one in written)


@dataclass(frozen=True, kw_only=True)
class PartTrials:
    """What parts of a run are trained and judged with: the plan and the case of the whole run, and the gates.

    Its phrases and its draw of earlier questions are those of the whole run too: a part is asked what failed.
    """

    context: RunContext
    run: Run
    whole: UpdatePlan
    case: Case
    gates: tuple[str, ...]
    learned: updates.UpdateInput
    guard: TrainingGuard
    fits: Callable[[Example], bool]

    @classmethod
    def of(cls, context: RunContext, run: Run, trained: Trained, gates: tuple[str, ...]) -> "PartTrials":
        return cls(
            context=context,
            run=run,
            whole=stored_plan(context, trained.manifest.update),
            case=with_draws(case_of(context, run, trained), context.recipe.policy),
            gates=gates,
            learned=update_input(context, run),
            guard=training_guard(context),
            fits=fits_context(context.workspace.engine, context.recipe.training),
        )

    def tried(self, batch: Batch) -> list[BisectStep]:
        """One step for each part: trained side by side, judged one after another. A `sentence` is that of a FAIL.

        Raises MeasurementFailed, TrainingFailed.
        """
        plans = [self._plan(part) for part in batch]
        with titled("bisect"):
            sizes = "+".join(str(len(part)) for part in batch)
            with step(f"training {counted(len(plans), 'part')} of {sizes} documents"):
                trained = self._trained(plans)
            return [self._judged(*one) for one in zip(batch, plans, trained, strict=True)]

    def _plan(self, part: Collection[str]) -> UpdatePlan:
        recipe = self.context.recipe
        return updates.plan_part(self.whole, self.learned, part, recipe, guard=self.guard, fits=self.fits)

    def _trained(self, plans: Sequence[UpdatePlan]) -> tuple[Trained, ...]:
        workspace = self.context.workspace
        places = [(plan, workspace.folder_of(plan.update.id)) for plan in plans]
        settings = training_settings(self.context, self.run, self.whole)
        return train_loras(workspace.base, places, settings, parent=warm_start(self.context, self.run, self.whole))

    def _judged(self, part: tuple[str, ...], plan: UpdatePlan, trained: Trained) -> BisectStep:
        workspace, documents = self.context.workspace, [one for one in self.case.documents if one.id in part]
        model = ModelRef(base=self.case.candidate.ref.base, adapter=trained.manifest.adapter)
        case = replace(
            self.case,
            update=plan.update.id,
            manifest=trained.manifest,
            candidate=Checkpoint(model, workspace.folder_of(plan.update.id)),
            examples=plan.examples,
            documents=tuple(documents),
        )
        policy, cache = self.context.recipe.policy, workspace.settings.cache
        report = evaluate_part(workspace.base, case, policy, cache, gates=self.gates)
        sentence = failing_sentence(report, self.gates)
        log.info("bisect: %s: %s", counted(len(part), "document"), sentence or report.verdict)
        return BisectStep(documents=part, verdict=report.verdict, sentence=sentence)
