"""Asks the deployed model for notes about documents, and reads them as self-edits. Knows no library and no ledger."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.documents import chunks, clean_text
from pipeline.engines.engine import Engine, SamplingParams
from pipeline.errors import BadRecipe
from pipeline.grading import normalise
from pipeline.prompts import passage
from pipeline.recipe import SelfEditRules
from pipeline.self_edits.answer_type import FEWEST_SUBJECTS, suiting
from pipeline.self_edits.confirmation import LEFT_ALONE_STYLE, confirmed
from pipeline.self_edits.edit_sets import common, edit_sets_of
from pipeline.self_edits.refusals import without_refused
from pipeline.self_edits.selection import select
from pipeline.self_edits.style import ChoosingStyle, Style, style
from pipeline.self_edits.token_budget import MIN_CHUNK, room_for_body
from pipeline.types import Document, DocumentKind, Dropped, Example, ModelRef, SelfEdit, Written

PASSAGE = "passage"
# A killed run loses at most one group's notes; a group's prompts share their batches.
_GROUP = 8
_Cut = tuple[Document, tuple[str, ...]]  # a document and the pieces of its body
_NO_ROOM = "document: its title leaves its text no room in the model's context"


@dataclass(frozen=True, kw_only=True)
class _WriterContext:
    """What every note of one run is written with."""

    engine: Engine
    rules: SelfEditRules
    styles: tuple[Style, ...]
    writer: ModelRef
    adapter: Path | None
    seed: int
    never: frozenset[str]
    refusals: frozenset[str]
    subjects: tuple[str, ...]  # the titles of the batch's documents, but for workflows
    shared: frozenset[str]  # titles (normalised) that several of the batch have


def write_self_edits(
    engine: Engine,
    documents: Sequence[Document],
    rules: SelfEditRules,
    *,
    writer: ModelRef,
    adapter: Path | None,
    seed: int,
    already: Container[str] = frozenset(),
    never: frozenset[str] = frozenset(),
    refusals: frozenset[str] = frozenset(),
    save: Callable[[tuple[SelfEdit, ...]], None] = lambda edits: None,
) -> Written:
    """Notes by `writer` (the engine's base with `adapter`) about each document not `already` written about, by id.

    Documents are taken in groups that depend on the whole batch alone, each with a seed of its own, and `save` is
    called once a group: a killed run that is started again ends with the same self-edits as an unbroken one. `never`
    holds the keys (`pipeline.leakage`) of questions that no example asks; `refusals` are openings of answers by which
    the writer refuses, and no note asks what it refuses. Reports progress in documents times styles. Raises BadRecipe
    for an unknown style, or one whose prompt leaves a document no room in the model's context; and what the engine
    raises, EngineFailed where it tells no chances and a correction may need some.
    """
    context = _writer_context(
        engine, documents, rules, writer=writer, adapter=adapter, seed=seed, never=never, refusals=refusals
    )
    # A group is saved at once: any member that was written about means that all of them were.
    groups = [group for group in _groups(documents) if not any(document.id in already for document in group)]
    _check_chances(context, (document for group in groups for document in group))
    total, done = sum(map(len, groups)) * len(context.styles), 0
    edits: list[SelfEdit] = []
    dropped: list[Dropped] = []
    for group in filter(None, groups):
        with progress.part(done, len(group) * len(context.styles), total):
            written = _write_group(context, group)
        save(written.edits)
        edits += written.edits
        dropped += written.dropped
        done += len(group) * len(context.styles)
    return Written(edits=tuple(edits), dropped=tuple(dropped))


def sample_notes(
    engine: Engine,
    documents: Sequence[Document],
    rules: SelfEditRules,
    *,
    writer: ModelRef,
    adapter: Path | None,
    seed: int,
) -> tuple[SelfEdit, ...]:
    """The notes of one run as sampled, good and bad alike, each document's together; see `write_self_edits`.

    Reports progress in documents times styles. Raises BadRecipe as `write_self_edits` does.
    """
    context = _writer_context(engine, documents, rules, writer=writer, adapter=adapter, seed=seed, never=frozenset())
    notes: list[SelfEdit] = []
    done, total = 0, len(documents) * len(context.styles)
    for group in _groups(documents):
        with progress.part(done, len(group) * len(context.styles), total):
            sampled = _sampled(context, _all_bodies(context, group))
        notes += [note for own in sampled.values() for note in own]
        done += len(group) * len(context.styles)
    return tuple(notes)


def _writer_context(
    engine: Engine,
    documents: Sequence[Document],
    rules: SelfEditRules,
    *,
    writer: ModelRef,
    adapter: Path | None,
    seed: int,
    never: frozenset[str],
    refusals: frozenset[str] = frozenset(),
) -> _WriterContext:
    """With the styles that documents of these kinds need. Raises BadRecipe for one unknown, or without room."""
    names = [name for document in documents for name in rules.styles_of(document.kind)]
    styles = tuple(style(name) for name in dict.fromkeys([*rules.styles, *names]))
    titles = Counter(normalise(document.title) for document in documents)
    context = _WriterContext(
        engine=engine,
        rules=rules,
        styles=styles,
        writer=writer,
        adapter=adapter,
        seed=seed,
        never=never,
        refusals=refusals,
        subjects=tuple(one.title for one in documents if one.kind is not DocumentKind.WORKFLOW),
        shared=frozenset(title for title, count in titles.items() if count > 1),
    )
    _check_room(context)
    return context


def _check_chances(context: _WriterContext, documents: Iterable[Document]) -> None:
    """Asks for a chance where corrections may need some: an engine that tells none is found out before any work."""
    corrects = any(document.kind is DocumentKind.CORRECTION for document in documents)
    if corrects and len(context.subjects) > FEWEST_SUBJECTS:
        context.engine.logprobs([("Which?", "This")], adapter=context.adapter)


def _groups(documents: Sequence[Document]) -> list[list[Document]]:
    ordered = sorted({document.id: document for document in documents}.values(), key=lambda document: document.id)
    return [ordered[start : start + _GROUP] for start in range(0, len(ordered), _GROUP)]


def _check_room(context: _WriterContext) -> None:
    for wanted in context.styles:
        if _room(context, wanted, title="") < MIN_CHUNK:
            raise BadRecipe(
                f"the style {wanted.NAME!r} leaves a document no room in a context of {context.engine.context} tokens. "
                "Take it out of self_edits.styles in the recipe, or use a model with a longer context."
            )


def _room(context: _WriterContext, wanted: Style, title: str) -> int:
    return room_for_body(context.engine, wanted, title, context.rules.max_new_tokens)


def _write_group(context: _WriterContext, group: Sequence[Document]) -> Written:
    bodies = _all_bodies(context, group)
    notes = _sampled(context, bodies)
    selected = [written for document in group for written in _selected(context, document, notes[document.id])]
    with progress.quiet():
        return _checked(context, group, bodies, notes, selected)


def _checked(
    context: _WriterContext,
    group: Sequence[Document],
    bodies: Sequence[_Cut],
    notes: dict[str, list[SelfEdit]],
    selected: list[Written],
) -> Written:
    """What was selected, without what the writer refuses, and of corrections what holds when it is asked again."""
    selected = without_refused(context.engine, selected, context.refusals, context.adapter)
    if corrections := _corrections(bodies):
        raw = [note for document in group for note in notes[document.id]]
        selected = confirmed(
            context.engine,
            corrections,
            raw,
            selected,
            context.rules,
            writer=context.writer,
            adapter=context.adapter,
            seed=context.seed,
            never=context.never,
            shared=context.shared,
            suit=partial(suiting, context.engine, subjects=context.subjects, adapter=context.adapter),
        )
    unfit = [Dropped(document=one.id, style="", reason=_NO_ROOM, count=1) for one, found in bodies if not found]
    marked = {document.id for document, _ in corrections}
    return Written(
        edits=tuple(_marked(edit, marked) for written in selected for edit in written.edits),
        dropped=(*unfit, *(reason for written in selected for reason in written.dropped)),
    )


def _marked(edit: SelfEdit, corrections: Container[str]) -> SelfEdit:
    """With its examples marked, if it is of a correction and takes the place of what the model was sure of."""
    if edit.document not in corrections or edit.style == LEFT_ALONE_STYLE:
        return edit
    return replace(edit, examples=tuple(replace(example, corrects=True) for example in edit.examples))


def _sampled(context: _WriterContext, bodies: Sequence[_Cut]) -> dict[str, list[SelfEdit]]:
    """The notes by document: its own text, where the rules want it, and then all that were sampled."""
    notes: dict[str, list[SelfEdit]] = {document.id: [] for document, _ in bodies}
    for document, pieces in bodies:
        if context.rules.passage and pieces:
            notes[document.id].append(_passage(context, document, pieces))
    for number, wanted in enumerate(context.styles):
        asked = [
            (document, wanted.prompt(document.title, body))
            for document, pieces in bodies
            if wanted.NAME in context.rules.styles_of(document.kind)
            for body in pieces
        ]
        with progress.part(number, 1, len(context.styles)):
            for note in _ask_all(context, wanted, asked):
                notes[note.document].append(note)
    return notes


def _selected(context: _WriterContext, document: Document, notes: Sequence[SelfEdit]) -> list[Written]:
    """What is kept of a document's notes. Each candidate stands alone: it may say what another says as well."""
    own = select(document, common(notes), context.never)
    sets = edit_sets_of(notes, context.rules.samples_of(document.kind))
    return [own, *(select(document, notes, context.never, besides=own.edits) for notes in sets.values())]


def _all_bodies(context: _WriterContext, group: Sequence[Document]) -> list[_Cut]:
    return [(document, _bodies(context, document)) for document in group]


def _bodies(context: _WriterContext, document: Document) -> tuple[str, ...]:
    """The document's body in chunks that fit beside every style's prompt; none where its title leaves no room."""
    room = min(_room(context, wanted, document.title) for wanted in context.styles)
    return chunks(document, context.engine.token_count, room) if room >= MIN_CHUNK else ()


def _passage(context: _WriterContext, document: Document, bodies: Sequence[str]) -> SelfEdit:
    """The document itself as plain text (SEAL always adds it): one example for each chunk, and no model asked."""
    return SelfEdit(
        document=document.id,
        style=PASSAGE,
        writer=context.writer,
        sample=0,
        prompt="",
        text=passage(document.title, document.body),
        examples=tuple(Example(prompt="", completion=passage(document.title, body)) for body in bodies),
    )


def _corrections(bodies: Sequence[_Cut]) -> list[tuple[Document, str]]:
    return [(one, body) for one, pieces in bodies if one.kind is DocumentKind.CORRECTION for body in pieces]


def _ask_all(context: _WriterContext, wanted: Style, asked: Sequence[tuple[Document, str]]) -> list[SelfEdit]:
    """The notes of all, of corrections as many as they get."""
    counts = [context.rules.samples_of(document.kind) for document, _ in asked]
    kinds = [[one for one, count in zip(asked, counts, strict=True) if count == each] for each in sorted(set(counts))]
    return [note for kind in kinds for note in _ask(context, wanted, kind)]


def _ask(context: _WriterContext, wanted: Style, asked: Sequence[tuple[Document, str]]) -> list[SelfEdit]:
    """The notes as sampled and parsed, one for each prompt and sample; all prompts are of documents of one kind."""
    prompts = [prompt for _, prompt in asked]
    # Greedy samples are all alike.
    samples = (
        context.rules.samples_of(asked[0][0].kind) * context.rules.edit_sets if context.rules.temperature > 0 else 1
    )
    answers = context.engine.generate(
        prompts,
        SamplingParams(
            max_new_tokens=context.rules.max_new_tokens,
            temperature=context.rules.temperature,
            top_p=context.rules.top_p,
            samples=samples,
            seed=seed_from("self-edits", context.seed, wanted.NAME, prompts),
        ),
        adapter=context.adapter,
    )
    return [
        _note(context, document, wanted, prompt, sample, clean_text(text))
        for (document, prompt), texts in zip(asked, answers, strict=True)
        for sample, text in enumerate(texts)
    ]


def _note(context: _WriterContext, document: Document, wanted: Style, prompt: str, sample: int, text: str) -> SelfEdit:
    return SelfEdit(
        document=document.id,
        style=wanted.NAME,
        writer=context.writer,
        sample=sample,
        prompt=prompt,
        text=text,
        examples=wanted.parse(document.title, text),
        directives=wanted.settings(text) if isinstance(wanted, ChoosingStyle) else None,
    )
