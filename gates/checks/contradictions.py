"""This run's documents say nothing else than what production surely knows, but for corrections, which declare it."""

from collections import Counter
from collections.abc import Sequence

from gates.judging import Evidence, GateResult, PolicyRules, RunKind, Verdict, counted, listed, result
from pipeline.types import Contradiction

JUDGES = (RunKind.NIGHTLY,)


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """PASS where at most `max_in_run` known answers are contradicted that no correction declares."""
    compared, documents = evidence.case.contradictions, [one.id for one in evidence.case.documents]
    if compared is None or not set(documents) <= set(compared.documents):
        sentence = "this run's documents were not compared with what production knows. Run the same command again"
        return result("contradictions", Verdict.INCONCLUSIVE, sentence)
    found = compared.undeclared(documents)
    declared = sum(one.declared and one.document in documents for one in compared.found)
    verdict = Verdict.PASS if len(found) <= policy.contradictions.max_in_run else Verdict.FAIL
    figures = {
        "documents": len(documents),
        "known_answers": compared.known,
        "contradicted": len(found),
        "contradicting_documents": len({one.document for one in found}),
        "declared": declared,
    }
    return result("contradictions", verdict, _sentence(found, declared, compared.known, len(documents)), figures)


def _sentence(found: Sequence[Contradiction], declared: int, known: int, documents: int) -> str:
    asked = f"of {counted(known, 'known answer')} that {counted(documents, 'document')} speak about" if known else ""
    said = f"{len(found)} {asked} are contradicted: {by_document(found)}" if found else f"none {asked} is contradicted"
    if not known:
        said = f"no known answer is about what {counted(documents, 'document')} say"
    return said + (f"; {declared} more by corrections, which declare it" if declared else "")


def by_document(found: Sequence[Contradiction]) -> str:
    """The documents with how many known answers each contradicts, the most first."""
    counts, titles = Counter(one.document for one in found), {one.document: one.title for one in found}
    return listed([f"{titles[document]} ({count})" for document, count in counts.most_common()])
