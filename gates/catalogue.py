"""Finds gates by name: those of `gates/checks`, and those that others install under "sealed.gates.checks"."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from gates import checks as built_in_checks
from gates.evidence import Evidence
from gates.policy import LEFT_OUT
from pipeline.errors import BadRecipe
from pipeline.plugins import Plugins
from pipeline.recipe import PolicyRules
from pipeline.types import GateResult, RunKind

Check = Callable[[Evidence, PolicyRules], GateResult]


@runtime_checkable
class Gate(Protocol):
    """What a gate's module holds."""

    def judge(self, evidence: Evidence, policy: PolicyRules) -> GateResult: ...


GATES: Plugins[Gate] = Plugins(kind="gate", package=built_in_checks, group="sealed.gates.checks", protocol=Gate)
# In the order in which a reviewer reads them.
BUILT_IN = (
    "integrity",
    "contamination",
    "acquisition",
    "corrections",
    "retention",
    "regression",
    "safety",
    "withdrawal",
    "writer_improvement",
)


def checks(policy: PolicyRules, kind: RunKind = RunKind.NIGHTLY) -> tuple[tuple[str, Check], ...]:
    """Every gate that runs on such a run, in order: the built-in ones, then all others by name.

    An entry point names a module with `judge(evidence, policy) -> GateResult`; a built-in name cannot be replaced.
    Raises BadRecipe when the policy requires a gate that nobody has, or an installed one has no `judge`.
    """
    known = [*BUILT_IN, *(name for name in GATES.names() if name not in BUILT_IN)]
    if unknown := sorted(set(policy.required) - set(known)):
        raise BadRecipe(f"policy.required names no gate: {', '.join(unknown)}. There are {', '.join(known)}.")
    return tuple((name, GATES.find(name).judge) for name in known if name not in LEFT_OUT[kind])
