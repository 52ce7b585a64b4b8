"""Which gates judge a run and which of them decide: those of `gates/checks`, and those installed by third parties.

An entry point of the group "sealed.gates.checks" names a module with `judge(evidence, policy) -> GateResult`. One that
judges some kinds of runs alone names them: `JUDGES = (RunKind.NIGHTLY,)`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from gates import checks as built_in_checks
from gates.judging import Evidence, GateResult, PolicyRules, Verdict, result
from pipeline.digests import digest_of
from pipeline.errors import BadRecipe
from pipeline.plugins import Plugins
from pipeline.types import RunKind

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
    "contradictions",
    "acquisition",
    "corrections",
    "retention",
    "regression",
    "perplexity",
    "drift",
    "safety",
    "triggers",
    "withdrawal",
    "writer_improvement",
    "diversity",
    "serving",
    "second_opinion",
)
OPINION = "second_opinion"  # a model's: it may inform, and never decides
ALWAYS_REQUIRED, EXAMPLES_GATE = "integrity", "contamination"
TEXT_GATE, DRIFT_GATE, TRIGGER_GATE = "perplexity", "drift", "triggers"
WRITING_GATE, SERVING_GATE, CONTRADICTION_GATE = "diversity", "serving", "contradictions"
# The built-in gate by which such a run is judged, whatever the policy requires: nothing new is learned there.
_OWN = {RunKind.REBUILD: "withdrawal", RunKind.WRITER_TRAINING: "writer_improvement"}


def checks(policy: PolicyRules, kind: RunKind = RunKind.NIGHTLY) -> tuple[tuple[str, Check], ...]:
    """Every gate that judges such a run, by name, in order: the built-in ones, then all others sorted.

    A built-in name cannot be replaced. Raises BadRecipe when the policy requires a gate that nobody has, or an
    installed one has no `judge`.
    """
    known = [*BUILT_IN, *(name for name in GATES.names() if name not in BUILT_IN)]
    if unknown := sorted(set(policy.required) - set(known)):
        raise BadRecipe(f"policy.required names what is no gate: {', '.join(unknown)}. There are {', '.join(known)}.")
    if OPINION in policy.required:
        raise BadRecipe(f"policy.required names {OPINION}, which is a model's and may only inform. Take it out.")
    gates = ((name, GATES.find(name)) for name in known)
    return tuple((name, gate.judge) for name, gate in gates if kind in judges(name, gate))


def judges(name: str, gate: Gate) -> frozenset[RunKind]:
    """The kinds of runs that a gate judges: all, unless its module names some. Raises BadRecipe if it names others."""
    named = frozenset(getattr(gate, "JUDGES", RunKind))
    if not named or not named <= frozenset(RunKind):
        raise BadRecipe(f"JUDGES of the gate {name!r} must hold kinds of runs: {', '.join(RunKind)}. Correct it.")
    return named


def policy_digest(policy: PolicyRules) -> str:
    """The policy's identity, recorded with every report."""
    return digest_of("policy", policy.model_dump(mode="json"))


def policy_of(policy: PolicyRules, kind: RunKind, *, withdrawn: bool) -> PolicyRules:
    """The policy for such a run: of the required gates those that judge it, and the run's own.

    withdrawn: whether production was trained on a withdrawn document; then a rebuild must pass the withdrawal gate.
    """
    own = () if kind is RunKind.REBUILD and not withdrawn else tuple(_OWN[at] for at in (kind,) if at in _OWN)
    required = ((name, GATES.find(name)) for name in policy.required if name not in _OWN.values())
    shared = tuple(name for name, gate in required if kind in judges(name, gate))
    return policy if shared + own == policy.required else policy.model_copy(update={"required": shared + own})


def policy_of_foreign(policy: PolicyRules) -> PolicyRules:
    """The policy for an adapter of whose training nothing is known: nobody can look through its examples."""
    return policy.model_copy(update={"required": tuple(name for name in policy.required if name != EXAMPLES_GATE)})


def combine(results: Sequence[GateResult], policy: PolicyRules) -> tuple[GateResult, ...]:
    """Marks which results decide, and adds an INCONCLUSIVE one for every required gate that gave none."""
    required = dict.fromkeys((ALWAYS_REQUIRED, *policy.required))
    given = {one.gate for one in results}
    missing = [
        result(gate, Verdict.INCONCLUSIVE, "required by the policy, and did not run")
        for gate in required
        if gate not in given
    ]
    return tuple(replace(one, required=one.gate in required) for one in (*results, *missing))
