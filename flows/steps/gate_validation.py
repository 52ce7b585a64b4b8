"""Tries the gates themselves: adapters that differ by nothing but the seed, and adapters with planted damage.

Changes nothing but the cache of scores; what is trained for it is removed again.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from flows.services.gate_plans import expect_possible
from flows.services.gate_runs import adapter_case
from flows.services.serving_trial import try_serving
from flows.steps.updates import plan_of, rehearsal_rules_after, weighed
from flows.wiring import Workspace
from gates.catalogue import checks, policy_of, policy_of_foreign
from gates.evaluation import evaluate, report_on
from gates.evidence import Evidence
from gates.validation.damage import TAUGHT, Damage, damaging_examples
from gates.validation.planting import Planted, Stock, planted, siblings
from gates.validation.rates import Rate, Trial, rates
from gates.validation.resampling import resampled
from gates.validation.wrong_answers import wrong_answers
from pipeline import progress
from pipeline.errors import BadInput
from pipeline.recipe import PolicyRules
from pipeline.rendering import dated_today
from pipeline.training import TrainingJob
from pipeline.types import Example, GateReport, Release, RunKind, UpdatePlan

SIBLINGS = "nothing but the seed"
RESAMPLED = "nothing but the seed, other draws of the items"


@dataclass(frozen=True, kw_only=True)
class ValidationWish:
    """How many adapters of each kind are made, which damage, and on how many draws of the items siblings are judged."""

    seeds: int = 3
    draws: int = 10
    damage: tuple[Damage, ...] = tuple(Damage)


@dataclass(frozen=True, kw_only=True)
class Validation:
    """What the gates said of them. release: whose training was repeated and whose adapter was damaged.

    untried: damage that the suites hold nothing for.
    """

    release: int
    rates: tuple[Rate, ...]
    untried: tuple[Damage, ...]


def validate_gates(workspace: Workspace, wish: ValidationWish) -> Validation:
    """Judges `wish.seeds` siblings of production and as many adapters with each damage, by the recipe's policy.

    As `sealed gates run` judges: on all that must not be lost, against production and the base model. Raises BadInput
    where no release, or no plan of its training, is there to repeat; BadRecipe; whatever training raises.
    """
    expect_possible(workspace)
    with dated_today(), tempfile.TemporaryDirectory(prefix="sealed-validation-") as folder:
        trials = _Trials(workspace=workspace, wish=wish, out=Path(folder))
        found = (*trials.of_siblings(), *trials.of_damage())
    return Validation(release=trials.release.number, rates=rates(found), untried=trials.untried)


@dataclass(frozen=True, kw_only=True)
class _Trials:
    """Makes the adapters and has them judged."""

    workspace: Workspace
    wish: ValidationWish
    out: Path

    @cached_property
    def release(self) -> Release:
        production = self.workspace.ledger.releases.production()
        if not production.number:
            raise BadInput("production is the base model: there is no training to repeat. Release something first.")
        return production

    @cached_property
    def plan(self) -> UpdatePlan:
        plan = plan_of(self.workspace, self.release.update)
        if plan is None:
            why = f"its plan is no longer in {self.workspace.plans}"
        elif plan.update.recipe != self.workspace.recipe.digest:
            why = "the recipe was changed since"
        elif plan.update.scale != 1.0:
            why = "it was scaled down after its training"
        else:
            return plan
        raise BadInput(
            f"the training of release {self.release.number} cannot be repeated: {why}. Validate after the next release."
        )

    @cached_property
    def stock(self) -> Stock:
        return Stock(
            base=self.workspace.base,
            release=self.workspace.checkpoint(self.release),
            rules=weighed(self.workspace.recipe.training, self._kind, self.plan),
            out=self.out,
        )

    @property
    def _kind(self) -> RunKind:
        return next(run.kind for run in self.workspace.ledger.runs.listed() if run.release == self.release.number)

    @property
    def seeds(self) -> range:
        return range(self.wish.seeds)

    @cached_property
    def lessons(self) -> dict[Damage, list[tuple[Example, ...]]]:
        """For each damage that is taught, by seed, what teaches it."""
        suites, wrong = self.workspace.suites, wrong_answers(self.workspace.suites.regression)
        return {
            damage: [damaging_examples(damage, suites, wrong, seed) for seed in self.seeds]
            for damage in self.wish.damage
            if damage in TAUGHT
        }

    @property
    def untried(self) -> tuple[Damage, ...]:
        return tuple(damage for damage, found in self.lessons.items() if not all(found))

    def of_siblings(self) -> Iterator[Trial]:
        """Each sibling as it is, then on other draws of the items."""
        with progress.titled("siblings"):
            made = siblings(self.stock, self._job, self.seeds)
        judged = [self._judged(one, ()) for one in made]
        for seed, (report, _, _) in zip(self.seeds, judged, strict=True):
            yield Trial.of(SIBLINGS, seed, report)
        for seed, (_, evidence, policy) in zip(self.seeds, judged, strict=True):
            for draw in range(self.wish.draws):
                again = report_on(resampled(evidence, draw), policy, checks(policy, RunKind.REBUILD))
                yield Trial.of(RESAMPLED, seed, again)

    def of_damage(self) -> Iterator[Trial]:
        for damage in self.wish.damage:
            if damage in self.untried:
                continue
            lessons = self.lessons.get(damage, [])
            with progress.titled(damage):
                made = planted(self.stock, damage, self.seeds, lessons)
            for seed, one in zip(self.seeds, made, strict=True):
                shown = lessons[seed] if damage is Damage.LEAK else ()
                yield Trial.of(damage, seed, self._judged(one, shown)[0])

    @property
    def _job(self) -> TrainingJob:
        """The release's training, as its run did it."""
        workspace, plan = self.workspace, self.plan
        warm = plan.update.parent.adapter is not None
        parent = workspace.ledger.releases.get(self.release.parent or 0) if warm else None
        behind = workspace.ledger.releases.kinds_behind(parent.number) if parent else frozenset[RunKind]()
        return TrainingJob(
            examples=plan.examples,
            rules=self.stock.rules,
            seed=0,
            parent=workspace.checkpoint(parent) if parent else None,
            rehearsal=rehearsal_rules_after(workspace.recipe.rehearsal, behind),
        )

    def _judged(self, one: Planted, examples: Sequence[Example]) -> tuple[GateReport, Evidence, PolicyRules]:
        """As any adapter is judged; where its `examples` are known, they are looked through as well."""
        folder, manifest = one
        policy = self.workspace.recipe.policy if examples else policy_of_foreign(self.workspace.recipe.policy)
        case = replace(adapter_case(self.workspace, self.release, folder, manifest), examples=tuple(examples))
        if "serving" in policy.required:
            case = replace(case, served=try_serving(self.workspace, case.candidate, manifest))
        report, evidence = evaluate(self.workspace.base, case, policy, self.workspace.settings.cache)
        return report, evidence, policy_of(policy, case.kind, withdrawn=False)
