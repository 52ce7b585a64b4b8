"""Lets the production model write validation questions about documents that bring none; keeps those it answers alike.

The answers are read off the document (open book), greedily and in several samples: a question on which they differ
measures nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.documents import LONGEST_QUESTION, clean_line
from pipeline.engines import SamplingParams
from pipeline.grading import first_line, normalise
from pipeline.instructions import told_beyond
from pipeline.leakage import held_out_keys, leaked
from pipeline.prompts import passage
from pipeline.self_edits.context import WriterContext, leaves_room
from pipeline.self_edits.edit_sets import validation_items
from pipeline.self_edits.styles import self_qa
from pipeline.types import Document, DocumentKind, EvalItem, Example, Origin, Split

ItemsByDocument = Mapping[str, tuple[EvalItem, ...]]

# A killed run loses at most one group's questions; a group's prompts share their batches.
_GROUP = 8
# Twice as many are asked as are wanted, since the model does not agree with itself on all.
_SPARE = 2
_ANSWER_TOKENS = 64
# Longer answers have too many right wordings to be graded by words.
_MAX_ANSWER_WORDS = 8
_SHORTEST_NAME = 4


@dataclass(frozen=True)
class _Question:
    """A question, and the piece of its document in which the answer is looked up."""

    document: Document
    body: str
    text: str


def write_items(
    context: WriterContext,
    documents: Sequence[Document],
    *,
    save: Callable[[ItemsByDocument], None] = lambda eval_items: None,
) -> ItemsByDocument:
    """Validation items (origin MODEL) by document id, for documents without any; none where no question was usable.

    Workflows are not asked about, and no question is one that the context's guard holds out. `save` is called after
    each group of documents; groups depend on the whole batch alone, so a killed run that is started again ends with the
    same questions. It may receive items of a document that has some by now. Reports progress in documents.
    """
    wanting = {document.id: document for document in documents if _wants_some(document)}
    ordered = [wanting[key] for key in sorted(wanting)]
    found: dict[str, tuple[EvalItem, ...]] = {}
    for first in range(0, len(ordered), _GROUP):
        group = ordered[first : first + _GROUP]
        if not all(validation_items(document) for document in group):
            with progress.quiet():
                written = _items(context, group)
            save(written)
            found |= written
        progress.report(first + len(group), len(ordered))
    return found


def _wants_some(document: Document) -> bool:
    """Not if it brings some, nor for a workflow: what it did not demonstrate cannot be read off it."""
    brought = any(eval_item.origin is Origin.HUMAN for eval_item in validation_items(document))
    return not brought and document.kind is not DocumentKind.WORKFLOW


def _items(context: WriterContext, group: Sequence[Document]) -> dict[str, tuple[EvalItem, ...]]:
    wanted = context.rules.eval_items
    asked = [question for own in _written(context, group) for question in own[: _SPARE * wanted]]
    found: dict[str, tuple[EvalItem, ...]] = {}
    for question, answer in zip(asked, _answers(context, asked), strict=True):
        document = question.document.id
        if answer is not None and len(found.get(document, ())) < wanted:
            eval_item = EvalItem(
                question=question.text, answers=(answer,), split=Split.VALIDATION, origin=Origin.MODEL, group=document
            )
            found[document] = (*found.get(document, ()), eval_item)
    return found


def _written(context: WriterContext, group: Sequence[Document]) -> list[list[_Question]]:
    """Each document's usable questions in the order written, piece after piece."""
    pieces = [(document, body) for document in group for body in context.bodies(document, [self_qa])]
    prompts = [self_qa.prompt(context.shown(document, body)) for document, body in pieces]
    texts = context.generate(prompts, context.sampling(seed_from("probes", context.seed, prompts)))
    found: dict[str, dict[str, _Question]] = {document.id: {} for document in group}
    for (document, body), (text,) in zip(pieces, texts, strict=True):
        for example in self_qa.parse(document.title, text):
            question = _Question(document, body, clean_line(example.prompt))
            if _usable(context, question):
                found[document.id].setdefault(normalise(question.text), question)
    return [list(questions.values()) for questions in found.values()]


def _usable(context: WriterContext, question: _Question) -> bool:
    """Whether it can be asked closed-book: it names its subject, and neither a test nor the document asks it."""
    text = question.text
    document = question.document
    if not text.endswith(("?", "？")) or len(text) > LONGEST_QUESTION:
        return False
    if told_beyond(text, passage(document.title, document.body)):
        return False
    if leaked(Example(prompt=text, completion=""), context.guard.questions) is not None:
        return False
    # A question that stands in the document would have to be kept out of the self-edits, and the document with it.
    itself = Example(prompt="", completion=passage(document.title, document.body))
    return leaked(itself, held_out_keys([EvalItem(question=text, answers=())])) is None and names_subject(
        text, document
    )


def names_subject(text: str, document: Document) -> bool:
    """Whether a question says what it is about: by a word of the title; without a title, if it has no pronoun.

    A title in a script without spaces between words must occur as a whole.
    """
    said, names = set(normalise(text).split()), subject_words(document)
    if not names:
        return not said & {"it", "its", "this", "that", "these", "those", "they", "their"}
    whole = normalise(document.title)
    return bool(names & said) or (not whole.isascii() and whole in normalise(text))


def subject_words(document: Document) -> frozenset[str]:
    """The words (normalised) of the title that name the document each by itself: the long ones, or all if none is."""
    title = normalise(document.title).split()
    return frozenset({word for word in title if len(word) >= _SHORTEST_NAME} or title)


def _answers(context: WriterContext, asked: Sequence[_Question]) -> list[str | None]:
    """For each question the answer on which the greedy and all sampled ones agree, else None."""
    shown = {one: context.open_book(one.document, one.body, one.text) for one in asked}
    fitting = [one for one, prompt in shown.items() if leaves_room(context.engine, prompt, _ANSWER_TOKENS)]
    prompts = [shown[one] for one in fitting]
    greedy = context.greedy(prompts, _ANSWER_TOKENS)
    sampled = context.generate(
        prompts,
        SamplingParams(
            max_new_tokens=_ANSWER_TOKENS,
            temperature=1.0,
            samples=context.rules.agreement_samples,
            seed=seed_from("probe answers", context.seed, prompts),
        ),
    )
    agreed = {
        question: _agreed(question, [first, *others])
        for question, first, others in zip(fitting, greedy, sampled, strict=True)
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
