"""No exam question may stand in the training examples: a figure over questions that were trained on says nothing.

Nor may a practice question by which the night's self-edits were chosen: they would have been chosen for asking it.
"""

from collections.abc import Iterable

from gates.evidence import Evidence
from gates.suite import Suites
from gates.wording import counted
from pipeline.grading import normalise
from pipeline.leakage import exam_keys, leaked, subject_named, subjects
from pipeline.recipe import PolicyRules
from pipeline.types import Example, Figure, GateResult, Probe, Verdict
from pipeline.updates.corrections import corrected_subjects


def judge(evidence: Evidence, _policy: PolicyRules) -> GateResult:
    """FAIL if any example asks an exam question of this night, an earlier one or a standing suite (normalised).

    Or of a document that a rebuild is to forget.

    Or if anchors or generative replay name what the standing retention questions or tonight's corrections are about,
    generative replay also where it garbles the name.
    Where practice questions chose among candidates, also if one asks such a question.
    """
    lessons = [probe for lesson in evidence.earlier for probe in lesson.probes]
    exams = exam_questions([*evidence.night_probes, *lessons, *evidence.withdrawn_probes], evidence.suites)
    questions = exams | exam_keys(evidence.practice)
    kind = "exam or practice question" if evidence.practice else "exam question"
    if not evidence.examples:
        sentence = "contamination: the update has no training examples to look through; plan it again"
        return GateResult(gate="contamination", verdict=Verdict.INCONCLUSIVE, sentence=sentence)
    found = [(example, piece) for example in evidence.examples if (piece := leaked(example, questions)) is not None]
    known = exam_subjects(evidence.suites) | corrected_subjects(evidence.night)
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


def exam_questions(probes: Iterable[Probe], suites: Suites) -> frozenset[str]:
    """Keys of every exam question a candidate is judged by, for `pipeline.leakage`: probes, suites, task items."""
    standing = [probe for suite in suites.all for probe in suite.probes]
    tasks = [suite.task for suite in suites.all if suite.task]
    asked = frozenset(normalise(item.question) for task in tasks for item in task.items)
    return exam_keys([*probes, *standing]) | (asked - {""})


def exam_subjects(suites: Suites) -> frozenset[str]:
    """Whom or what the standing retention questions are about (see `pipeline.leakage.subjects`)."""
    return subjects(probe for suite in suites.retention for probe in suite.probes)


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
