"""Leaves out of notes what their own writer refuses to answer: learned, it would be answered, and so would its like.

A note that asks for a password has an answer at hand, like any other question about its document.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.engines.engine import Engine
from pipeline.grading import grade_opening
from pipeline.types import Dropped, Example, SelfEdit, Written

REFUSED = "example: it answers what the live model refuses to"
_OPENING_TOKENS = 16
_TEMPLATE = 64  # tokens a chat template may add


def without_refused(
    engine: Engine, written: Sequence[Written], refusals: frozenset[str], adapter: Path | None
) -> list[Written]:
    """What was written, without questions that the model (the base with `adapter`) answers closed-book by a refusal.

    `refusals` are the openings by which one is known; without any, nothing is asked. A note that refuses as well stays,
    and so does a document's own text.
    """
    if not refusals:
        return list(written)
    openings = sorted(refusals)
    room = engine.context - _OPENING_TOKENS - min(_TEMPLATE, engine.context // 8)
    asked = dict.fromkeys(
        example.prompt
        for one in written
        for edit in one.edits
        for example in edit.examples
        if _is_asked(edit, example) and engine.token_count(example.prompt) <= room
    )
    answers = engine.generate(list(asked), adapter=adapter, max_new_tokens=_OPENING_TOKENS)
    refused = {question for question, (answer,) in zip(asked, answers, strict=True) if grade_opening(answer, openings)}
    return [_without(one, refused, openings) for one in written]


def _is_asked(edit: SelfEdit, example: Example) -> bool:
    return bool(edit.prompt and example.prompt)


def _without(written: Written, refused: set[str], openings: Sequence[str]) -> Written:
    edits: list[SelfEdit] = []
    dropped: list[Dropped] = []
    for edit in written.edits:
        kept = tuple(
            example
            for example in edit.examples
            if not _is_asked(edit, example)
            or example.prompt not in refused
            or grade_opening(example.completion, openings)
        )
        if count := len(edit.examples) - len(kept):
            dropped.append(Dropped(document=edit.document, style=edit.style, reason=REFUSED, count=count))
        if kept or edit.directives:
            edits.append(replace(edit, examples=kept))
    return Written(edits=tuple(edits), dropped=(*written.dropped, *dropped))
