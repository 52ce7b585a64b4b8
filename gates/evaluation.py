"""Judges one candidate: verifies it, measures it and its rivals, gathers the evidence, and lets every gate speak.

Knows no database and no MLflow; it returns values, and somebody else acts on them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gates.catalogue import Check, checks
from gates.evidence import NIGHT, WITHDRAWN, Evidence, Lesson, Unmeasured
from gates.locality import NEIGHBOURS, neighbour_probes
from gates.policy import ALWAYS_REQUIRED, combine, policy_digest, policy_of
from gates.recall import recall
from gates.suite import Suite, Suites, probe_suite
from pipeline.errors import CorruptAdapter, MeasurementFailed, SealedError, WrongBase
from pipeline.recipe import PolicyRules, Recipe
from pipeline.self_edits.edit_sets import practice_probes
from pipeline.types import (
    AdapterManifest,
    Document,
    GateReport,
    GateResult,
    ModelRef,
    NightKind,
    Probe,
    Scores,
    Update,
    UpdatePlan,
    Verdict,
)

if TYPE_CHECKING:
    from pipeline.engines.base import BaseModel

Progress = Callable[[str, int, int], None]


def judge_candidate(
    base: "BaseModel",
    *,
    update: Update,
    plan: UpdatePlan,
    manifest: AdapterManifest,
    candidate_dir: Path,
    incumbent: ModelRef,
    incumbent_dir: Path | None,
    night: Sequence[Document],
    earlier: Sequence[tuple[int, tuple[Probe, ...]]],
    suites: Suites,
    recipe: Recipe,
    cache: Path,
    kind: NightKind = NightKind.NIGHTLY,
    withdrawn: Sequence[Document] = (),
    rewarded: Sequence[Probe] = (),
    writing: tuple[Scores, Scores] | None = None,
    progress: Progress | None = None,
) -> tuple[GateReport, Evidence]:
    """Measures candidate, live model and untouched base on what the gates need, and returns report and evidence.

    earlier: per live release its number and its exam probes, grouped by document (`gates.evidence.exam_probes`).
    withdrawn: what a rebuild is to forget, as far as the live model was taught it.
    rewarded: the questions by which a practice rewarded notes. writing: what one self-edit by the live model teaches,
    and one by the candidate (suite `gates.evidence.WRITING`); None: that was not measured.
    progress: told in words which model is asked, and how many answers of how many it has given.
    A candidate that does not verify is never loaded: every other gate is then INCONCLUSIVE. A suite that cannot be
    measured makes the gates that need it INCONCLUSIVE. Raises BadRecipe for a gate that nobody has.
    """
    policy, chose = policy_of(recipe.policy, kind, withdrawn=bool(withdrawn)), recipe.self_edits.choosing
    gates = checks(policy, kind)
    evidence = Evidence(
        update=update.id,
        candidate=ModelRef(base=incumbent.base, adapter=manifest.adapter),
        incumbent=incumbent,
        manifest=manifest,
        integrity=_integrity(base, manifest, candidate_dir),
        examples=plan.examples,
        night=tuple(night),
        earlier=tuple(Lesson(release=release, probes=probes) for release, probes in earlier),
        suites=suites,
        practice=(*rewarded, *(probe for document in night for probe in practice_probes(document) if chose)),
        withdrawn=tuple(withdrawn),
    )
    if evidence.integrity is None:
        ask = partial(_ask, base, policy=policy, cache=cache, progress=progress)
        evidence = _measured(evidence, candidate_dir, incumbent_dir, ask)
        evidence = _with_writing(evidence, writing) if writing else evidence
    return report_on(evidence, policy, gates), evidence


def _with_writing(evidence: Evidence, writing: tuple[Scores, Scores]) -> Evidence:
    live, candidate = writing
    return replace(
        evidence,
        incumbent_scores=(*evidence.incumbent_scores, live),
        candidate_scores=(*evidence.candidate_scores, candidate),
    )


def report_on(evidence: Evidence, policy: PolicyRules, gates: Sequence[tuple[str, Check]]) -> GateReport:
    """The verdicts over evidence that has been gathered. Pure as far as the gates are."""
    return GateReport(
        update=evidence.update,
        candidate=evidence.candidate,
        incumbent=evidence.incumbent,
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
    incumbent_dir: Path | None,
    ask: Callable[[str, ModelRef, Path | None, Sequence[Suite]], tuple[tuple[Scores, ...], tuple[Unmeasured, ...]]],
) -> Evidence:
    standing = evidence.suites.all
    night = [probe_suite(NIGHT, evidence.night_probes)] if evidence.night_probes else []
    lessons = [probe_suite(lesson.suite, lesson.probes) for lesson in evidence.earlier]
    gone = [probe_suite(WITHDRAWN, evidence.withdrawn_probes)] if evidence.withdrawn_probes else []
    beside = neighbour_probes(evidence.night, evidence.known, evidence.examples)
    neighbours = [probe_suite(NEIGHBOURS, beside)] if beside else []
    everything = (*night, *gone, *neighbours, *lessons, *standing)
    base = ModelRef(base=evidence.incumbent.base)
    candidate, first = ask("the candidate", evidence.candidate, candidate_dir, everything)
    incumbent, second = ask("the live model", evidence.incumbent, incumbent_dir, everything)
    anchor, third = ask("the untouched base", base, None, (*gone, *standing))
    return replace(
        evidence,
        candidate_scores=candidate,
        incumbent_scores=incumbent,
        anchor_scores=anchor,
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
    progress: Progress | None,
) -> tuple[tuple[Scores, ...], tuple[Unmeasured, ...]]:
    """All suites at once; where one cannot be measured, one by one, so that it spoils no other."""
    from gates.measure import measure

    told = partial(progress, f"asking {who}") if progress else None
    try:
        return measure(base, ref, folder, suites, policy, cache, told), ()
    except MeasurementFailed as error:
        if len(suites) == 1:
            return (), (Unmeasured(suite=suites[0].name, reason=str(error)),)
    except SealedError as error:
        return (), tuple(Unmeasured(suite=suite.name, reason=f"{who}: {error}") for suite in suites)
    alone = [_ask(base, who, ref, folder, [suite], policy=policy, cache=cache, progress=progress) for suite in suites]
    return tuple(one for scores, _ in alone for one in scores), tuple(one for _, failed in alone for one in failed)
