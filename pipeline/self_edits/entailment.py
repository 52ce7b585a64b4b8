"""Holds written statements to the document, by the base model's own likelihood of them with it and without.

A statement that follows from a document is likelier below it. Measured on a small model, this tells what a document is
about from what it is not, in any language; it does not tell a right value from another one of the same document
(`python -m benchmarks.entailment`). So it stands beside the screening, and questions are verified otherwise.
"""

from collections.abc import Sequence
from typing import Final

from pipeline.documents import chunks
from pipeline.self_edits.context import MIN_CHUNK, WriterContext, room_below
from pipeline.self_edits.screening import is_statement, without_faults
from pipeline.types import Document, Example, SelfEdit, Written

UNSUPPORTED: Final = "example: the document makes it hardly likelier"
_TASK = "State a fact about {}."


def entailed(context: WriterContext, document: Document, written: Written) -> Written:
    """What was written, without statements that the document makes likelier by less than the rules' margin.

    Questions, and what no model wrote, stay. Drops are counted by reason.
    """
    margin = context.rules.entailment_margin
    stated = {one.id: one.completion for edit in written.edits for one in edit.examples if is_statement(edit, one)}
    if margin is None or not stated:
        return written
    found = dict(zip(stated, support(context, document, list(stated.values())), strict=True))

    def fault(edit: SelfEdit, example: Example) -> str:
        return UNSUPPORTED if is_statement(edit, example) and found[example.id] < margin else ""

    return without_faults(written, fault)


def support(context: WriterContext, document: Document, statements: Sequence[str]) -> list[float]:
    """By how many nats a token the document makes each statement likelier to the base model, by its best piece.

    Minus infinity for a statement that leaves the document no room.
    """
    task, engine = _TASK.format(document.title or "the document"), context.engine
    longest = [engine.token_count(one) for one in statements]
    asked: list[tuple[int, tuple[str, str]]] = []
    for place, (statement, tokens) in enumerate(zip(statements, longest, strict=True)):
        budget = room_below(engine, context.open_book(document, "", task)) - tokens
        pieces = chunks(document, engine.token_count, budget) if budget >= MIN_CHUNK else ()
        asked += [(place, (context.open_book(document, piece, task), statement)) for piece in pieces]
    fitting = sorted({place for place, _ in asked})
    alone = engine.logprobs([(task, statements[place]) for place in fitting], adapter=None)
    without = dict(zip(fitting, alone, strict=True))
    gains = [float("-inf")] * len(statements)
    for (place, _), below in zip(asked, engine.logprobs([pair for _, pair in asked], adapter=None), strict=True):
        gains[place] = max(gains[place], (below - without[place]) / longest[place])
    return gains
