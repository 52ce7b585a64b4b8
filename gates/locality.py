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

    A form is taken where it is known of two subjects or more; the corrections' own questions are left out, and those
    whose present answer an example of `trained` holds: what was trained on says nothing of what was not. An example
    that gives a new answer to one is not what the corrections say, and the question stays.
    """
    corrections: dict[str, list[Document]] = {}
    for document in night:
        if document.kind is DocumentKind.CORRECTION and document.title:
            corrections.setdefault(normalise(document.title), []).append(document)
    if not corrections:
        return ()
    forms, held = _forms(known), [example for example in trained if not example.corrects]
    return tuple(probe for same in corrections.values() for probe in _about(same, forms, held))


def form_of(question: str, subject: str) -> str | None:
    """The question without its subject's name, or None where it does not name it."""
    return question.replace(subject, _BLANK) if subject and subject in question else None


def _forms(known: Iterable[Probe]) -> list[str]:
    groups: dict[str, set[str]] = {}
    for probe in known:
        if (form := form_of(probe.question, probe.group)) is not None:
            groups.setdefault(form, set()).add(probe.group)
    return sorted(form for form, named in groups.items() if len(named) > 1)


def _about(corrections: Sequence[Document], forms: Sequence[str], held: Sequence[Example]) -> list[Probe]:
    """Those about the one subject of these corrections."""
    subject = corrections[0].title
    questions = {normalise(question): question for form in forms if (question := form.replace(_BLANK, subject))}
    own = {normalise(probe.question) for document in corrections for probe in document.probes}
    others = questions.keys() - own - asked_by(held, frozenset(questions))
    drawn = sorted((questions[key] for key in others), key=lambda question: seed_from("neighbour", question))[:FORMS]
    return [Probe(question=question, answers=_UNKNOWN, group=subject) for question in drawn]
