"""What corrections mean for evaluation: which older answers are outdated, and which other answers must not change.

Outdated answers are those of eval items whose question a newer document answers differently. Locality items are
questions about a corrected subject that the correction does not answer. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from statistics import NormalDist

from gates.evidence import Case, held_out_items
from pipeline.digests import seed_from
from pipeline.grading import normalise
from pipeline.leakage import asked_by
from pipeline.recipe import CorrectionsPolicy
from pipeline.types import Document, DocumentKind, EvalItem, Example

FORMS = 32  # question forms asked about one subject, at most
_BLANK = "{}"
# Nobody recorded the right answers of locality items: the gate compares with what production answers.
_UNKNOWN = ("as the production model answers",)


def superseded(case: Case) -> frozenset[str]:
    """Ids of older eval items (retention suites and earlier releases) whose question has newer, different answers.

    Newer are the eval sets of later releases and this run's documents of kind `correction`, never its passages: those
    must not overwrite what the model knows.
    """
    return _superseded(case, held_out_items(case.corrections))


def outdated_this_run(case: Case) -> frozenset[str]:
    """Those of `superseded` that only this run's corrections excuse: nobody has approved them yet."""
    return superseded(case) - _superseded(case, ())


def former_answers(case: Case) -> dict[str, frozenset[str]]:
    """By question of this run's corrections (normalised), the answers of older eval items that no longer hold."""
    new = _answers(held_out_items(case.corrections))
    found: dict[str, frozenset[str]] = {}
    for eval_item in case.known:
        question, accepted = normalise(eval_item.question), frozenset(map(normalise, eval_item.answers))
        if old := accepted - new.get(question, accepted):
            found[question] = found.get(question, frozenset()) | old
    return found


def fewest_questions(rules: CorrectionsPolicy, alpha: float) -> int:
    """Questions that corrections need together: all answered anew, they show `min_new`, and that `max_old` holds."""
    # Wilson's lower bound of n of n is n / (n + z²), the upper one of 0 of n is z² / (n + z²).
    z, new, old = NormalDist().inv_cdf(1 - alpha), min(rules.min_new, 0.999), max(rules.max_old, 0.001)
    return max(1, ceil(new * z * z / (1 - new)), ceil((1 - old) * z * z / old))


def locality_items(
    documents: Iterable[Document], known: Sequence[EvalItem], trained: Sequence[Example] = ()
) -> tuple[EvalItem, ...]:
    """For each subject that one of the documents corrects, the question forms known of other subjects, asked about it.

    A form counts where two subjects or more have it. Left out are the corrections' own questions, and those that an
    example of `trained` asks, because their answer was trained; an example that a correction brought (`corrects`) does
    not excuse its question, because a wrong self-edit would hide its own harm.
    """
    by_subject: dict[str, list[Document]] = {}
    for document in documents:
        if document.kind is DocumentKind.CORRECTION and document.title:
            by_subject.setdefault(normalise(document.title), []).append(document)
    if not by_subject:
        return ()
    forms, trained_on = _forms(known), [example for example in trained if not example.corrects]
    return tuple(eval_item for same in by_subject.values() for eval_item in _about(same, forms, trained_on))


def form_of(question: str, subject: str) -> str | None:
    """The question with a blank in place of its subject's name, or None where it does not name the subject."""
    return question.replace(subject, _BLANK) if subject and subject in question else None


def _superseded(case: Case, current: Sequence[EvalItem]) -> frozenset[str]:
    suites = [eval_item for suite in case.suites.retention for eval_item in suite.eval_items]
    release_sets = sorted(case.earlier, key=lambda release_set: release_set.release)
    old: set[str] = set()
    newest: dict[str, frozenset[str]] = {}
    for eval_items in reversed([suites, *(release_set.eval_items for release_set in release_sets), current]):
        old.update(eval_item.id for eval_item in eval_items if _outdated(eval_item, newest))
        newest = {**_answers(eval_items), **newest}
    return frozenset(old)


def _outdated(eval_item: EvalItem, newest: Mapping[str, frozenset[str]]) -> bool:
    later = newest.get(normalise(eval_item.question))
    return later is not None and later != frozenset(map(normalise, eval_item.answers))


def _answers(eval_items: Iterable[EvalItem]) -> dict[str, frozenset[str]]:
    return {normalise(eval_item.question): frozenset(map(normalise, eval_item.answers)) for eval_item in eval_items}


def _forms(known: Iterable[EvalItem]) -> list[str]:
    groups: dict[str, set[str]] = {}
    for eval_item in known:
        if (form := form_of(eval_item.question, eval_item.group)) is not None:
            groups.setdefault(form, set()).add(eval_item.group)
    return sorted(form for form, named in groups.items() if len(named) > 1)


def _about(corrections: Sequence[Document], forms: Sequence[str], trained_on: Sequence[Example]) -> list[EvalItem]:
    """The locality items about the one subject of these corrections, at most FORMS."""
    subject = corrections[0].title
    questions = {normalise(question): question for form in forms if (question := form.replace(_BLANK, subject))}
    own = {normalise(eval_item.question) for document in corrections for eval_item in document.eval_items}
    others = questions.keys() - own - asked_by(trained_on, frozenset(questions))
    drawn = sorted((questions[key] for key in others), key=lambda question: seed_from("neighbour", question))[:FORMS]
    return [EvalItem(question=question, answers=_UNKNOWN, group=subject) for question in drawn]
