"""Questions beside a correction whose answers must not move with it, worded as known questions are. Pure.

Nobody recorded their right answers: the production model's are the reference.
"""

from collections.abc import Iterable, Sequence

from pipeline.digests import seed_from
from pipeline.grading import normalise
from pipeline.leakage import asked_by
from pipeline.types import Document, DocumentKind, EvalItem, Example

NEIGHBOURS = "neighbours"
FORMS = 32  # that a subject is asked in, at most
_BLANK = "{}"
_UNKNOWN = ("as the production model answers",)


def neighbour_items(
    run: Iterable[Document], known: Sequence[EvalItem], trained: Sequence[Example] = ()
) -> tuple[EvalItem, ...]:
    """For each of the run's corrections the known questions about other subjects, put about its own.

    A form is taken where it is known of two subjects or more; the corrections' own questions are left out, and those
    whose present answer an example of `trained` holds: what was trained on says nothing of what was not. An example
    that gives a new answer to one is not what the corrections say, and the question stays.
    """
    corrections: dict[str, list[Document]] = {}
    for document in run:
        if document.kind is DocumentKind.CORRECTION and document.title:
            corrections.setdefault(normalise(document.title), []).append(document)
    if not corrections:
        return ()
    forms, held = _forms(known), [example for example in trained if not example.corrects]
    return tuple(eval_item for same in corrections.values() for eval_item in _about(same, forms, held))


def form_of(question: str, subject: str) -> str | None:
    """The question without its subject's name, or None where it does not name it."""
    return question.replace(subject, _BLANK) if subject and subject in question else None


def _forms(known: Iterable[EvalItem]) -> list[str]:
    groups: dict[str, set[str]] = {}
    for eval_item in known:
        if (form := form_of(eval_item.question, eval_item.group)) is not None:
            groups.setdefault(form, set()).add(eval_item.group)
    return sorted(form for form, named in groups.items() if len(named) > 1)


def _about(corrections: Sequence[Document], forms: Sequence[str], held: Sequence[Example]) -> list[EvalItem]:
    """Those about the one subject of these corrections."""
    subject = corrections[0].title
    questions = {normalise(question): question for form in forms if (question := form.replace(_BLANK, subject))}
    own = {normalise(eval_item.question) for document in corrections for eval_item in document.eval_items}
    others = questions.keys() - own - asked_by(held, frozenset(questions))
    drawn = sorted((questions[key] for key in others), key=lambda question: seed_from("neighbour", question))[:FORMS]
    return [EvalItem(question=question, answers=_UNKNOWN, group=subject) for question in drawn]
