"""Questions beside a correction whose answers must not move with it, worded as known questions are. Pure.

Nobody recorded their right answers: the live model's are the reference.
"""

from collections.abc import Iterable, Sequence

from pipeline.digests import seed_from
from pipeline.grading import normalise
from pipeline.leakage import asked_by
from pipeline.types import Document, DocumentKind, Example, Probe

NEIGHBOURS = "neighbours"
FORMS = 32  # that a subject is asked in, at most
_BLANK = "{}"
_UNKNOWN = ("as the live model answers",)


def neighbour_probes(
    night: Iterable[Document], known: Sequence[Probe], trained: Sequence[Example] = ()
) -> tuple[Probe, ...]:
    """For each of the night's corrections the known questions about other subjects, put about its own.

    A form is taken where it is known of two subjects or more; the correction's own questions are left out, and those
    that an example of `trained` asks: an answer that was trained on says nothing of what was not.
    """
    forms = _forms(known)
    corrections = {
        normalise(document.title): document
        for document in night
        if document.kind is DocumentKind.CORRECTION and document.title
    }
    probes = tuple(probe for document in corrections.values() for probe in _about(document, forms))
    asked = asked_by(trained, frozenset(normalise(probe.question) for probe in probes))
    return tuple(probe for probe in probes if normalise(probe.question) not in asked)


def form_of(question: str, subject: str) -> str | None:
    """The question without its subject's name, or None where it does not name it."""
    return question.replace(subject, _BLANK) if subject and subject in question else None


def _forms(known: Iterable[Probe]) -> list[str]:
    groups: dict[str, set[str]] = {}
    for probe in known:
        if (form := form_of(probe.question, probe.group)) is not None:
            groups.setdefault(form, set()).add(probe.group)
    return sorted(form for form, named in groups.items() if len(named) > 1)


def _about(document: Document, forms: Sequence[str]) -> list[Probe]:
    own = {normalise(probe.question) for probe in document.probes}
    questions = [form.replace(_BLANK, document.title) for form in forms]
    others = [question for question in questions if normalise(question) not in own]
    drawn = sorted(others, key=lambda question: seed_from("neighbour", question))[:FORMS]
    return [Probe(question=question, answers=_UNKNOWN, group=document.title) for question in drawn]
