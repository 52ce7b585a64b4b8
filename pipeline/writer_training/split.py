"""Which documents are train on, and which judge the new writer. Pure; knows no source and no ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.digests import digest_of
from pipeline.recipe import WriterTrainingRules
from pipeline.self_edits.edit_sets import validation_items
from pipeline.types import Document, EvalItem


@dataclass(frozen=True, kw_only=True)
class DocumentSplit:
    """Documents to practise on, and others that are never train on.

    `known`: whether the production model knows them.
    """

    train: tuple[Document, ...]
    held_out: tuple[Document, ...]
    known: bool

    @property
    def questions(self) -> tuple[EvalItem, ...]:
        """Every validation question of both: no note may ask one."""
        return tuple(
            eval_item for document in (*self.train, *self.held_out) for eval_item in validation_items(document)
        )


def divide(documents: Sequence[Document], rules: WriterTrainingRules, seed: int, *, known: bool) -> DocumentSplit:
    """Holds out as many as the rules say, half of them at most; those without validation questions are left out.

    The order is drawn by the seed, and the same documents are divided alike whatever their order was.
    """
    asked = {document.id: document for document in documents if validation_items(document)}
    order = sorted(asked, key=lambda key: digest_of("practice ground", seed, key))
    held = min(rules.held_out, len(order) // 2)
    return DocumentSplit(
        train=tuple(asked[key] for key in order[held:]),
        held_out=tuple(asked[key] for key in order[:held]),
        known=known,
    )
