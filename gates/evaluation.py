"""Evaluates one candidate: verifies it, measures it, production and the base model, and has every gate judge.

Knows no database and no MLflow; it returns values, and its caller acts on them.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from gates import shares
from gates.catalogue import (
    ALWAYS_REQUIRED,
    CONTRADICTION_GATE,
    DRIFT_GATE,
    EXAMPLES_GATE,
    OPINION,
    SERVING_GATE,
    TEXT_GATE,
    TRIGGER_GATE,
    WRITING_GATE,
    Check,
    checks,
    combine,
    policy_digest,
    policy_of,
)
from gates.corrections import locality_items
from gates.divergence import drift
from gates.draws import draw
from gates.evidence import DRIFT, LOCALITY, TRIGGERS, WITHDRAWN, Case, Evidence, Unmeasured
from gates.judging import GateResult, PolicyRules, Verdict, result
from gates.measure import measure
from gates.second_opinion import Judge, second_opinion
from gates.suite import Suite, eval_item_suite
from gates.trigger_items import trigger_items
from pipeline import progress
from pipeline.adapters.format import verify_adapter
from pipeline.engines.base import BaseModel, with_adapter
from pipeline.errors import CorruptAdapter, MeasurementFailed, SealedError, WrongBase
from pipeline.types import Checkpoint, GateReport, ModelRef, Scores

_Measured = tuple[tuple[Scores, ...], tuple[Unmeasured, ...]]


def evaluate(
    base: BaseModel, case: Case, policy: PolicyRules, cache: Path, judge: Judge | None = None
) -> tuple[GateReport, Evidence]:
    """Measures candidate, production and base model on what the gates need; returns the report and the evidence.

    A candidate that does not verify is never loaded: every other gate is then INCONCLUSIVE. A suite that cannot be
    measured makes the gates that need it INCONCLUSIVE. cache: the folder where scores are kept. judge: who is asked for
    a second opinion on this run's answers, which informs and decides nothing.
    Raises BadRecipe for a required gate that nobody has.
    """
    policy = policy_of(policy, case.kind, withdrawn=bool(case.withdrawn))
    case = with_draws(case, policy)
    gates = [one for one in checks(policy, case.kind) if one[0] in policy.required or _can_inform(one[0], case, judge)]
    evidence = _gathered(base, case, policy, cache, [name for name, _ in gates])
    if judge and evidence.integrity is None:
        evidence = replace(evidence, opinion=second_opinion(judge, evidence))
    return report_on(evidence, policy, gates), evidence


def evaluate_part(
    base: BaseModel, case: Case, policy: PolicyRules, cache: Path, *, gates: Collection[str]
) -> GateReport:
    """What these gates alone say of an adapter that was trained on a part of a run's documents.

    It is asked no more than they need, of the phrases and the draw that the case has: those of the whole run, as
    `with_draws` gives them. A suite that cannot be measured is no verdict on any document: raises
    MeasurementFailed, and whatever loading an adapter raises.
    """
    policy = policy.model_copy(update={"required": tuple(gates)})
    chosen = [one for one in checks(policy, case.kind) if one[0] in (ALWAYS_REQUIRED, *gates)]
    evidence = _gathered(base, case, policy, cache, gates, _suites_of(case, gates))
    for failure in evidence.unmeasured:
        raise MeasurementFailed(f"{failure.suite} was not measured: {failure.reason}")
    return report_on(evidence, policy, chosen)


def _suites_of(case: Case, gates: Collection[str]) -> Sequence[Suite] | None:
    """The suites that these gates ask; None, and so all, where one is among them of which that is not known."""
    earlier = case.known_suites[: len(case.asked_earlier)]
    known = {
        "retention": (*earlier, *case.suites.retention, *case.sampled_suites),
        "regression": case.suites.regression,
        "safety": case.suites.safety,
        TEXT_GATE: case.suites.perplexity,
        TRIGGER_GATE: [suite for suite in case.own_suites if suite.name == TRIGGERS],
        DRIFT_GATE: (),  # it reads plain text by distributions, which no suite gives
        CONTRADICTION_GATE: (),  # production was asked before anything was trained
    }
    return None if set(gates) - set(known) else [suite for gate in gates for suite in known[gate]]


def _can_inform(gate: str, case: Case, judge: Judge | None) -> bool:
    """Whether a gate that does not decide has anything to say: of texts, examples, a judge, where there are some."""
    something = {
        TEXT_GATE: case.suites.perplexity,
        DRIFT_GATE: case.suites.perplexity,
        EXAMPLES_GATE: case.examples,
        TRIGGER_GATE: case.trigger_items,
        WRITING_GATE: case.written,
        SERVING_GATE: case.served,
        CONTRADICTION_GATE: case.contradictions,
        OPINION: judge,
    }
    return bool(something.get(gate, True))


def with_draws(case: Case, policy: PolicyRules) -> Case:
    """The case with what the policy draws: eval items of earlier releases, samples of answers, and trigger items."""
    known = {eval_item.id: eval_item for suite in case.suites.retention for eval_item in suite.eval_items}
    usual = (*case.usual, *(item.text for item in case.suites.texts), *(item.question for item in case.known))
    return replace(
        case,
        drawn=draw(case.earlier, policy.retention.max_earlier_items),
        samples=policy.retention.samples,
        trigger_items=trigger_items(case.documents, tuple(known.values()), usual, policy.triggers.max_items),
    )


def _gathered(
    base: BaseModel,
    case: Case,
    policy: PolicyRules,
    cache: Path,
    gates: Collection[str],
    asked: Sequence[Suite] | None = None,
) -> Evidence:
    """What is measured for these gates; nothing of an adapter that does not verify."""
    evidence = Evidence(case=case, integrity=_integrity(base, case))
    if evidence.integrity is not None:
        return evidence
    evidence = _measured(base, case, policy, cache, asked)
    return _with_drift(base, evidence, policy, cache) if DRIFT_GATE in gates else evidence


def _with_drift(base: BaseModel, evidence: Evidence, policy: PolicyRules, cache: Path) -> Evidence:
    """The evidence with the divergences on plain text, or with the reason why there are none."""
    try:
        with progress.titled("gates: comparing distributions"):
            return replace(evidence, drift=drift(base, evidence.case, policy, cache))
    except SealedError as error:
        failed = Unmeasured(suite=DRIFT, reason=str(error))
        return replace(evidence, unmeasured=(*evidence.unmeasured, failed))


def report_on(evidence: Evidence, policy: PolicyRules, gates: Sequence[tuple[str, Check]]) -> GateReport:
    """The report of these gates over evidence that has been gathered."""
    return GateReport(
        update=evidence.case.update,
        candidate=evidence.case.candidate.ref,
        production=evidence.case.production.ref,
        policy=policy_digest(policy),
        results=combine([_judge(name, check, evidence, policy) for name, check in gates], policy),
        recall=shares.figures(shares.shares(evidence)),
    )


def _judge(name: str, check: Check, evidence: Evidence, policy: PolicyRules) -> GateResult:
    """A gate that cannot judge says why, and that is not a pass."""
    if evidence.integrity is not None and name != ALWAYS_REQUIRED:
        return result(name, Verdict.INCONCLUSIVE, "not measured, because integrity failed")
    try:
        return replace(check(evidence, policy), gate=name)
    except SealedError as error:
        return result(name, Verdict.INCONCLUSIVE, str(error))


def _integrity(base: BaseModel, case: Case) -> str | None:
    """What is wrong with the adapter, in words: its files first, and then whether it fits the loaded base."""
    folder = case.candidate.folder
    if folder is None:
        return "the candidate has no adapter folder"
    try:
        verify_adapter(folder, base.identity, case.manifest.digest)
        with with_adapter(base, folder):
            return None
    except (CorruptAdapter, WrongBase) as error:
        return str(error)


def _measured(
    base: BaseModel, case: Case, policy: PolicyRules, cache: Path, asked: Sequence[Suite] | None = None
) -> Evidence:
    """Asks all that the case has, or the suites `asked`."""
    everything = _every_suite(case) if asked is None else asked
    always = (*case.suites.all, *case.suites.perplexity, *case.sampled_suites)
    standing = {WITHDRAWN, *(suite.name for suite in always)}
    of_base = [suite for suite in everything if suite.name in standing]
    base_model = Checkpoint(ModelRef(base=case.production.ref.base))
    ask = partial(_ask, base, policy=policy, cache=cache)
    candidate, first = ask("the candidate", case.candidate, everything)
    production, second = ask("the production model", case.production, everything)
    reference, third = ask("the base model", base_model, of_base)
    old_writer, new_writer = ((scores,) for scores in case.writer_scores) if case.writer_scores else ((), ())
    return Evidence(
        case=case,
        candidate_scores=(*candidate, *new_writer),
        production_scores=(*production, *old_writer),
        base_scores=reference,
        unmeasured=(*first, *second, *third),
    )


def _every_suite(case: Case) -> tuple[Suite, ...]:
    items = locality_items(case.documents, case.known, case.examples)
    locality = [eval_item_suite(LOCALITY, items)] if items else []
    return (*case.own_suites, *locality, *case.known_suites, *case.suites.perplexity, *case.sampled_suites)


def _ask(
    base: BaseModel, who: str, model: Checkpoint, suites: Sequence[Suite], *, policy: PolicyRules, cache: Path
) -> _Measured:
    """All suites at once; where one cannot be measured, one by one, so that the others still are."""
    try:
        with progress.titled(f"gates: asking {who}"):
            return measure(base, model, suites, policy, cache), ()
    except MeasurementFailed as error:
        if len(suites) == 1:
            return (), (Unmeasured(suite=suites[0].name, reason=str(error)),)
    except SealedError as error:
        return (), tuple(Unmeasured(suite=suite.name, reason=f"{who}: {error}") for suite in suites)
    alone = [_ask(base, who, model, [suite], policy=policy, cache=cache) for suite in suites]
    return tuple(one for scores, _ in alone for one in scores), tuple(one for _, failed in alone for one in failed)
