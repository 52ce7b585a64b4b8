"""Which older questions a newer lesson has answered anew: their old answers are no longer what is right. Pure."""

from collections.abc import Iterable, Mapping

from gates.evidence import Evidence, exam_probes
from pipeline.grading import normalise
from pipeline.types import DocumentKind, Probe


def superseded(evidence: Evidence) -> frozenset[str]:
    """Ids of older probes (of standing suites and earlier releases) whose question has newer, different answers.

    Newer are the lessons of later live releases, and tonight's documents of kind `correction`, never tonight's
    passages: those must not talk the model out of what it knows.
    """
    corrections = [document for document in evidence.night if document.kind is DocumentKind.CORRECTION]
    return _superseded(evidence, list(exam_probes(corrections)))


def set_aside_tonight(evidence: Evidence) -> frozenset[str]:
    """Those of `superseded` that only tonight's corrections excuse: nobody has approved them yet."""
    return superseded(evidence) - _superseded(evidence, [])


def former_answers(evidence: Evidence) -> dict[str, frozenset[str]]:
    """For each question of tonight's corrections (normalised) what older probes accepted, and they do not."""
    corrections = [document for document in evidence.night if document.kind is DocumentKind.CORRECTION]
    new = _answers(exam_probes(corrections))
    found: dict[str, frozenset[str]] = {}
    for probe in evidence.known:
        question = normalise(probe.question)
        if old := frozenset(map(normalise, probe.answers)) - new.get(
            question, frozenset(map(normalise, probe.answers))
        ):
            found[question] = found.get(question, frozenset()) | old
    return found


def _superseded(evidence: Evidence, tonight: list[Probe]) -> frozenset[str]:
    lessons = sorted(evidence.earlier, key=lambda lesson: lesson.release)
    standing = [probe for suite in evidence.suites.retention for probe in suite.probes]
    truths = [standing, *[list(lesson.probes) for lesson in lessons], tonight]
    old: set[str] = set()
    newest: dict[str, frozenset[str]] = {}
    for generation in reversed(truths):
        old.update(probe.id for probe in generation if _outdated(probe, newest))
        newest = {**_answers(generation), **newest}
    return frozenset(old)


def _outdated(probe: Probe, newest: Mapping[str, frozenset[str]]) -> bool:
    later = newest.get(normalise(probe.question))
    return later is not None and later != frozenset(map(normalise, probe.answers))


def _answers(probes: Iterable[Probe]) -> dict[str, frozenset[str]]:
    return {normalise(probe.question): frozenset(map(normalise, probe.answers)) for probe in probes}
