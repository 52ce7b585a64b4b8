"""How a document's questions are put to a model that learned it. Knows no model and no gate."""

from dataclasses import replace

from pipeline.prompts import open_book
from pipeline.types import Document, DocumentKind, EvalItem, Split


def asked(document: Document, split: Split) -> tuple[EvalItem, ...]:
    """The document's eval items of a split as a user asks them: facts closed-book, a workflow below its demonstrations.

    Who wants a workflow followed shows what it does; to have learned it is to follow it better (few-shot learning in
    SEAL, arXiv 2506.10943, section 3.2).
    """
    eval_items = tuple(eval_item for eval_item in document.eval_items if eval_item.split is split)
    if document.kind is not DocumentKind.WORKFLOW:
        return eval_items
    return tuple(replace(one, question=open_book(document.title, document.body, one.question)) for one in eval_items)
