"""Keeps of the notes about a correction what holds when it is asked again, and adds what the correction leaves alone.

A correction is short, and a model fills what it does not say with whatever it does say: wrong notes would change facts
that the correction leaves alone. So each question is put to the writer again, with the document and without.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
LEFT_ALONE = 12  # questions of each correction that keep their answers, at most
# Hotter than notes are written: what a text does not say is then answered in many ways, and what it says in one.
_TEMPERATURE = 1.5
_MOST, _COULD_BE_ANYTHING = 0.875, 0.5
_ANSWER_TOKENS = 64
_TEMPLATE = 64  # tokens a chat template may add
_LONGEST_ANSWER = 8  # words of an answer that is kept as it was


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """What a question about a correction is answered: without it (as said), and with it (normalised).

    `agreeing` is the share of the sampled answers that say what the greedy one says.
    """

    without: str
    within: str
    agreeing: float

    @property
    def left_alone(self) -> bool:
        """Whether the correction says nothing of it: the answer, which is short, stays, or it could be anything."""
        words = len(normalise(self.without).split())
        unsaid = self.within == normalise(self.without) or self.agreeing < _COULD_BE_ANYTHING
        return unsaid and 0 < words <= _LONGEST_ANSWER


_Known = Mapping[tuple[str, str], _Answers]  # by document and question


def confirmed(
    engine: Engine,
    written: Sequence[Written],
    corrections: Sequence[tuple[Document, str]],
    rules: SelfEditRules,
    adapter: Path | None,
    seed: int,
) -> list[Written]:
    """`written` with the notes about each of `corrections` (a document and a piece of its body) as far as they hold.

    A note's answer holds if the writer, with the piece in the prompt, gives it greedily and in most of
    `rules.correction_answers` samples. Where few of those agree, or it answers the same without the piece, the question
    keeps that answer. Documents whose notes ask nothing, and those that are no correction, stay as they are.
    """
    about = {document.id: document for document, _ in corrections}
    questions = {
        (edit.document, example.prompt): None
        for one in written
        for edit in one.edits
        if edit.document in about
        for example in edit.examples
        if _is_question(example) and names_subject(example.prompt, about[edit.document])
    }
    known = _answered(engine, corrections, list(questions), rules, adapter, seed)
    asked = {document: about[document] for document, _ in questions}
    return [_kept(one, asked, known) for one in written]


def _is_question(example: Example) -> bool:
    return bool(example.prompt) and "\n" not in example.prompt


def _answered(
    engine: Engine,
    corrections: Sequence[tuple[Document, str]],
    questions: Sequence[tuple[str, str]],
    rules: SelfEditRules,
    adapter: Path | None,
    seed: int,
) -> _Known:
    """What the writer says to each question; where a document has several pieces, the one on which most agree."""
    room = engine.context - _ANSWER_TOKENS - min(_TEMPLATE, engine.context // 8)
    asked = [
        (key, open_book(piece.title, body, key[1]))
        for key in questions
        for piece, body in corrections
        if piece.id == key[0]
    ]
    asked = [(key, prompt) for key, prompt in asked if engine.token_count(prompt) <= room]
    if not asked:
        return {}
    prompts, alone = [prompt for _, prompt in asked], [question for _, question in questions]
    without = dict(zip(questions, _greedy(engine, alone, adapter), strict=True))
    sampled = engine.generate(
        prompts, adapter=adapter, max_new_tokens=_ANSWER_TOKENS, temperature=_TEMPERATURE,
        samples=rules.correction_answers, seed=seed_from("confirmed", seed, prompts),
    )  # fmt: skip
    found: dict[tuple[str, str], _Answers] = {}
    for (key, _), first, others in zip(asked, _greedy(engine, prompts, adapter), sampled, strict=True):
        within = normalise(first_line(first))
        agreeing = sum(normalise(first_line(answer)) == within for answer in others) / len(others)
        if key not in found or agreeing > found[key].agreeing:
            found[key] = _Answers(without=first_line(without[key]), within=within, agreeing=agreeing)
    return found


def _greedy(engine: Engine, prompts: Sequence[str], adapter: Path | None) -> list[str]:
    return [answer for (answer,) in engine.generate(prompts, adapter=adapter, max_new_tokens=_ANSWER_TOKENS)]


def _kept(written: Written, asked: Mapping[str, Document], known: _Known) -> Written:
    edits: list[SelfEdit] = []
    dropped: list[Dropped] = []
    kept_alone: dict[str, set[str]] = {document: set() for document in asked}
    for edit in written.edits:
        if edit.document not in asked or not edit.prompt:
            edits.append(edit)
            continue
        kept, faults = [], []
        for example in edit.examples:
            fault = _fault(asked[edit.document], example, known)
            answers = known.get((edit.document, example.prompt))
            alone = kept_alone[edit.document]
            if not fault:
                kept.append(example)
            elif answers and answers.left_alone and example.prompt not in alone and len(alone) < LEFT_ALONE:
                alone.add(example.prompt)
                kept.append(replace(example, completion=answers.without))
            else:
                faults.append(fault)
        dropped += [
            Dropped(document=edit.document, style=edit.style, reason=reason, count=faults.count(reason))
            for reason in sorted(set(faults))
        ]
        if kept or edit.directives:
            edits.append(replace(edit, examples=tuple(kept)))
    return Written(edits=tuple(edits), dropped=(*written.dropped, *dropped))


def _fault(document: Document, example: Example, known: _Known) -> str:
    """Why what the example says is not kept, in words, or nothing."""
    if not _is_question(example):
        return STATED
    if not names_subject(example.prompt, document):
        return NAMELESS
    answers = known.get((document.id, example.prompt))
    holds = answers and answers.agreeing >= _MOST and answers.within == normalise(example.completion)
    return "" if holds else UNCONFIRMED
