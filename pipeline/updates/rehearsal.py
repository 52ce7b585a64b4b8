"""Gathers what is rehearsed beside a run's examples, each kind bounded by the recipe. Asks engines; trains nothing.

Replay of facts is not enough: a model that rehearses only facts forgets how to read a document and how to write
self-edits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.documents import chunks
from pipeline.engines import Engine, SamplingParams, cut_off, fits_context, template_tokens
from pipeline.grading import grade
from pipeline.leakage import UNGUARDED, TrainingGuard, leaked, rehearsable, without_leaks
from pipeline.prompts import open_book
from pipeline.recipe import Recipe
from pipeline.self_edits import self_edit_budget
from pipeline.types import Document, Example, Role, SelfEdit
from pipeline.updates.corrections import corrected_subjects
from pipeline.updates.generative_replay import answer_budget, answer_rehearsal_prompts, sound, write_generative
from pipeline.updates.plan import UpdateInput, evenly
from pipeline.updates.rehearsal_prompts import RehearsalPrompt, RehearsalPrompts
from pipeline.updates.replay import choose_replay


@dataclass(frozen=True, kw_only=True)
class RehearsalContext:
    """What rehearsal is gathered with.

    `reader`: the adapter that answers open-book questions, production's (None: the base model). `cache`: the folder
    that keeps the base model's answers. `guard`: what no rehearsal may ask or name.
    """

    engine: Engine
    recipe: Recipe
    reader: Path | None
    prompts: RehearsalPrompts
    cache: Path
    guard: TrainingGuard = UNGUARDED


@dataclass(frozen=True)
class _Question:
    """A question with its document in the prompt, and the answers that are right."""

    prompt: str
    accepted: tuple[str, ...]


def rehearse(
    context: RehearsalContext, learned: UpdateInput, *, writing: Sequence[SelfEdit] | None = None
) -> tuple[Example, ...]:
    """Replay, rehearsal prompts, generative replay, reading and writing; none asks what the guard holds out.

    Rehearsal prompts and generative replay name neither the guard's subjects nor what a correction is about: the base
    model would bring the old answers back. Replay keeps no answer that a correction replaced. While there is less to
    replay than the recipe allows, generative replay fills its place, so that early runs rehearse as much as late ones;
    not where replay is dealt out.

    What is drawn depends on the run's self-edits, so it is the same for the same run. `writing`: the self-edits that
    are rehearsed as writing (None: all); after writer training those that the new writer wrote. Reports progress in
    examples for which a model is asked.
    """
    recipe, guard = context.recipe, context.guard
    seed = seed_from("rehearse", recipe.seed, sorted(edit.id for edit in learned.edits))
    rules = recipe.rehearsal.grown(len({example.id for edit in learned.edits for example in edit.examples}))
    unnamed = guard.subjects | corrected_subjects(learned.all_documents)
    edits = [*learned.edits, *learned.earlier_edits]
    replayed = choose_replay(_unasked(learned.replayable_edits, guard), rules.replay, seed)
    missing = 0 if rules.dealt_out else rules.replay - len(replayed)  # dealt out, little of it is in an epoch anyway
    generative = rules.generative + missing if rules.generative else 0
    kinds: tuple[tuple[int, Callable[[], tuple[Example, ...]]], ...] = (
        (0, lambda: replayed),
        (rules.prompts, lambda: _rehearsal_prompts(context, rules.prompts, seed)),
        (generative, lambda: write_generative(context.engine, generative, seed, context.cache)),
        (rules.reading, lambda: _reading(context, learned.all_documents, edits, rules.reading, seed)),
        (0, lambda: _writing(context, edits if writing is None else writing, rules.writing, seed)),
    )
    fits = fits_context(context.engine, recipe.training)
    kept: list[Example] = []
    done, total = 0, sum(asked for asked, _ in kinds)
    for asked, kind in kinds:
        with progress.part(done, asked, max(total, 1)):
            kept += filter(fits, rehearsable(without_leaks(kind(), guard.questions), unnamed))
        done += asked
    return tuple(kept)


def _unasked(edits: Sequence[SelfEdit], guard: TrainingGuard) -> list[SelfEdit]:
    return [replace(edit, examples=without_leaks(edit.examples, guard.questions)) for edit in edits]


def _rehearsal_prompts(context: RehearsalContext, count: int, seed: int) -> tuple[Example, ...]:
    """Prompts and plain text in the proportion in which the folder holds them."""
    engine = context.engine
    drawn: list[RehearsalPrompt | str] = evenly([[*context.prompts.prompts, *context.prompts.texts]], count, seed)
    prompts = [one for one in drawn if isinstance(one, RehearsalPrompt)]
    budget = engine.context - template_tokens(engine)
    plain = [
        Example(prompt="", completion=piece, role=Role.REHEARSAL)
        for text in drawn
        if isinstance(text, str)
        for piece in chunks(Document(title="", body=text), engine.token_count, budget)
    ]
    return (*answer_rehearsal_prompts(engine, prompts, context.cache), *plain)[:count]


def _reading(
    context: RehearsalContext, documents: Sequence[Document], edits: Sequence[SelfEdit], count: int, seed: int
) -> tuple[Example, ...]:
    """Open-book questions with production's answers, kept where the answer is right."""
    engine, limit = context.engine, answer_budget(context.engine)
    examples: dict[str, list[Example]] = {}
    for edit in edits:
        examples.setdefault(edit.document, []).extend(edit.examples)
    unique = {document.id: document for document in documents}
    groups = [_questions(context, document, examples.get(document.id, [])) for document in unique.values()]
    budget = engine.context - limit - template_tokens(engine)
    # Twice as many are asked as are wanted, since some answers are wrong.
    asked = [one for one in evenly(groups, 2 * count, seed) if engine.token_count(one.prompt) <= budget]
    params = SamplingParams(max_new_tokens=limit)
    answers = engine.generate([one.prompt for one in asked], params, adapter=context.reader)
    return tuple(
        Example(prompt=one.prompt, completion=answer, role=Role.READING)
        for one, (answer,) in zip(asked, answers, strict=True)
        if sound(engine, answer, limit) and grade(answer, one.accepted, one.prompt)
    )[:count]


def _questions(context: RehearsalContext, document: Document, examples: Sequence[Example]) -> list[_Question]:
    """The questions of self-edits about the document, never its eval items, with their answers."""
    guard, frame = context.guard, context.recipe.self_edits.document_prompt
    known: dict[str, tuple[str, ...]] = {
        one.prompt: (one.completion,) for one in examples if one.prompt and "\n" not in one.prompt
    }
    return [
        _Question(prompt=open_book(document.title, document.body, question, frame), accepted=accepted)
        for question, accepted in known.items()
        if leaked(Example(prompt=question, completion=""), guard.questions) is None
    ]


def _writing(context: RehearsalContext, edits: Sequence[SelfEdit], count: int, seed: int) -> tuple[Example, ...]:
    """Prompts for self-edits with the texts as written, evenly over the documents; without an end if cut off.

    Of one prompt's samples the one with the most examples that passed the screening: poor ones would be learned as
    well. None about a correction: most of what those say did not hold when it was asked again.
    """
    engine, limit = context.engine, context.recipe.self_edits.max_new_tokens
    best: dict[str, SelfEdit] = {}
    for edit in edits if count else ():
        if any(example.corrects for example in edit.examples):
            continue
        if edit.prompt and len(edit.examples) > (len(best[edit.prompt].examples) if edit.prompt in best else 0):
            best[edit.prompt] = edit
    groups: dict[str, list[Example]] = {}
    for edit in best.values():
        whole = not cut_off(engine, edit.text, self_edit_budget(engine, edit.prompt, limit))
        pair = Example(prompt=edit.prompt, completion=edit.text, role=Role.WRITING, ends=whole)
        groups.setdefault(edit.document, []).append(pair)
    return tuple(evenly(list(groups.values()), count, seed))
