"""Lets the production model write validation questions about documents without any; keeps those it answers alike.

The answers are read off the document (open book), greedily and several times by chance: where they differ, the question
is no measure of anything. Knows no ledger and no test but as keys of what must not be asked.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.documents import LONGEST_QUESTION, chunks, clean_line
from pipeline.engines.engine import Engine, SamplingParams
from pipeline.grading import first_line, normalise
from pipeline.leakage import held_out_keys, leaked
from pipeline.prompts import open_book, passage
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.edit_sets import validation_items
from pipeline.self_edits.styles import self_qa
from pipeline.self_edits.token_budget import MIN_CHUNK, room_for_body
from pipeline.types import Document, DocumentKind, EvalItem, Example, Origin, Split

Written = Mapping[str, tuple[EvalItem, ...]]

# A killed run loses at most one group's questions; a group's prompts share their batches.
_GROUP = 8
# Twice as many are asked as are wanted, since the model does not agree with itself on all.
_SPARE = 2
_ANSWER_TOKENS = 64
# Longer answers have too many right wordings to be graded by words.
_MAX_ANSWER_WORDS = 8
_SHORTEST_NAME = 4


@dataclass(frozen=True, kw_only=True)
class _Asker:
    """What every question of one run is written and answered with."""

    engine: Engine
    rules: SelfEditRules
    adapter: Path | None
    seed: int
    never: frozenset[str]


@dataclass(frozen=True)
class _Question:
    """A question, and the piece of its document in which the answer is looked up."""

    document: Document
    body: str
    text: str

    @property
    def prompt(self) -> str:
        return open_book(self.document.title, self.body, self.text)


def write_items(
    engine: Engine,
    documents: Sequence[Document],
    rules: SelfEditRules,
    *,
    adapter: Path | None,
    seed: int,
    never: frozenset[str] = frozenset(),
    save: Callable[[Written], None] = lambda eval_items: None,
) -> Written:
    """Validation items (origin MODEL) for each document without any, by its id; left out where none held.

    Workflows are not asked about. `never` holds the keys (`pipeline.leakage`) of test questions, none of which is
    asked. Documents are asked about in groups that depend on the whole batch alone, and `save` is called once a group:
    a killed run that is started again ends with the same questions. It may be told of a document that has some by now.
    Reports progress in documents.
    """
    asker = _Asker(engine=engine, rules=rules, adapter=adapter, seed=seed, never=never)
    wanting = {document.id: document for document in documents if _wants_some(document)}
    ordered = [wanting[key] for key in sorted(wanting)]
    found: dict[str, tuple[EvalItem, ...]] = {}
    for first in range(0, len(ordered), _GROUP):
        group = ordered[first : first + _GROUP]
        if not all(validation_items(document) for document in group):
            with progress.quiet():
                written = _items(asker, group)
            save(written)
            found |= written
        progress.report(first + len(group), len(ordered))
    return found


def _wants_some(document: Document) -> bool:
    """Not where it brings some, nor of a workflow: what was not demonstrated, nobody can read off it."""
    brought = any(eval_item.origin is Origin.HUMAN for eval_item in validation_items(document))
    return not brought and document.kind is not DocumentKind.WORKFLOW


def _items(asker: _Asker, group: Sequence[Document]) -> dict[str, tuple[EvalItem, ...]]:
    wanted = asker.rules.eval_items
    asked = [question for document in _written(asker, group) for question in document[: _SPARE * wanted]]
    found: dict[str, tuple[EvalItem, ...]] = {}
    for question, answer in zip(asked, _answers(asker, asked), strict=True):
        document = question.document.id
        if answer is not None and len(found.get(document, ())) < wanted:
            eval_item = EvalItem(
                question=question.text, answers=(answer,), split=Split.VALIDATION, origin=Origin.MODEL, group=document
            )
            found[document] = (*found.get(document, ()), eval_item)
    return found


def _written(asker: _Asker, group: Sequence[Document]) -> list[list[_Question]]:
    """Each document's usable questions in the order written, those of its several pieces in turn."""
    pieces = [(document, body) for document in group for body in _bodies(asker, document)]
    prompts = [self_qa.prompt(document.title, body) for document, body in pieces]
    rules = asker.rules
    notes = asker.engine.generate(
        prompts,
        SamplingParams(
            max_new_tokens=rules.max_new_tokens,
            temperature=rules.temperature,
            top_p=rules.top_p,
            seed=seed_from("probes", asker.seed, prompts),
        ),
        adapter=asker.adapter,
    )
    found: dict[str, dict[str, _Question]] = {document.id: {} for document in group}
    for (document, body), (note,) in zip(pieces, notes, strict=True):
        for example in self_qa.parse(document.title, note):
            question = _Question(document, body, clean_line(example.prompt))
            if _usable(question, asker.never):
                found[document.id].setdefault(normalise(question.text), question)
    return [list(questions.values()) for questions in found.values()]


def _bodies(asker: _Asker, document: Document) -> tuple[str, ...]:
    room = room_for_body(asker.engine, self_qa, document.title, asker.rules.max_new_tokens)
    return chunks(document, asker.engine.token_count, room) if room >= MIN_CHUNK else ()


def _usable(question: _Question, never: frozenset[str]) -> bool:
    """Whether it can be asked closed-book: it says what it is about, and neither an test nor the document asks it."""
    text = question.text
    if not text.endswith(("?", "？")) or len(text) > LONGEST_QUESTION:
        return False
    document = question.document
    if leaked(Example(prompt=text, completion=""), never) is not None:
        return False
    # A question that stands in the document would have to be kept out of the notes, and the document with it.
    itself = Example(prompt="", completion=passage(document.title, document.body))
    return leaked(itself, held_out_keys([EvalItem(question=text, answers=())])) is None and names_subject(
        text, document
    )


def names_subject(text: str, document: Document) -> bool:
    """Whether a question says what it is about: by a word of the title; without one, if it points back to nothing.

    A title in a script that sets no spaces between words is looked for as a whole.
    """
    said, names = set(normalise(text).split()), subject_words(document)
    if not names:
        return not said & {"it", "its", "this", "that", "these", "those", "they", "their"}
    whole = normalise(document.title)
    return bool(names & said) or (not whole.isascii() and whole in normalise(text))


def subject_words(document: Document) -> frozenset[str]:
    """The words of a title, normalised, by each of which its document is named: the long ones, or all if none is."""
    title = normalise(document.title).split()
    return frozenset({word for word in title if len(word) >= _SHORTEST_NAME} or title)


def _answers(asker: _Asker, asked: Sequence[_Question]) -> list[str | None]:
    """For each question the answer on which the greedy and all sampled ones agree, else None."""
    room = asker.engine.context - _ANSWER_TOKENS - min(_ANSWER_TOKENS, asker.engine.context // 8)
    fits_context = [question for question in asked if asker.engine.token_count(question.prompt) <= room]
    prompts = [question.prompt for question in fits_context]
    greedy = asker.engine.generate(prompts, SamplingParams(max_new_tokens=_ANSWER_TOKENS), adapter=asker.adapter)
    sampled = asker.engine.generate(
        prompts,
        SamplingParams(
            max_new_tokens=_ANSWER_TOKENS,
            temperature=1.0,
            samples=asker.rules.agreement_samples,
            seed=seed_from("probe answers", asker.seed, prompts),
        ),
        adapter=asker.adapter,
    )
    agreed = {
        question: _agreed(question, [*first, *others])
        for question, first, others in zip(fits_context, greedy, sampled, strict=True)
    }
    return [agreed.get(question) for question in asked]


def _agreed(question: _Question, answers: Sequence[str]) -> str | None:
    """The first answer, where all say the same, it is short, and it stands in the document."""
    lines = [first_line(answer) for answer in answers]
    said = {normalise(line) for line in lines}
    answer = next(iter(said))
    short = 0 < len(answer.split()) <= _MAX_ANSWER_WORDS
    if len(said) > 1 or not short or f" {answer} " not in _padded(question):
        return None
    return clean_line(lines[0])


def _padded(question: _Question) -> str:
    return f" {normalise(passage(question.document.title, question.body))} "
