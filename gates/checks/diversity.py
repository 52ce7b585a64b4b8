"""The writer has not collapsed to one form: how varied its self-edits are. In other runs it informs.

In writer training, production and the candidate wrote about the same documents, on which neither was trained: paired.
"""

from collections.abc import Mapping

from gates.judging import (
    Evidence,
    GateResult,
    PolicyRules,
    RunKind,
    Verdict,
    counted,
    non_inferior,
    percent,
    points,
    result,
    worst,
)
from gates.statistics import clustered_bounds
from gates.writing import Writing

JUDGES = (RunKind.NIGHTLY, RunKind.WRITER_TRAINING)


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """Two shares of each document's text must not fall beyond the margin: its new bytes and its own word pairs."""
    rules, case = policy.diversity, evidence.case
    now, before = Writing.of(case.written), Writing.of(case.written_before)
    if not now.texts:
        return result("diversity", Verdict.INCONCLUSIVE, "the writer's texts were not handed to the gates")
    figures = {"texts": len(case.written), **_figures(now)}
    words = f"{counted(len(case.written), 'self-edit')} of {counted(len(now.texts), 'document')}, {_worded(now)}"
    if case.kind is not RunKind.WRITER_TRAINING:
        return result("diversity", Verdict.PASS, f"{words}; only writer training compares two writers", figures)
    if not before.texts:
        return result("diversity", Verdict.INCONCLUSIVE, "production's texts on the same documents are missing")
    figures |= _figures(before, "before_")
    changes, seed = [], evidence.seed("diversity")
    for name, (early, late) in _shares(before, now).items():
        changes.append(_change(early, late, policy.alpha, seed))
        figures |= {f"{name}_change": changes[-1][1], f"{name}_lower_bound": changes[-1][0]}
    shared = len(before.texts.keys() | now.texts.keys())
    verdict = worst([non_inferior(one, rules.margin, enough=shared >= rules.min_documents) for one in changes])
    found = ", ".join(
        f"{name} {points(mean)} points (lower bound {points(lower)})"
        for name, (lower, mean, _) in zip(("new bytes", "own word pairs"), changes, strict=True)
    )
    sentence = f"{words}; production's {_worded(before)}; {found}, margin {points(rules.margin, signed=False)}"
    if shared < rules.min_documents:
        sentence += f"; at least {counted(rules.min_documents, 'document')} are needed"
    return result("diversity", verdict, sentence, figures)


_Shares = Mapping[str, float]


def _shares(before: Writing, now: Writing) -> dict[str, tuple[_Shares, _Shares]]:
    return {"new_bytes": (before.new_bytes, now.new_bytes), "own_pairs": (before.own_pairs, now.own_pairs)}


def _change(before: _Shares, after: _Shares, alpha: float, seed: int) -> tuple[float, float, float]:
    """Lower bound, mean and upper bound of the change over all documents; what one did not write about is 0."""
    documents = sorted(before.keys() | after.keys())
    differences = [after.get(one, 0.0) - before.get(one, 0.0) for one in documents]
    lower, upper = clustered_bounds(differences, documents, alpha, seed)
    return lower, sum(differences) / len(differences), upper


def _worded(writing: Writing) -> str:
    return f"{writing.compression:.1f} times smaller compressed, {percent(writing.distinct_pairs)} distinct word pairs"


def _figures(writing: Writing, prefix: str = "") -> dict[str, float]:
    return {f"{prefix}compression_ratio": writing.compression, f"{prefix}distinct_2": writing.distinct_pairs}
