"""Leaves questions out of notes that their own writer refuses to answer: learned, they and their like would be.

A note that asks for a password has an answer at hand, like any other question about its document.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.engines.engine import Engine, SamplingParams
from pipeline.engines.limits import template_tokens
from pipeline.grading import grade_opening
from pipeline.self_edits.selection import without_faults
from pipeline.types import Example, SelfEdit, Written

REFUSED = "example: it answers what the production model refuses to"
_OPENING_TOKENS = 16
_IGNORANT = 0.5  # share of a document's questions: a model that refuses more just does not know it


def without_refused(
    engine: Engine, written: Sequence[Written], refusals: frozenset[str], adapter: Path | None
) -> list[Written]:
    """What was written, without questions that production (the base with `adapter`) or the base alone refuses.

    They are put closed-book; `refusals` are the openings by which a refusal is known, and without any nothing is asked.
    A note that refuses as well stays, and so does what asks nothing. Where a model refuses most questions about a
    document it cannot be told from one that says that it does not know: all of them stay, and the gates judge.
    """
    if not refusals:
        return list(written)
    openings = sorted(refusals)
    asked = _asked(engine, written)
    prompts = list(dict.fromkeys(question for _, question in asked))
    said_no = {prompt for model in {adapter, None} for prompt in _refused(engine, prompts, openings, model)}
    whole = Counter(document for document, _ in asked)
    some = Counter(document for document, question in asked if question in said_no)
    dropped = {(of, question) for of, question in asked if question in said_no and some[of] <= _IGNORANT * whole[of]}

    def fault(edit: SelfEdit, example: Example) -> str:
        refused = _is_asked(edit, example) and (edit.document, example.prompt) in dropped
        return REFUSED if refused and not grade_opening(example.completion, openings) else ""

    return [without_faults(one, fault) for one in written]


def _asked(engine: Engine, written: Iterable[Written]) -> list[tuple[str, str]]:
    """Each question of a note once, with its document, if it leaves room for an answer."""
    room = engine.context - _OPENING_TOKENS - template_tokens(engine)
    found = dict.fromkeys(
        (edit.document, example.prompt)
        for one in written
        for edit in one.edits
        for example in edit.examples
        if _is_asked(edit, example)
    )
    return [(document, prompt) for document, prompt in found if engine.token_count(prompt) <= room]


def _refused(engine: Engine, prompts: Sequence[str], openings: Sequence[str], adapter: Path | None) -> list[str]:
    answers = engine.generate(prompts, SamplingParams(max_new_tokens=_OPENING_TOKENS), adapter=adapter)
    return [prompt for prompt, (said,) in zip(prompts, answers, strict=True) if grade_opening(said, openings)]


def _is_asked(edit: SelfEdit, example: Example) -> bool:
    return bool(edit.prompt and example.prompt)
