"""Finds gates by name: those of `gates/checks`, and those that others install under "sealed.gates.checks"."""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from gates.evidence import Evidence
from gates.policy import LEFT_OUT
from pipeline.errors import BadRecipe
from pipeline.recipe import PolicyRules
from pipeline.types import GateResult, RunKind

Check = Callable[[Evidence, PolicyRules], GateResult]

GROUP = "sealed.gates.checks"
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
    """Every gate that runs on such a run, in order: the built-in ones, then all installed ones by name.

    An entry point names a module with `judge(evidence, policy) -> GateResult`; a built-in name cannot be replaced.
    Raises BadRecipe when the policy requires a gate that nobody has.
    """
    installed = {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in BUILT_IN}
    unknown = sorted(set(policy.required) - set(BUILT_IN) - set(installed))
    if unknown:
        known = ", ".join([*BUILT_IN, *sorted(installed)])
        raise BadRecipe(f"policy.required names no gate: {', '.join(unknown)}. There are {known}.")
    own = [(name, import_module(f"gates.checks.{name}").judge) for name in BUILT_IN if name not in LEFT_OUT[kind]]
    others = [(name, installed[name].load().judge) for name in sorted(installed)]
    return (*own, *others)
