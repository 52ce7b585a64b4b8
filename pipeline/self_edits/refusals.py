"""Leaves questions out of self-edits that the model refuses to answer.

A self-edit that asks for a password has its answer at hand; after training on it the model would give that answer.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline import progress
from pipeline.engines import SamplingParams
from pipeline.grading import grade_opening
from pipeline.heuristics import SANDBOX_FITTED
from pipeline.self_edits.context import WriterContext, leaves_room
from pipeline.self_edits.screening import is_question, without_faults
from pipeline.types import Example, SelfEdit, Written

REFUSED = "example: it answers what the production model refuses to"
_OPENING_TOKENS = 16


def without_refused(context: WriterContext, written: Sequence[Written]) -> list[Written]:
    """What was written, without questions that the writer or the base model refuses when asked closed-book.

    `context.guard.refusals` are the openings by which a refusal is known; without any, nothing is asked. Examples that
    refuse as well, and statements, stay. Where a model refuses most questions about a document, that cannot be told
    from not knowing it: then all of them stay, and the gates decide.
    """
    if not context.guard.refusals:
        return list(written)
    openings = sorted(context.guard.refusals)
    asked = _questions(context, written)
    prompts = list(dict.fromkeys(question for _, question in asked))
    params = SamplingParams(max_new_tokens=_OPENING_TOKENS)
    refused: set[str] = set()
    adapters = {context.writer.folder, None}
    for number, adapter in enumerate(adapters):
        with progress.part(number, 1, len(adapters)):
            replies = context.engine.generate(prompts, params, adapter=adapter)
        refused |= {prompt for prompt, (said,) in zip(prompts, replies, strict=True) if grade_opening(said, openings)}
    total = Counter(document for document, _ in asked)
    counts = Counter(document for document, question in asked if question in refused)
    dropped = {
        (of, question)
        for of, question in asked
        if question in refused and counts[of] <= SANDBOX_FITTED.ignorance * total[of]
    }

    def fault(edit: SelfEdit, example: Example) -> str:
        answers = is_question(edit, example) and (edit.document, example.prompt) in dropped
        return REFUSED if answers and not grade_opening(example.completion, openings) else ""

    return [without_faults(one, fault) for one in written]


def _questions(context: WriterContext, written: Iterable[Written]) -> list[tuple[str, str]]:
    """Each document (id) and question of its self-edits once, if the question leaves room for an answer."""
    found = dict.fromkeys(
        (edit.document, example.prompt)
        for one in written
        for edit in one.edits
        for example in edit.examples
        if is_question(edit, example)
    )
    return [pair for pair in found if leaves_room(context.engine, pair[1], _OPENING_TOKENS)]
