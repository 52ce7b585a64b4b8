"""Lets a writer write several self-edits about each document, and says what each would be trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.engines.engine import Engine
from pipeline.engines.limits import cut_off
from pipeline.leakage import TrainingGuard, leaked
from pipeline.recipe import Recipe, SelfEditRules, TrainingRules
from pipeline.self_edits import (
    WriterContext,
    common,
    direct,
    directed_rules,
    directs,
    edit_sets_of,
    sample_self_edits,
    select,
    self_edit_budget,
)
from pipeline.types import Checkpoint, Document, Example, ModelRef, Role, SelfEdit
from pipeline.writer_training.exploration import explored


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One self-edit of a document: its notes as written, and what an update on it alone trains on and how.

    A document in several pieces has a note for each. `usable`: whether anything of the notes passed the screening.
    `asks`: whether they ask what no training may. `too_long`: the pairs (ids) that no training takes. `cut_off`: those
    whose note was not at its end when it had all the tokens that a note may have.
    """

    document: Document
    number: int
    notes: tuple[SelfEdit, ...]
    examples: tuple[Example, ...]
    rules: TrainingRules
    usable: bool
    asks: bool
    tokens: int
    too_long: frozenset[str] = frozenset()
    cut_off: frozenset[str] = frozenset()

    @property
    def written(self) -> tuple[Example, ...]:
        """The prompts with what the writer wrote: what it learns from, if it shall write so again.

        Without what is empty or too long to be trained on, and without an end where a note was cut off.
        """
        pairs = (pair for pair in written_pairs(self.notes) if pair.completion and pair.id not in self.too_long)
        return tuple(replace(pair, ends=pair.id not in self.cut_off) for pair in pairs)


def written_pairs(notes: Sequence[SelfEdit]) -> tuple[Example, ...]:
    """What a writer learns of notes: their prompts with their texts."""
    return tuple(Example(prompt=note.prompt, completion=note.text, role=Role.WRITING) for note in notes)


def draw_samples(
    engine: Engine,
    documents: Sequence[Document],
    recipe: Recipe,
    *,
    samples: int,
    writer: ModelRef,
    adapter: Path | None,
    seed: int,
    never: frozenset[str],
    fits: Callable[[Example], bool] = lambda example: True,
    explore: bool = False,
) -> tuple[Sample, ...]:
    """`samples` self-edits of the practised style about each document; none asks what `never` holds.

    `explore`: where the writer's settings are none that can be read, some are drawn in their place.

    Raises BadRecipe as `write_self_edits` does.
    """
    context = WriterContext(
        engine=engine, rules=note_rules(recipe, samples), writer=Checkpoint(writer, adapter), seed=seed
    )
    notes = sample_self_edits(context, documents)
    notes = explored(notes, recipe.directives, seed) if explore else notes
    by_document: dict[str, list[SelfEdit]] = {}
    for note in notes:
        by_document.setdefault(note.document, []).append(note)
    return tuple(
        _sample(engine, recipe, document, number, common(own), written, never, fits)
        for document in documents
        for own in [by_document.get(document.id, [])]
        for number, written in edit_sets_of(own, 1).items()
    )


def note_rules(recipe: Recipe, samples: int) -> SelfEditRules:
    """How notes are written in writer training: in the practised style alone, each sample by itself."""
    writer_training = recipe.writer_training
    changed = {
        "styles": (writer_training.style,),
        "samples": 1,
        "edit_sets": samples,
        "temperature": writer_training.temperature,
        "correction_style": writer_training.style,
        "correction_samples": 1,
    }
    return recipe.self_edits.model_copy(update=changed)


def _sample(
    engine: Engine,
    recipe: Recipe,
    document: Document,
    number: int,
    own: Sequence[SelfEdit],
    written: tuple[SelfEdit, ...],
    never: frozenset[str],
    fits: Callable[[Example], bool],
) -> Sample:
    guard = TrainingGuard(questions=never)
    text = select(document, own, guard).edits
    kept = select(document, written, guard, besides=text).edits
    rules = recipe.training.model_copy(
        update={
            "batch_size": recipe.self_edits.edit_set_batch,
            "learning_rate": recipe.writer_training.inner_learning_rate,
            "epochs": recipe.writer_training.inner_epochs,
        }
    )
    examples = tuple(example for edit in (*text, *kept) for example in edit.examples if fits(example))
    if directs(recipe.directives, [document]):
        directed = direct(document, (*text, *kept), recipe.directives, seed=recipe.seed, guard=guard, fits=fits)
        examples, rules = directed.examples, directed_rules(rules, directed.followed.settings)
    pairs, most = written_pairs(written), recipe.self_edits.max_new_tokens
    return Sample(
        document=document,
        number=number,
        notes=written,
        examples=examples,
        rules=rules,
        usable=bool(kept),
        asks=any(leaked(pair, never) is not None for pair in pairs),
        tokens=sum(engine.token_count(note.text) for note in written),
        too_long=frozenset(pair.id for pair in pairs if not fits(pair)),
        cut_off=frozenset(
            pair.id for pair in pairs if cut_off(engine, pair.completion, self_edit_budget(engine, pair.prompt, most))
        ),
    )
