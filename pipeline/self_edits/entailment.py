"""Holds written statements to the document, by the base model's own likelihood of them with it and without.

A statement that follows from a document is likelier below it. Measured on a small model, this tells what a document is
about from what it is not; it does not tell a right value from another one of the same document (`python -m
benchmarks.real.statements`). So it stands beside the screening, and questions are verified otherwise.
"""

from collections.abc import Sequence
from typing import Final

from pipeline.documents import chunks
from pipeline.self_edits.context import MAX_CHUNK, MIN_CHUNK, WriterContext, leaves_room, room_below
from pipeline.self_edits.screening import is_statement, without_faults
from pipeline.types import Document, Example, SelfEdit, Written

UNSUPPORTED: Final = "example: the document makes it hardly likelier"
_TASK = "State a fact about {}."


def entailed(context: WriterContext, document: Document, written: Written) -> Written:
    """What was written, without statements that the document makes likelier by less than the rules' margin.

    Questions, texts of several lines, and what no model wrote, stay. Drops are counted by reason.
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

    Minus infinity for a statement that leaves the document no room. All are put below the same pieces.
    """
    task, engine = _TASK.format(document.title or "the document"), context.engine
    tokens = [engine.token_count(one) for one in statements]
    room = room_below(engine, context.open_book(document, "", task))
    fitting = [place for place, count in enumerate(tokens) if room - count >= MIN_CHUNK]
    budget = min([MAX_CHUNK, *(room - tokens[place] for place in fitting)])
    pieces = chunks(document, engine.token_count, budget) if fitting else ()
    alone = engine.logprobs([(task, statements[place]) for place in fitting], adapter=None)
    gains = [float("-inf")] * len(statements)
    for piece in pieces:
        prompt = context.open_book(document, piece, task)
        # What a piece is cut to is counted apart from the template, so a few tokens may be too many in the end.
        within = [at for at, place in enumerate(fitting) if leaves_room(engine, prompt, tokens[place])]
        below = engine.logprobs([(prompt, statements[fitting[at]]) for at in within], adapter=None)
        for at, logprob in zip(within, below, strict=True):
            place = fitting[at]
            gains[place] = max(gains[place], (logprob - alone[at]) / tokens[place])
    return gains
