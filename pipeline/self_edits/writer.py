"""Asks the deployed model for self-edits about documents, and keeps the usable ones. Knows no ledger."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.documents import clean_text
from pipeline.errors import BadRecipe
from pipeline.heuristics import SANDBOX_FITTED
from pipeline.prompts import passage
from pipeline.self_edits.confirmation import LEFT_ALONE_STYLE, confirmed
from pipeline.self_edits.context import MIN_CHUNK, Batch, WriterContext
from pipeline.self_edits.edit_sets import common, edit_sets_of
from pipeline.self_edits.entailment import entailed
from pipeline.self_edits.quotes import quotes
from pipeline.self_edits.refusals import without_refused
from pipeline.self_edits.screening import select
from pipeline.self_edits.study import answered, verified
from pipeline.self_edits.style import AskingStyle, ChoosingStyle, ExampledStyle, Style, style
from pipeline.self_edits.styles.lines import EXAMPLE_TITLE
from pipeline.self_edits.styles.self_study import NAME as SELF_STUDY
from pipeline.types import Document, DocumentKind, Dropped, Example, SelfEdit, Written

PASSAGE = "passage"
# A killed run loses at most one group's self-edits; a group's prompts share their batches.
_GROUP = 8
_PHASES = 3  # of a group's progress: sampled, verified, asked whether it is refused
_Cut = tuple[Document, tuple[str, ...]]  # a document and the pieces of its body
_NO_ROOM = "document: its title leaves its text no room in the model's context"


@dataclass(frozen=True)
class _Job:
    """One call of the writer: its context, the batch, and the styles that the batch's kinds of documents need."""

    context: WriterContext
    batch: Batch
    styles: tuple[Style, ...]


def write_self_edits(
    context: WriterContext,
    documents: Sequence[Document],
    *,
    already: Container[str] = frozenset(),
    save: Callable[[Written], None] = lambda written: None,
) -> Written:
    """Self-edits about each document whose id is not in `already`, and what was dropped.

    `save` is called after each group of documents. Groups depend on the whole batch alone and have seeds of their own,
    so a killed run that is started again ends with the same self-edits. Reports progress in documents times styles.

    Raises BadRecipe for an unknown style, or one whose prompt leaves a document no room in the model's context; and
    what the engine raises: EngineFailed where it has no log-probabilities and corrections or statements need them.
    """
    job = _job(context, documents)
    # A group is saved at once: any member that was written about means that all of them were.
    groups = [group for group in _groups(documents) if not any(document.id in already for document in group)]
    _check_logprobs(job, [document for group in groups for document in group])
    total, done = sum(map(len, groups)) * len(job.styles), 0
    edits: list[SelfEdit] = []
    dropped: list[Dropped] = []
    for group in filter(None, groups):
        with progress.part(done, len(group) * len(job.styles), total):
            written = _write_group(job, group)
        save(written)
        edits += written.edits
        dropped += written.dropped
        done += len(group) * len(job.styles)
    return Written(edits=tuple(edits), dropped=tuple(dropped))


def sample_self_edits(context: WriterContext, documents: Sequence[Document]) -> tuple[SelfEdit, ...]:
    """All self-edits about the documents as sampled, good and bad, each document's together.

    Reports progress in documents times styles. Raises BadRecipe as `write_self_edits` does.
    """
    job = _job(context, documents)
    edits: list[SelfEdit] = []
    done, total = 0, len(documents) * len(job.styles)
    for group in _groups(documents):
        with progress.part(done, len(group) * len(job.styles), total):
            sampled = _sampled(job, _cut(job, group))
        edits += [edit for own in sampled.values() for edit in own]
        done += len(group) * len(job.styles)
    return tuple(edits)


def _job(context: WriterContext, documents: Sequence[Document]) -> _Job:
    """Raises BadRecipe for a style that is unknown, or leaves no room."""
    rules = context.rules
    names = [name for document in documents for name in rules.styles_of(document.kind)]
    styles = tuple(style(name) for name in dict.fromkeys([*rules.styles, *names]))
    for one in styles:
        if context.body_budget(one, Document(title="", body="")) < MIN_CHUNK:
            raise BadRecipe(
                f"the style {one.NAME!r} leaves a document no room in a context of {context.engine.context} tokens. "
                "Take it out of self_edits.styles in the recipe, or use a model with a longer context"
                + (", or set advanced.self_edits.few_shot to false." if context.rules.few_shot else ".")
            )
    return _Job(context, Batch(tuple(documents)), styles)


def _check_logprobs(job: _Job, documents: Sequence[Document]) -> None:
    """Asks for one log-probability if any may be needed: an engine without them fails before any work."""
    context, rules = job.context, job.context.rules
    corrects = any(document.kind is DocumentKind.CORRECTION for document in documents)
    if corrects and len(job.batch.subjects) > SANDBOX_FITTED.min_subjects:
        context.engine.logprobs([("Which?", "This")], adapter=context.writer.folder)
    styles = {name for one in documents for name in rules.styles_of(one.kind) if name != rules.correction_style}
    states = any(one.NAME in styles and not isinstance(one, AskingStyle) for one in job.styles)
    if states and rules.entailment_margin is not None:
        context.engine.logprobs([("Which?", "This")], adapter=None)


def _groups(documents: Sequence[Document]) -> list[list[Document]]:
    ordered = sorted({document.id: document for document in documents}.values(), key=lambda document: document.id)
    return [ordered[start : start + _GROUP] for start in range(0, len(ordered), _GROUP)]


def _cut(job: _Job, group: Sequence[Document]) -> list[_Cut]:
    return [(document, job.context.bodies(document, job.styles)) for document in group]


def _write_group(job: _Job, group: Sequence[Document]) -> Written:
    """The group's self-edits that are sound and not refused, and of corrections those that hold when asked again."""
    context, cut = job.context, _cut(job, group)
    with progress.part(0, 1, _PHASES):
        sampled = _sampled(job, cut)
    each = [(document, one) for document in group for one in _selected(context, document, sampled[document.id])]
    with progress.part(1, 1, _PHASES):
        selected = _verified(context, each)
    with progress.part(2, 1, _PHASES):
        selected = without_refused(context, selected)
    with progress.quiet():
        corrections = [(one, body) for one, bodies in cut if one.kind is DocumentKind.CORRECTION for body in bodies]
        if corrections:
            every = [edit for document in group for edit in sampled[document.id]]
            selected = confirmed(context, corrections, every, selected, job.batch)
    no_room = [Dropped(document=one.id, style="", reason=_NO_ROOM, count=1) for one, bodies in cut if not bodies]
    corrected = {document.id for document, _ in corrections}
    return Written(
        edits=tuple(_marked(edit, corrected) for written in selected for edit in written.edits),
        dropped=(*no_room, *(reason for written in selected for reason in written.dropped)),
    )


def _verified(context: WriterContext, each: Sequence[tuple[Document, Written]]) -> list[Written]:
    """What was written of each document: questions verified and statements entailed, where the rules say so."""
    found: list[Written] = []
    for number, (document, written) in enumerate(each):
        with progress.part(number, 1, len(each)):
            asked = verified(context, document, written) if context.rules.verify else written
            found.append(entailed(context, document, asked))
    return found


def _marked(edit: SelfEdit, corrected: Container[str]) -> SelfEdit:
    """With its examples marked as correcting, if it is about a correction and says what that changes."""
    if edit.document not in corrected or edit.style == LEFT_ALONE_STYLE:
        return edit
    return replace(edit, examples=tuple(replace(example, corrects=True) for example in edit.examples))


def _selected(context: WriterContext, document: Document, sampled: Sequence[SelfEdit]) -> list[Written]:
    """What is kept of a document's self-edits. Each edit set stands alone: it may repeat what another one says."""
    own = select(document, common(sampled), context.guard)
    sets = edit_sets_of(sampled, context.rules.samples_of(document.kind))
    return [own, *(select(document, edits, context.guard, besides=own.edits) for edits in sets.values())]


def _sampled(job: _Job, cut: Sequence[_Cut]) -> dict[str, list[SelfEdit]]:
    """By document: its own text, if the rules want it, and then all self-edits that were sampled."""
    edits: dict[str, list[SelfEdit]] = {document.id: [] for document, _ in cut}
    for document, bodies in cut:
        if job.context.rules.passage and bodies:
            texts = (Example(prompt="", completion=passage(document.title, body)) for body in bodies)
            edits[document.id].append(_unwritten(job.context, document, PASSAGE, texts))
        if job.context.rules.quotes and bodies and document.kind is DocumentKind.PASSAGE:
            found = quotes(job.context, document, bodies)
            edits[document.id].append(_unwritten(job.context, document, SELF_STUDY, found))
    for number, wanted in enumerate(job.styles):
        with progress.part(number, 1, len(job.styles)):
            for edit in _in_style(job.context, wanted, cut):
                edits[edit.document].append(edit)
    return edits


def _unwritten(context: WriterContext, document: Document, style: str, examples: Iterable[Example]) -> SelfEdit:
    """The document itself, as plain text for each chunk (SEAL always adds it) or as quotes; no model asked."""
    return SelfEdit(
        document=document.id,
        style=style,
        writer=context.writer.ref,
        sample=0,
        prompt="",
        text=passage(document.title, document.body),
        examples=tuple(examples),
    )


def _in_style(context: WriterContext, wanted: Style, cut: Sequence[_Cut]) -> list[SelfEdit]:
    """Self-edits of one style about the documents whose kind is written about in it; corrections get more samples."""
    asked: dict[int, list[tuple[Document, str]]] = {}
    for document, bodies in cut:
        if bodies and wanted.NAME in context.rules.styles_of(document.kind):
            pieces = [(document, body) for body in bodies]
            asked.setdefault(context.rules.samples_of(document.kind), []).extend(pieces)
    edits: list[SelfEdit] = []
    for number, samples in enumerate(sorted(asked)):
        with progress.part(number, 1, len(asked)):
            edits += _sample(context, wanted, asked[samples], samples)
    return edits


def _sample(
    context: WriterContext, wanted: Style, asked: Sequence[tuple[Document, str]], samples: int
) -> list[SelfEdit]:
    """As many parsed self-edits for each prompt as an edit set has `samples`, times the number of edit sets."""
    prompts = [context.asked(wanted, document, body) for document, body in asked]
    # Greedy samples are all alike.
    count = samples * context.rules.edit_sets if context.rules.temperature > 0 else 1
    params = context.sampling(seed_from("self-edits", context.seed, wanted.NAME, prompts), count)
    asks = isinstance(wanted, AskingStyle)
    with progress.part(0, 1, 2 if asks else 1):
        sampled = context.generate(prompts, params)
    edits = [
        _parsed(context, document, wanted, prompt, sample, clean_text(text))
        for (document, _), prompt, texts in zip(asked, prompts, sampled, strict=True)
        for sample, text in enumerate(texts)
    ]
    if not asks:
        return edits
    with progress.part(1, 1, 2):
        return answered(context, [piece for piece, texts in zip(asked, sampled, strict=True) for _ in texts], edits)


def _own(context: WriterContext, wanted: Style, examples: tuple[Example, ...]) -> tuple[Example, ...]:
    """The examples without those that are copied from a few-shot prompt."""
    if not (context.rules.few_shot and isinstance(wanted, ExampledStyle)):
        return examples
    shown = {one.prompt or one.completion for one in wanted.parse(EXAMPLE_TITLE, wanted.EXAMPLE)}
    return tuple(one for one in examples if (one.prompt or one.completion) not in shown)


def _parsed(context: WriterContext, document: Document, wanted: Style, prompt: str, sample: int, text: str) -> SelfEdit:
    return SelfEdit(
        document=document.id,
        style=wanted.NAME,
        writer=context.writer.ref,
        sample=sample,
        prompt=prompt,
        text=text,
        examples=_own(context, wanted, wanted.parse(document.title, text)),
        directives=wanted.settings(text) if isinstance(wanted, ChoosingStyle) else None,
    )
