"""Gathers what is rehearsed beside a run's examples, each kind bounded by the recipe. Asks engines; trains nothing.

Facts alone do not last: a model that rehearses only them forgets how to read a document and how to write about one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.documents.chunking import chunks
from pipeline.engines.engine import Engine, SamplingParams
from pipeline.engines.limits import cut_off, fits_context, template_tokens
from pipeline.grading import grade
from pipeline.leakage import leaked, rehearsable, without_leaks
from pipeline.prompts import open_book
from pipeline.recipe import Recipe
from pipeline.self_edits.token_budget import room_for_note
from pipeline.types import Document, Example, Role, SelfEdit
from pipeline.updates.corrections import corrected_subjects, without_replaced
from pipeline.updates.generative_replay import answer_rehearsal_prompts, room_for_answers, sound, write_generative
from pipeline.updates.plan import evenly
from pipeline.updates.rehearsal_prompts import RehearsalPrompt, RehearsalPrompts
from pipeline.updates.replay import choose_replay


@dataclass(frozen=True)
class _Question:
    """A question about a document, put with the document in the prompt, and the answers that would be right."""

    prompt: str
    accepted: tuple[str, ...]


def rehearse(
    engine: Engine,
    *,
    recipe: Recipe,
    production_adapter: Path | None,
    run: Sequence[SelfEdit],
    earlier: Sequence[SelfEdit],
    documents: Sequence[Document],
    rehearsal_prompts: RehearsalPrompts,
    cache: Path,
    writing: Sequence[SelfEdit] | None = None,
    never: frozenset[str] = frozenset(),
    subjects: frozenset[str] = frozenset(),
) -> tuple[Example, ...]:
    """Replay, rehearsal prompts, generative replay, reading and writing, without the questions in `never`.

    RehearsalPrompts and generative replay are also without what names one of `subjects`: what standing held_out are
    about is in no rehearsal, or their figure would say nothing of what nobody rehearses. Nor do they name what a
    correction among `documents` is about: the base model would teach its old answers again, as it does where it garbles
    the name and answers all the same (`pipeline.lookalikes`). Replay of notes that are older than a correction keeps
    none of the answers that it replaced.

    `documents` are those of earlier releases, in their order, and then this run's. What is drawn changes from run to
    run, and is the same for the same run. `cache` keeps what the base model said. Reports progress in kinds.
    `writing`: the notes that stand for how the model writes (None: all of them); after a practice, those that its
    writer wrote.

    While there is less to replay than the recipe allows, generative replay gets what is left: so the first run
    rehearses about as many examples as the thirtieth.
    """
    rules, seed = recipe.rehearsal, seed_from("rehearse", recipe.seed, sorted(edit.id for edit in run))
    edits, untaught = [*run, *earlier], subjects | corrected_subjects(documents)
    notes = edits if writing is None else writing
    replayed = choose_replay(_lasting(earlier, run, documents, never), rules.replay, seed)
    generative = rules.generative + rules.replay - len(replayed) if rules.generative else 0
    kinds: tuple[Callable[[], tuple[Example, ...]], ...] = (
        lambda: replayed,
        lambda: _rehearsal_prompts(engine, rehearsal_prompts, rules.prompts, seed, cache),
        lambda: write_generative(engine, generative, seed, cache),
        lambda: _reading(engine, documents, edits, rules.reading, seed, production_adapter, never),
        lambda: _writing(engine, notes, rules.writing, recipe.self_edits.max_new_tokens, seed),
    )
    fits = fits_context(engine, recipe.training)
    kept: list[Example] = []
    for done, kind in enumerate(kinds):
        with progress.part(done, 1, len(kinds)):
            kept += filter(fits, rehearsable(without_leaks(kind(), never), untaught))
        progress.report(done + 1, len(kinds))
    return tuple(kept)


def _lasting(
    earlier: Sequence[SelfEdit], run: Sequence[SelfEdit], documents: Sequence[Document], never: frozenset[str]
) -> list[SelfEdit]:
    """What earlier releases taught and still holds, without what may not be asked."""
    return [
        replace(edit, examples=tuple(without_leaks(edit.examples, never)))
        for edit in without_replaced(earlier, documents, run)
    ]


def _rehearsal_prompts(
    engine: Engine, rehearsal_prompts: RehearsalPrompts, count: int, seed: int, cache: Path
) -> tuple[Example, ...]:
    """Prompts and plain text in the proportion in which the folder holds them."""
    drawn: list[RehearsalPrompt | str] = evenly([[*rehearsal_prompts.prompts, *rehearsal_prompts.texts]], count, seed)
    prompts = [anchor for anchor in drawn if isinstance(anchor, RehearsalPrompt)]
    texts = [anchor for anchor in drawn if isinstance(anchor, str)]
    room = engine.context - template_tokens(engine)
    pieces = [piece for text in texts for piece in chunks(Document(title="", body=text), engine.token_count, room)]
    plain = tuple(Example(prompt="", completion=piece, role=Role.REHEARSAL) for piece in pieces)
    return (*answer_rehearsal_prompts(engine, prompts, cache), *plain)[:count]


def _reading(
    engine: Engine,
    documents: Sequence[Document],
    edits: Sequence[SelfEdit],
    count: int,
    seed: int,
    adapter: Path | None,
    never: frozenset[str],
) -> tuple[Example, ...]:
    """Open-book questions with production's answers, kept where they agree with the answer that is known."""
    limit = room_for_answers(engine)
    notes: dict[str, list[Example]] = {}
    for edit in edits:
        notes.setdefault(edit.document, []).extend(edit.examples)
    unique = {document.id: document for document in documents}
    groups = [_questions(document, notes.get(document.id, []), never) for document in unique.values()]
    room = engine.context - limit - template_tokens(engine)
    # Twice as many are asked as are wanted, since some answers are wrong.
    asked = [one for one in evenly(groups, 2 * count, seed) if engine.token_count(one.prompt) <= room]
    answers = engine.generate([one.prompt for one in asked], SamplingParams(max_new_tokens=limit), adapter=adapter)
    return tuple(
        Example(prompt=one.prompt, completion=answer, role=Role.READING)
        for one, (answer,) in zip(asked, answers, strict=True)
        if sound(engine, answer, limit) and grade(answer, one.accepted)
    )[:count]


def _questions(document: Document, notes: Sequence[Example], never: frozenset[str]) -> list[_Question]:
    """The questions that notes about the document asked and answered: its eval items, test or practice, never are."""
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
