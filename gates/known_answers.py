"""Which answers that are on record a document speaks about: of the retention suites and of earlier releases. Pure.

It speaks about an eval item where it asks the same question, where all words of the item's group stand in it and in
the question, or where it has the title under which an earlier release learned the answer. Nothing else is claimed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

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

    @cached_property
    def subject(self) -> tuple[str, ...]:
        """The words (`spelled`) of the item's group where all of them stand in its question: "capital: France".

        Empty where the group names nothing in the question.
        """
        question = _spelled(self.item.question)
        words = tuple(spelled(word) for word in normalise(self.item.group).split())
        return words if all(word in question for word in words) else ()

    @cached_property
    def question(self) -> str:
        """The item's question, normalised."""
        return normalise(self.item.question)

    @cached_property
    def title(self) -> str:
        """The title under which an earlier release learned it, normalised; empty without one."""
        return normalise(self.item.title)


class KnownAnswers:
    """All of them, to be searched for each document of a run."""

    def __init__(self, suites: Suites, earlier: Iterable[ReleaseEvalSet]) -> None:
        """`suites`: those of retention count. `earlier`: what earlier releases learned."""
        sets = [*((one.name, one.eval_items) for one in suites.retention), *((e.suite, e.eval_items) for e in earlier)]
        self._by_question: dict[str, list[KnownAnswer]] = {}
        self._by_word: dict[str, list[KnownAnswer]] = {}
        self._by_title: dict[str, list[KnownAnswer]] = {}
        every = [KnownAnswer(suite=name, item=item) for name, eval_items in sets for item in eval_items]
        counts = Counter(word for known in every for word in _words(known))
        for known in every:
            self._by_question.setdefault(known.question, []).append(known)
            self._by_title.setdefault(known.title, []).append(known)
            # By its rarest word. What names no subject is about nothing that a text could be searched for.
            self._by_word.setdefault(min(_words(known), key=counts.__getitem__, default=""), []).append(known)
        self._by_word.pop("", None)
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
        near = (known for word in dict.fromkeys(text.split()) for known in self._by_word.get(word, ()))
        return [one for one in near if _stand_in(text, one)]


def asked_about(question: str, known: Iterable[KnownAnswer], title: str) -> list[KnownAnswer]:
    """Those whose subject a question of a document with that title is about."""
    said, same, titled = _spelled(question), normalise(question), normalise(title)
    return [one for one in known if _stand_in(said, one) or titled == one.title != "" or same == one.question]


def names(text: str, known: KnownAnswer) -> bool:
    """Whether all words of the known answer's subject stand in the text; not where it has none."""
    return _stand_in(_spelled(text), known)


def _words(known: KnownAnswer) -> list[str]:
    return " ".join(known.subject).split()


def _stand_in(said: str, known: KnownAnswer) -> bool:
    return bool(known.subject) and all(word in said for word in known.subject)


def _spelled(text: str) -> str:
    """`spelled`, where a name that owns something is the name: "France's capital" names France."""
    return spelled(_OWNING.sub("", text))
