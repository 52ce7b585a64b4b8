"""No test question may stand in the training examples: accuracy on questions that were trained on means nothing.

Nor may a validation question by which the run's self-edits were chosen: it would have been chosen for asking it.
"""

from gates.judging import Evidence, GateResult, PolicyRules, Verdict, counted, result
from gates.suite import held_out_questions, held_out_subjects
from pipeline.leakage import held_out_keys, leaked, subject_named
from pipeline.updates.corrections import corrected_subjects


def judge(evidence: Evidence, _policy: PolicyRules) -> GateResult:
    """FAIL if any example asks a test question (normalised) or names a subject that it must not name.

    Test questions are those of this run, of earlier releases, of the suites, and of withdrawn documents; validation
    questions count too where there are any. Subjects are those of the retention suites and of this run's corrections:
    rehearsal prompts and generative replay must not name them, generative replay not even misspelt.
    """
    case = evidence.case
    if not case.examples:
        sentence = "the update has no training examples to look through; plan it again"
        return result("contamination", Verdict.INCONCLUSIVE, sentence)
    release_sets = [eval_item for release_set in case.earlier for eval_item in release_set.eval_items]
    questions = held_out_questions([*case.new_items, *release_sets, *case.withdrawn_items], case.suites)
    questions |= held_out_keys(case.validation)
    known = held_out_subjects(case.suites) | corrected_subjects(case.documents)
    found = [(example, piece) for example in case.examples if (piece := leaked(example, questions)) is not None]
    found += subject_named(case.examples, known)
    figures = {
        "examples": len(case.examples),
        "leaking_examples": len(found),
        "leaked_questions": len({piece for _, piece in found}),
        "subjects_kept_out": len(known),
    }
    kind = "test or validation question" if case.validation else "test question"
    examples = counted(len(case.examples), "training example")
    if not found:
        sentence = f"none of {examples} asks a {kind} or names its subject"
        return result("contamination", Verdict.PASS, sentence, figures)
    ask, name = ("ask", "name") if len(found) > 1 else ("asks", "names")
    example, piece = found[0]
    sentence = (
        f"{len(found):,} of {examples} {ask} a {kind} or {name} its subject, the first in a {example.role} example: "
        f"“{piece[:120]}”. Drop them before planning the update"
    )
    return result("contamination", Verdict.FAIL, sentence, figures)
