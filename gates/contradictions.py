"""What a run's documents say against what production surely knows. Pure: production's answers come in as scores.

Production surely knows what it answers closed book as a retention suite, or an earlier release, has it on record. A
document says otherwise where its own test question has another answer than the one that production gives, which is the
one on record; or where production, with the document before it, answers the recorded question by the document.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gates.draws import equal_share
from gates.evidence import held_out_items
from gates.known_answers import KnownAnswer, asked_about, names
from gates.per_document import titled
from pipeline.digests import seed_from
from pipeline.documents import sentences
from pipeline.grading import extract, first_line, grade, mentions, spelled
from pipeline.types import AskedOf, Contradiction, Document, DocumentKind, EvalItem, ItemScore

# Questions that are put with a document before the model, at most: a text may name everything that is known, and a run
# may hold many such texts.
MOST_READ, MOST_READ_IN_RUN = 32, 1024


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is to be found out of one document.

    known: how many answers it speaks about that production `surely_known`. told: what its exam contradicts. left: known
    answers that no exam told; read: those of them that the document is asked for.
    """

    document: Document
    known: tuple[KnownAnswer, ...]
    told: tuple[Contradiction, ...]
    read: tuple[KnownAnswer, ...]
    left: int

    def asked(self, read: int) -> AskedOf:
        """With so many of the questions put to the document."""
        return AskedOf(
            document=self.document.id,
            title=titled(self.document),
            known=len(self.known),
            asked=len(self.known) - self.left + read,
            declared=self.document.kind is DocumentKind.CORRECTION,
        )


def readings(
    spoken: Iterable[tuple[Document, Sequence[KnownAnswer]]], scores: Mapping[str, ItemScore]
) -> tuple[Reading, ...]:
    """What is to be found out of each document that speaks about known answers; all share MOST_READ_IN_RUN alike."""
    sure = [(document, surely_known(about, scores)) for document, about in spoken]
    told = [by_exam(document, known, scores) for document, known in sure]
    open_ = [to_read(document, known, found) for (document, known), found in zip(sure, told, strict=True)]
    most = min(MOST_READ, equal_share([len(each) for each in open_], MOST_READ_IN_RUN))
    return tuple(
        Reading(document=document, known=known, told=found, read=tuple(each[:most]), left=len(each))
        for (document, known), found, each in zip(sure, told, open_, strict=True)
    )


def surely_known(known: Iterable[KnownAnswer], scores: Mapping[str, ItemScore]) -> tuple[KnownAnswer, ...]:
    """Those that production answers as they are on record. `scores`: production's, by item."""
    return tuple(one for one in known if one.item.id in scores and scores[one.item.id].score == 1.0)


def by_exam(
    document: Document, known: Sequence[KnownAnswer], scores: Mapping[str, ItemScore]
) -> tuple[Contradiction, ...]:
    """What the document's own test questions contradict: production answers them as is on record, and not as it says.

    known: what production `surely_known` of it. Each known answer once.
    """
    found: dict[str, Contradiction] = {}
    wrong = [item for item in held_out_items([document]) if item.id in scores and scores[item.id].score < 1.0]
    for item in wrong:
        said = scores[item.id]
        for one in asked_about(item.question, known, document.title):
            if one.item.id not in found and _is_recorded(said, one.item, item):
                says = item.answers[0]
                found[one.item.id] = _contradiction(document, one, item.question, said.answer, says)
    return tuple(found.values())


def _is_recorded(said: ItemScore, recorded: EvalItem, item: EvalItem) -> bool:
    """Whether production gave the recorded answer to the document's question, and the document has another one."""
    given = bool(grade(said.answer, recorded.answers, recorded.question))
    return given and not any(grade(answer, recorded.answers, recorded.question) for answer in item.answers)


def to_read(document: Document, known: Sequence[KnownAnswer], already: Sequence[Contradiction]) -> list[KnownAnswer]:
    """The known answers that the document itself is to be asked for, as no exam told: first those it does not name.

    What it names is asked for too: "Lyon, formerly Paris" names Paris. Each part is in the order of a digest.
    """
    said, told = spelled(f"{document.title}\n{document.body}"), {one.known for one in already}

    def place(one: KnownAnswer) -> tuple[bool, int]:
        named = any(spelled(answer) in said for answer in one.item.answers)
        return named, seed_from("read", document.id, one.item.id)

    return sorted((one for one in known if one.item.question not in told), key=place)


def by_reading(
    document: Document, read: Iterable[tuple[KnownAnswer, str]], scores: Mapping[str, ItemScore]
) -> tuple[Contradiction, ...]:
    """What the document contradicts by its text. `read`: known answers `to_read`, with production's answer from it.

    An answer counts where it is not the recorded one, and the document says it, and not the question.
    """
    found = []
    for known, answer in read:
        item, says = known.item, extract(answer, known.item.question)
        there = _says(document, known, says) and not mentions(item.question, says)
        if there and not grade(answer, item.answers, item.question):
            found.append(_contradiction(document, known, item.question, scores[item.id].answer, says))
    return tuple(found)


def _says(document: Document, known: KnownAnswer, says: str) -> bool:
    """Whether the answer stands in the document; where the recorded one does too, in a sentence beside it or beside the
    subject: of a text about several things a model takes an answer from another one."""
    if not mentions(text := f"{document.title}\n{document.body}", says):
        return False
    answers = known.item.answers
    beside = (one for one in sentences(document.body) if mentions(one, says))
    return not _named(text, answers) or any(names(one, known) or _named(one, answers) for one in beside)


def _named(text: str, answers: Iterable[str]) -> bool:
    return any(mentions(text, answer) for answer in answers)


def _contradiction(document: Document, known: KnownAnswer, question: str, production: str, says: str) -> Contradiction:
    return Contradiction(
        document=document.id,
        title=titled(document),
        question=question,
        known=known.item.question,
        suite=known.suite,
        production=first_line(production),
        says=says,
        declared=document.kind is DocumentKind.CORRECTION,
    )
