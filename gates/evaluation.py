"""Judges one candidate: verifies it, measures it and its rivals, gathers the evidence, and lets every gate speak.

Knows no database and no MLflow; it returns values, and somebody else acts on them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gates.catalogue import Check, checks
from gates.evidence import NEW, WITHDRAWN, Evidence, ReleaseEvalSet, Unmeasured
from gates.locality import NEIGHBOURS, neighbour_items
from gates.policy import ALWAYS_REQUIRED, combine, policy_digest, policy_of
from gates.recall import recall
from gates.suite import Suite, Suites, eval_item_suite
from pipeline import progress
from pipeline.errors import CorruptAdapter, MeasurementFailed, SealedError, WrongBase
from pipeline.recipe import PolicyRules, Recipe
from pipeline.self_edits.edit_sets import validation_items
from pipeline.types import (
    AdapterManifest,
    Document,
    EvalItem,
    GateReport,
    GateResult,
    ModelRef,
    RunKind,
    Scores,
    Update,
    UpdatePlan,
    Verdict,
)

if TYPE_CHECKING:
    from pipeline.engines.base import BaseModel


def evaluate_candidate(
    base: "BaseModel",
    *,
    update: Update,
    plan: UpdatePlan,
    manifest: AdapterManifest,
    candidate_dir: Path,
    production: ModelRef,
    production_dir: Path | None,
    run: Sequence[Document],
    earlier: Sequence[tuple[int, tuple[EvalItem, ...]]],
    suites: Suites,
    recipe: Recipe,
    cache: Path,
    kind: RunKind = RunKind.NIGHTLY,
    withdrawn: Sequence[Document] = (),
    rewarded: Sequence[EvalItem] = (),
    writing: tuple[Scores, Scores] | None = None,
) -> tuple[GateReport, Evidence]:
    """Measures candidate, production model and base model on what the gates need, and returns report and evidence.

    earlier: per production release its number and its test eval items, grouped by document
    (`gates.evidence.held_out_items`). withdrawn: what a rebuild is to forget, as far as the production model was taught
    it. rewarded: the questions by which a practice rewarded notes. writing: what one self-edit by the production model
    teaches, and one by the candidate (suite `gates.evidence.WRITING`); None: that was not measured.

    A candidate that does not verify is never
    loaded: every other gate is then INCONCLUSIVE. A suite that cannot be measured makes the gates that need it
    INCONCLUSIVE. Raises BadRecipe for a gate that nobody has.
    """
    policy, chose = policy_of(recipe.policy, kind, withdrawn=bool(withdrawn)), recipe.self_edits.choosing
    gates = checks(policy, kind)
    evidence = Evidence(
        update=update.id,
        candidate=ModelRef(base=production.base, adapter=manifest.adapter),
        production=production,
        manifest=manifest,
        integrity=_integrity(base, manifest, candidate_dir),
        examples=plan.examples,
        run=tuple(run),
        earlier=tuple(ReleaseEvalSet(release=release, eval_items=eval_items) for release, eval_items in earlier),
        suites=suites,
        validation=(*rewarded, *(eval_item for document in run for eval_item in validation_items(document) if chose)),
        withdrawn=tuple(withdrawn),
    )
    if evidence.integrity is None:
        ask = partial(_ask, base, policy=policy, cache=cache)
        evidence = _measured(evidence, candidate_dir, production_dir, ask)
        evidence = _with_writing(evidence, writing) if writing else evidence
    return report_on(evidence, policy, gates), evidence


def _with_writing(evidence: Evidence, writing: tuple[Scores, Scores]) -> Evidence:
    live, candidate = writing
    return replace(
        evidence,
        production_scores=(*evidence.production_scores, live),
        candidate_scores=(*evidence.candidate_scores, candidate),
    )


def report_on(evidence: Evidence, policy: PolicyRules, gates: Sequence[tuple[str, Check]]) -> GateReport:
    """The verdicts over evidence that has been gathered. Pure as far as the gates are."""
    return GateReport(
        update=evidence.update,
        candidate=evidence.candidate,
        production=evidence.production,
        policy=policy_digest(policy),
        results=combine([_judge(name, check, evidence, policy) for name, check in gates], policy),
        recall=recall(evidence),
    )


def _judge(name: str, check: Check, evidence: Evidence, policy: PolicyRules) -> GateResult:
    """A gate that cannot judge says why, and that is not a pass."""
    if evidence.integrity is not None and name != ALWAYS_REQUIRED:
        reason = "not measured, because integrity failed"
        return GateResult(gate=name, verdict=Verdict.INCONCLUSIVE, sentence=f"{name}: {reason}")
    try:
        return replace(check(evidence, policy), gate=name)
    except SealedError as error:
        return GateResult(gate=name, verdict=Verdict.INCONCLUSIVE, sentence=f"{name}: {error}")


def _integrity(base: "BaseModel", manifest: AdapterManifest, folder: Path) -> str | None:
    """What is wrong with the adapter, in words: its files first, and then whether it fits the loaded base."""
    from pipeline.adapters.format import verify_adapter
    from pipeline.engines.base import with_adapter

    try:
        verify_adapter(folder, base.identity, manifest.digest)
        with with_adapter(base, folder):
            return None
    except (CorruptAdapter, WrongBase) as error:
        return str(error)


def _measured(
    evidence: Evidence,
    candidate_dir: Path,
    production_dir: Path | None,
    ask: Callable[[str, ModelRef, Path | None, Sequence[Suite]], tuple[tuple[Scores, ...], tuple[Unmeasured, ...]]],
) -> Evidence:
    standing = evidence.suites.all
    run = [eval_item_suite(NEW, evidence.new_items)] if evidence.new_items else []
    release_sets = [eval_item_suite(release_set.suite, release_set.eval_items) for release_set in evidence.earlier]
    gone = [eval_item_suite(WITHDRAWN, evidence.withdrawn_items)] if evidence.withdrawn_items else []
    beside = neighbour_items(evidence.run, evidence.known, evidence.examples)
    neighbours = [eval_item_suite(NEIGHBOURS, beside)] if beside else []
    everything = (*run, *gone, *neighbours, *release_sets, *standing)
    base = ModelRef(base=evidence.production.base)
    candidate, first = ask("the candidate", evidence.candidate, candidate_dir, everything)
    production, second = ask("the production model", evidence.production, production_dir, everything)
    base_comparison, third = ask("the base model", base, None, (*gone, *standing))
    return replace(
        evidence,
        candidate_scores=candidate,
        production_scores=production,
        base_scores=base_comparison,
        unmeasured=(*first, *second, *third),
    )


def _ask(
    base: "BaseModel",
    who: str,
    ref: ModelRef,
    folder: Path | None,
    suites: Sequence[Suite],
    *,
    policy: PolicyRules,
    cache: Path,
) -> tuple[tuple[Scores, ...], tuple[Unmeasured, ...]]:
    """All suites at once; where one cannot be measured, one by one, so that it spoils no other."""
    from gates.measure import measure

    try:
        with progress.step(f"gates: asking {who}"):
            return measure(base, ref, folder, suites, policy, cache), ()
    except MeasurementFailed as error:
        if len(suites) == 1:
            return (), (Unmeasured(suite=suites[0].name, reason=str(error)),)
    except SealedError as error:
        return (), tuple(Unmeasured(suite=suite.name, reason=f"{who}: {error}") for suite in suites)
    alone = [_ask(base, who, ref, folder, [suite], policy=policy, cache=cache) for suite in suites]
    return tuple(one for scores, _ in alone for one in scores), tuple(one for _, failed in alone for one in failed)
