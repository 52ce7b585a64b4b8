"""Which answers that are on record a document speaks about: of the retention suites and of earlier releases. Pure.

It speaks about an eval item where it asks the same question, where all words of the item's group stand in it and in
the question, or where it has the title under which an earlier release learned the answer. Nothing else is claimed.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gates.evidence import ReleaseEvalSet, held_out_items
from gates.suite import Suites
from pipeline.grading import normalise, spelled
from pipeline.types import Document, DocumentKind, EvalItem

_OWNING = re.compile(r"(?<=\w)['’]s\b")


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """An eval item from before this run, and the suite that it stands in."""

    suite: str
    item: EvalItem


class KnownAnswers:
    """All of them, to be searched for each document of a run."""

    def __init__(self, suites: Suites, earlier: Iterable[ReleaseEvalSet]) -> None:
        """`suites`: those of retention count. `earlier`: what earlier releases learned."""
        sets = [*((one.name, one.eval_items) for one in suites.retention), *((e.suite, e.eval_items) for e in earlier)]
        self._by_question: dict[str, list[KnownAnswer]] = {}
        self._by_subject: dict[tuple[str, ...], list[KnownAnswer]] = {}
        self._by_title: dict[str, list[KnownAnswer]] = {}
        for known in (KnownAnswer(suite=name, item=item) for name, eval_items in sets for item in eval_items):
            self._by_question.setdefault(normalise(known.item.question), []).append(known)
            self._by_subject.setdefault(subject(known.item), []).append(known)
            self._by_title.setdefault(normalise(known.item.title), []).append(known)
        # What names no subject is about nothing that a text could be searched for.
        self._by_subject.pop((), None)
        self._by_title.pop("", None)

    def about(self, document: Document) -> tuple[KnownAnswer, ...]:
        """Those that the document speaks about, each item once. A workflow shows how, and states nothing."""
        if document.kind is DocumentKind.WORKFLOW:
            return ()
        asked = [*self._asked_by(document), *self._named_in(document)]
        found = [*asked, *self._by_title.get(normalise(document.title), ())]
        return tuple({known.item.id: known for known in found}.values())

    def _asked_by(self, document: Document) -> Sequence[KnownAnswer]:
        questions = dict.fromkeys(normalise(item.question) for item in held_out_items([document]))
        return [known for question in questions for known in self._by_question.get(question, ())]

    def _named_in(self, document: Document) -> Sequence[KnownAnswer]:
        text = _spelled(f"{document.title}\n{document.body}")
        named = (known for words, known in self._by_subject.items() if all(word in text for word in words))
        return [one for known in named for one in known]


def subject(item: EvalItem) -> tuple[str, ...]:
    """The words (`spelled`) of the item's group where all of them stand in its question, as of "capital: France".

    Empty where the group names nothing in the question.
    """
    question, words = _spelled(item.question), tuple(spelled(word) for word in normalise(item.group).split())
    return words if all(word in question for word in words) else ()


def asks_about(question: str, known: KnownAnswer, title: str) -> bool:
    """Whether a question of a document with that title is about the known answer's subject."""
    by_title = normalise(title) == normalise(known.item.title) != ""
    return names(question, known) or by_title or normalise(question) == normalise(known.item.question)


def names(text: str, known: KnownAnswer) -> bool:
    """Whether all words of the known answer's subject stand in the text; not where it has none."""
    words, said = subject(known.item), _spelled(text)
    return bool(words) and all(word in said for word in words)


def _spelled(text: str) -> str:
    """`spelled`, where a name that owns something is the name: "France's capital" names France."""
    return spelled(_OWNING.sub("", text))
