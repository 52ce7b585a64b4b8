"""Gathers what is rehearsed beside a night's examples, each kind bounded by the recipe. Asks engines; trains nothing.

Facts alone do not last: a model that rehearses only them forgets how to read a document and how to write about one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.digests import seed_from
from pipeline.documents.chunking import chunks
from pipeline.engines.engine import Engine, Progress
from pipeline.engines.fitting import fitting
from pipeline.engines.limits import cut_off, framing
from pipeline.grading import grade
from pipeline.leakage import leaked, rehearsable, without_leaks
from pipeline.prompts import open_book
from pipeline.recipe import Recipe
from pipeline.self_edits.token_budget import room_for_note
from pipeline.types import Document, Example, Role, SelfEdit
from pipeline.updates.corrections import corrected_subjects, without_replaced
from pipeline.updates.generative_replay import answer_anchors, room_for_answers, sound, write_generative
from pipeline.updates.plan import evenly
from pipeline.updates.rehearsal_prompts import AnchorPrompt, Anchors
from pipeline.updates.replay import choose_replay

_KINDS = 5


@dataclass(frozen=True)
class _Question:
    """A question about a document, put with the document in the prompt, and the answers that would be right."""

    prompt: str
    accepted: tuple[str, ...]


def rehearse(
    engine: Engine,
    *,
    recipe: Recipe,
    live_adapter: Path | None,
    night: Sequence[SelfEdit],
    earlier: Sequence[SelfEdit],
    documents: Sequence[Document],
    anchors: Anchors,
    cache: Path,
    writing: Sequence[SelfEdit] | None = None,
    never: frozenset[str] = frozenset(),
    subjects: frozenset[str] = frozenset(),
    progress: Progress | None = None,
) -> tuple[Example, ...]:
    """Replay, anchors, generative replay, reading and writing, without what `never` (keys of `pipeline.leakage`) asks.

    Anchors and generative replay are also without what names one of `subjects`: what standing exams are about is in no
    rehearsal, or their figure would say nothing of what nobody rehearses. Nor do they name what a correction among
    `documents` is about: the untouched base would teach its old answers again, as it does where it garbles the name and
    answers all the same (`pipeline.lookalikes`). Replay of notes that are older than a correction keeps none of the
    answers that it replaced.

    `documents` are those of earlier nights, in their order, and then this night's. What is drawn changes from night to
    night, and is the same for the same night. `cache` keeps what the untouched base said. `progress` counts kinds.
    `writing`: the notes that stand for how the model writes (None: all of them); after a practice, those that its
    writer wrote.

    While there is less to replay than the recipe allows, generative replay gets what is left: so the first night
    rehearses about as many examples as the thirtieth.
    """
    rules, seed = recipe.rehearsal, seed_from("rehearse", recipe.seed, sorted(edit.id for edit in night))
    edits, untaught = [*night, *earlier], subjects | corrected_subjects(documents)
    notes = edits if writing is None else writing
    replayed = choose_replay(_lasting(earlier, night, documents, never), rules.replay, seed)
    generative = rules.generative + rules.replay - len(replayed) if rules.generative else 0
    kinds: tuple[Callable[[], tuple[Example, ...]], ...] = (
        lambda: replayed,
        lambda: _anchors(engine, anchors, rules.anchors, seed, cache),
        lambda: write_generative(engine, generative, seed, cache),
        lambda: _reading(engine, documents, edits, rules.reading, seed, live_adapter, never),
        lambda: _writing(engine, notes, rules.writing, recipe.self_edits.max_new_tokens, seed),
    )
    fits = fitting(engine, recipe.training)
    kept: list[Example] = []
    for done, kind in enumerate(kinds, start=1):
        kept += filter(fits, rehearsable(without_leaks(kind(), never), untaught))
        if progress:
            progress(done, _KINDS)
    return tuple(kept)


def _lasting(
    earlier: Sequence[SelfEdit], night: Sequence[SelfEdit], documents: Sequence[Document], never: frozenset[str]
) -> list[SelfEdit]:
    """What earlier nights taught and still holds, without what may not be asked."""
    return [
        replace(edit, examples=tuple(without_leaks(edit.examples, never)))
        for edit in without_replaced(earlier, documents, night)
    ]


def _anchors(engine: Engine, anchors: Anchors, count: int, seed: int, cache: Path) -> tuple[Example, ...]:
    """Prompts and plain text in the proportion in which the folder holds them."""
    drawn: list[AnchorPrompt | str] = evenly([[*anchors.prompts, *anchors.texts]], count, seed)
    prompts = [anchor for anchor in drawn if isinstance(anchor, AnchorPrompt)]
    texts = [anchor for anchor in drawn if isinstance(anchor, str)]
    room = engine.context - framing(engine)
    pieces = [piece for text in texts for piece in chunks(Document(title="", body=text), engine.token_count, room)]
    plain = tuple(Example(prompt="", completion=piece, role=Role.ANCHOR) for piece in pieces)
    return (*answer_anchors(engine, prompts, cache), *plain)[:count]


def _reading(
    engine: Engine,
    documents: Sequence[Document],
    edits: Sequence[SelfEdit],
    count: int,
    seed: int,
    adapter: Path | None,
    never: frozenset[str],
) -> tuple[Example, ...]:
    """Open-book questions with the live model's answers, kept where they agree with the answer known from elsewhere."""
    limit = room_for_answers(engine)
    notes: dict[str, list[Example]] = {}
    for edit in edits:
        notes.setdefault(edit.document, []).extend(edit.examples)
    unique = {document.id: document for document in documents}
    groups = [_questions(document, notes.get(document.id, []), never) for document in unique.values()]
    room = engine.context - limit - framing(engine)
    # Twice as many are asked as are wanted, since some answers are wrong.
    asked = [one for one in evenly(groups, 2 * count, seed) if engine.token_count(one.prompt) <= room]
    answers = engine.generate([one.prompt for one in asked], adapter=adapter, max_new_tokens=limit)
    return tuple(
        Example(prompt=one.prompt, completion=answer, role=Role.READING)
        for one, (answer,) in zip(asked, answers, strict=True)
        if sound(engine, answer, limit) and grade(answer, one.accepted)
    )[:count]


def _questions(document: Document, notes: Sequence[Example], never: frozenset[str]) -> list[_Question]:
    """The questions that notes about the document asked and answered: its probes, exam or practice, never are."""
    known: dict[str, tuple[str, ...]] = {
        note.prompt: (note.completion,) for note in notes if note.prompt and "\n" not in note.prompt
    }
    return [
        _Question(prompt=open_book(document.title, document.body, question), accepted=accepted)
        for question, accepted in known.items()
        if leaked(Example(prompt=question, completion=""), never) is None
    ]


def _writing(
    engine: Engine, edits: Sequence[SelfEdit], count: int, max_new_tokens: int, seed: int
) -> tuple[Example, ...]:
    """Prompts for notes with the notes as written, evenly over the documents; one that was cut off is taught no end.

    Of one prompt's samples the one of which most passed the screening: poor notes would be learned as well. None is
    about a correction: most of what those say did not hold when it was asked again.
    """
    best: dict[str, SelfEdit] = {}
    for edit in edits if count else ():
        if any(example.corrects for example in edit.examples):
            continue
        if edit.prompt and len(edit.examples) > (len(best[edit.prompt].examples) if edit.prompt in best else 0):
            best[edit.prompt] = edit
    groups: dict[str, list[Example]] = {}
    for edit in best.values():
        whole = not cut_off(engine, edit.text, room_for_note(engine, edit.prompt, max_new_tokens))
        pair = Example(prompt=edit.prompt, completion=edit.text, role=Role.WRITING, ends=whole)
        groups.setdefault(edit.document, []).append(pair)
    return tuple(evenly(list(groups.values()), count, seed))
