"""No test question may stand in the training examples: a figure over questions that were trained on says nothing.

Nor may a validation question by which the run's self-edits were chosen: they would have been chosen for asking it.
"""

from collections.abc import Iterable

from gates.evidence import Evidence
from gates.suite import Suites
from gates.wording import counted
from pipeline.grading import normalise
from pipeline.leakage import held_out_keys, leaked, subject_named, subjects
from pipeline.recipe import PolicyRules
from pipeline.types import EvalItem, Example, Figure, GateResult, Verdict
from pipeline.updates.corrections import corrected_subjects


def judge(evidence: Evidence, _policy: PolicyRules) -> GateResult:
    """FAIL if any example asks an test question of this run, an earlier one or a standing suite (normalised).

    Or of a document that a rebuild is to forget.

    Or if rehearsal prompts or generative replay name what the standing retention questions or this run's corrections
    are about, generative replay also where it garbles the name. Where validation questions chose among candidates, also
    if one asks such a question.
    """
    release_sets = [eval_item for release_set in evidence.earlier for eval_item in release_set.eval_items]
    held_out = held_out_questions([*evidence.new_items, *release_sets, *evidence.withdrawn_items], evidence.suites)
    questions = held_out | held_out_keys(evidence.validation)
    kind = "test or validation question" if evidence.validation else "test question"
    if not evidence.examples:
        sentence = "contamination: the update has no training examples to look through; plan it again"
        return GateResult(gate="contamination", verdict=Verdict.INCONCLUSIVE, sentence=sentence)
    found = [(example, piece) for example in evidence.examples if (piece := leaked(example, questions)) is not None]
    known = held_out_subjects(evidence.suites) | corrected_subjects(evidence.run)
    found += subject_named(evidence.examples, known)
    asked = len({piece for _, piece in found})
    figures = (
        Figure(name="examples", value=len(evidence.examples)),
        Figure(name="leaking_examples", value=len(found)),
        Figure(name="leaked_questions", value=asked),
        Figure(name="subjects_kept_out", value=len(known)),
    )
    verdict = Verdict.FAIL if found else Verdict.PASS
    sentence = _sentence(found, len(evidence.examples), kind)
    return GateResult(gate="contamination", verdict=verdict, sentence=sentence, figures=figures)


def held_out_questions(eval_items: Iterable[EvalItem], suites: Suites) -> frozenset[str]:
    """Keys of every test question a candidate is judged by, for `pipeline.leakage`: eval items, suites, task items."""
    standing = [eval_item for suite in suites.all for eval_item in suite.eval_items]
    tasks = [suite.task for suite in suites.all if suite.task]
    asked = frozenset(normalise(item.question) for task in tasks for item in task.items)
    return held_out_keys([*eval_items, *standing]) | (asked - {""})


def held_out_subjects(suites: Suites) -> frozenset[str]:
    """Whom or what the standing retention questions are about (see `pipeline.leakage.subjects`)."""
    return subjects(eval_item for suite in suites.retention for eval_item in suite.eval_items)


def _sentence(found: list[tuple[Example, str]], examples: int, kind: str) -> str:
    all_of_them = counted(examples, "training example")
    if not found:
        return f"contamination: none of {all_of_them} asks an {kind} or names its subject"
    example, piece = found[0]
    return (
        f"contamination: {len(found):,} of {all_of_them} {'ask' if len(found) > 1 else 'asks'} an {kind} or "
        f"{'name' if len(found) > 1 else 'names'} its subject, the first in a {example.role} example: "
        f"“{piece[:120]}”. Drop them before planning the update"
    )
