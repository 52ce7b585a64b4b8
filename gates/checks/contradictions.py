"""This run's documents say nothing else than what production surely knows, but for corrections, which declare it."""

from collections import Counter
from collections.abc import Sequence

from gates.judging import Evidence, GateResult, PolicyRules, RunKind, Verdict, counted, listed, result
from pipeline.types import AskedOf, Contradiction

JUDGES = (RunKind.NIGHTLY,)


def judge(evidence: Evidence, policy: PolicyRules) -> GateResult:
    """PASS where all was asked, and at most `max_in_run` known answers are contradicted that no correction declares."""
    compared, documents = evidence.case.contradictions, [one.id for one in evidence.case.documents]
    if compared is None or not set(documents) <= set(compared.documents):
        sentence = "this run's documents were not compared with what production knows. Run the same command again"
        return result("contradictions", Verdict.INCONCLUSIVE, sentence)
    found = compared.undeclared(documents)
    declared = sum(one.declared and one.document in documents for one in compared.found)
    verdict = _verdict(len(found), policy.contradictions.max_in_run, compared.unasked(documents))
    put = [one for one in compared.asked if one.document in documents]
    figures = {
        "documents": len(documents),
        "known_answers": compared.known,
        "questions": sum(one.known for one in put),
        "asked": sum(one.asked for one in put),
        "contradicted": len(found),
        "contradicting_documents": len({one.document for one in found}),
        "declared": declared,
    }
    sentence = _sentence(found, declared, compared.known, len(documents)) + _asked(put)
    return result("contradictions", verdict, sentence, figures)


def _verdict(found: int, most: int, unasked: Sequence[AskedOf]) -> Verdict:
    """What was not asked may be contradicted too: then nothing passes."""
    if found > most:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE if unasked else Verdict.PASS


def _asked(put: Sequence[AskedOf]) -> str:
    """How many of the questions were asked, with the documents that were not asked all; nothing where all were."""
    known, left = sum(one.known for one in put), [str(one) for one in put if one.asked < one.known]
    asked = sum(one.asked for one in put)
    return f"; {asked:,} of {counted(known, 'question')} were asked, not all of {listed(left)}" if left else ""


def _sentence(found: Sequence[Contradiction], declared: int, known: int, documents: int) -> str:
    asked = f"of {counted(known, 'known answer')} that {counted(documents, 'document')} speak about" if known else ""
    answers = len({(one.suite, one.known) for one in found})
    times = f", {len(found)} times in all" if len(found) > answers else ""
    said = f"{answers} {asked} are contradicted{times}: {by_title(found)}" if found else f"none {asked} is contradicted"
    if not known:
        said = f"no known answer is about what {counted(documents, 'document')} say"
    return said + (f"; {declared} more by corrections, which declare it" if declared else "")


def by_title(found: Sequence[Contradiction]) -> str:
    """The titles with how many contradictions each holds, the most first, and in how many documents of that title."""
    counts = Counter(one.title for one in found)
    documents = {title: len({one.document for one in found if one.title == title}) for title in counts}
    return listed(
        [
            f"{title} ({count})" if documents[title] == 1 else f"{title} ({count} in {documents[title]} documents)"
            for title, count in counts.most_common()
        ]
    )
