"""Which documents train the writer, in which round, and which are held out to judge it. Pure; knows no source."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.digests import digest_of
from pipeline.recipe import WriterTrainingRules
from pipeline.self_edits.edit_sets import validation_items
from pipeline.types import Document, EvalItem


@dataclass(frozen=True, kw_only=True)
class DocumentSplit:
    """Documents to train the writer on, and held-out ones; `known`: production has learned them already."""

    train: tuple[Document, ...]
    held_out: tuple[Document, ...]
    known: bool

    @property
    def questions(self) -> tuple[EvalItem, ...]:
        """Every validation item of both parts: no self-edit may ask one."""
        return tuple(item for document in (*self.train, *self.held_out) for item in validation_items(document))


def divide(documents: Sequence[Document], rules: WriterTrainingRules, seed: int, *, known: bool) -> DocumentSplit:
    """Holds out `rules.held_out` documents, at most half of them; those without validation items are left out.

    The split depends on the seed and on the set of documents, not on their order.
    """
    usable = {document.id: document for document in documents if validation_items(document)}
    order = sorted(usable, key=lambda key: digest_of("practice ground", seed, key))
    count = min(rules.held_out, len(order) // 2)
    return DocumentSplit(
        train=tuple(usable[key] for key in order[count:]),
        held_out=tuple(usable[key] for key in order[:count]),
        known=known,
    )


def documents_of_round(documents: Sequence[Document], number: int, count: int) -> tuple[Document, ...]:
    """The `count` documents of round `number` (from 1): those after the last round's, cyclically."""
    few = min(count, len(documents))
    return tuple(documents[((number - 1) * few + place) % len(documents)] for place in range(few))


def documents_of_rounds(documents: Sequence[Document], rules: WriterTrainingRules) -> tuple[Document, ...]:
    """The documents of all rounds, each once."""
    rounds = range(1, rules.rounds + 1)
    return tuple(
        dict.fromkeys(one for number in rounds for one in documents_of_round(documents, number, rules.documents))
    )
