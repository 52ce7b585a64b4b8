"""Judges a release or any LoRA adapter of the base by the workspace's gates, now. Changes nothing but the cache."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from flows.services.eval_sets import earlier_eval_sets
from flows.services.gate_plans import expect_possible
from flows.services.serving_trial import try_serving
from flows.wiring import Workspace
from gates.catalogue import policy_of_foreign
from gates.evaluation import evaluate
from gates.evidence import Case, Evidence, Unmeasured
from pipeline.adapters.foreign import take_foreign
from pipeline.errors import BadInput
from pipeline.rendering import dated_today
from pipeline.types import AdapterManifest, Checkpoint, GateReport, ModelRef, Release, RunKind, Verdict


class Outcome(StrEnum):
    """What gating came to. NOT_MEASURED: something outside failed, so that it is no verdict on the adapter."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_MEASURED = "NOT_MEASURED"


@dataclass(frozen=True, kw_only=True)
class Gated:
    """The report on a candidate, its name for people, and the suites that could not be asked."""

    candidate: str
    report: GateReport
    evidence: Evidence

    @property
    def unmeasured(self) -> tuple[Unmeasured, ...]:
        """The suites that could not be asked, each reason once: the same one holds of several models."""
        return tuple(dict.fromkeys(self.evidence.unmeasured))

    @property
    def outcome(self) -> Outcome:
        """The verdict; where it would be INCONCLUSIVE because a suite could not be asked, NOT_MEASURED."""
        if self.report.verdict is Verdict.INCONCLUSIVE and self.unmeasured:
            return Outcome.NOT_MEASURED
        return Outcome(self.report.verdict)


def gate(workspace: Workspace, named: str) -> Gated:
    """Judges the release of that number, or the adapter in that folder, against production and the base model.

    It is judged as a rebuild is: on all that must not be lost. What a run's documents taught, and what an adapter was
    trained on, is not asked. Raises NoSuchRelease, BadInput where `named` is neither, BadRecipe, CorruptAdapter,
    WrongBase, and BadSignature where production cannot be verified.
    """
    expect_possible(workspace)
    with dated_today(), _candidate(workspace, named) as (folder, manifest):
        case = adapter_case(workspace, workspace.ledger.releases.production(), folder, manifest)
        case = replace(case, served=try_serving(workspace, case.candidate, manifest))
        policy = policy_of_foreign(workspace.recipe.policy)
        report, evidence = evaluate(workspace.base, case, policy, workspace.settings.cache)
    return Gated(candidate=named, report=report, evidence=evidence)


def adapter_case(workspace: Workspace, production: Release, folder: Path, manifest: AdapterManifest) -> Case:
    """The case of an adapter that no run proposes: against `production`, by all that a rebuild must not lose."""
    return Case(
        update=manifest.update,
        manifest=manifest,
        candidate=Checkpoint(ModelRef(base=production.model.base, adapter=manifest.adapter), folder),
        production=workspace.checkpoint(production),
        examples=(),
        suites=workspace.suites,
        kind=RunKind.REBUILD,
        earlier=earlier_eval_sets(workspace),
    )


@contextmanager
def _candidate(workspace: Workspace, named: str) -> Iterator[tuple[Path, AdapterManifest]]:
    """The folder of the adapter in question, whole and verified, and its manifest."""
    if named.isdecimal():
        release = workspace.ledger.releases.get(int(named))
        manifest = workspace.verify_bytes(release)
        if manifest is None:
            raise BadInput("release 0 is the base model, which has no adapter to judge. Give another release.")
        yield workspace.unapproved_adapter(manifest), manifest
        return
    if not Path(named).is_dir():
        raise BadInput(f"{named} is no folder and no number of a release. Give one of them.")
    with tempfile.TemporaryDirectory(prefix="sealed-candidate-") as private:
        out = Path(private) / "adapter"
        base = workspace.base
        yield out, take_foreign(Path(named), base.identity, base.model, out)
