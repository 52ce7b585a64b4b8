"""Keeps of the notes about a correction only the questions that the document answers the same way each time.

A correction is short, and a model fills what it does not say with whatever it does: notes that are wrong there would
change what the correction leaves alone. Statements cannot be asked, so they are kept only where no note asks anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.digests import seed_from
from pipeline.engines.engine import Engine
from pipeline.grading import first_line, normalise
from pipeline.prompts import open_book
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.probing import names_subject
from pipeline.types import Document, Dropped, Example, SelfEdit, Written

UNCONFIRMED = "example: the correction, asked again, does not always say so"
NAMELESS = "example: a question about a correction that does not name its subject"
STATED = "example: a statement about a correction, which cannot be asked"
_ANSWER_TOKENS = 64
_TEMPLATE = 64  # tokens a chat template may add

_Asked = tuple[str, str]  # a document and a question


def confirmed(
    engine: Engine,
    written: Sequence[Written],
    corrections: Sequence[tuple[Document, str]],
    rules: SelfEditRules,
    adapter: Path | None,
    seed: int,
) -> list[Written]:
    """`written` with the notes about each of `corrections` (a document and a piece of its body) as far as they hold.

    A question holds if the writer, with the piece in the prompt, gives its answer greedily and in `rules.agreeing`
    samples. Notes about other documents, and the documents themselves, stay as they are.
    """
    about = {document.id for document, _ in corrections}
    questions = [
        (edit.document, example.prompt)
        for one in written
        for edit in one.edits
        if edit.document in about
        for example in edit.examples
        if _is_question(example)
    ]
    asked = {document for document, _ in questions}
    answers = _agreed(engine, corrections, questions, rules, adapter, seed)
    known = {document.id: document for document, _ in corrections}
    return [_kept(one, {key: known[key] for key in asked}, answers) for one in written]


def _is_question(example: Example) -> bool:
    return bool(example.prompt) and "\n" not in example.prompt


def _agreed(
    engine: Engine,
    corrections: Sequence[tuple[Document, str]],
    questions: Iterable[_Asked],
    rules: SelfEditRules,
    adapter: Path | None,
    seed: int,
) -> dict[_Asked, set[str]]:
    """For each question the answers (normalised) on which all agree, of whichever piece of its document."""
    room = engine.context - _ANSWER_TOKENS - min(_TEMPLATE, engine.context // 8)
    asked = [
        ((document, question), open_book(piece.title, body, question))
        for document, question in dict.fromkeys(questions)
        for piece, body in corrections
        if piece.id == document
    ]
    asked = [(key, prompt) for key, prompt in asked if engine.token_count(prompt) <= room]
    if not asked:
        return {}
    prompts = [prompt for _, prompt in asked]
    greedy = engine.generate(prompts, adapter=adapter, max_new_tokens=_ANSWER_TOKENS)
    sampled = engine.generate(
        prompts, adapter=adapter, max_new_tokens=_ANSWER_TOKENS, temperature=1.0, samples=rules.agreeing,
        seed=seed_from("confirmed", seed, prompts),
    )  # fmt: skip
    found: dict[_Asked, set[str]] = {}
    for (key, _), first, others in zip(asked, greedy, sampled, strict=True):
        said = {normalise(first_line(answer)) for answer in (*first, *others)}
        if len(said) == 1:
            found.setdefault(key, set()).update(said)
    return found


def _kept(written: Written, asked: Mapping[str, Document], answers: Mapping[_Asked, set[str]]) -> Written:
    edits: list[SelfEdit] = []
    dropped: list[Dropped] = []
    for edit in written.edits:
        if edit.document not in asked or not edit.prompt:
            edits.append(edit)
            continue
        faults = [_fault(asked[edit.document], example, answers) for example in edit.examples]
        kept = tuple(example for example, fault in zip(edit.examples, faults, strict=True) if not fault)
        dropped += [
            Dropped(document=edit.document, style=edit.style, reason=reason, count=faults.count(reason))
            for reason in sorted({fault for fault in faults if fault})
        ]
        if kept or edit.directives:
            edits.append(replace(edit, examples=kept))
    return Written(edits=tuple(edits), dropped=(*written.dropped, *dropped))


def _fault(document: Document, example: Example, answers: Mapping[_Asked, set[str]]) -> str:
    """Why the example is not kept, in words, or nothing."""
    if not _is_question(example):
        return STATED
    if not names_subject(example.prompt, document):
        return NAMELESS
    return "" if normalise(example.completion) in answers.get((document.id, example.prompt), ()) else UNCONFIRMED
