"""SEAL's outer loop: the writer writes, each note is tried, and the writer learns from what helped; round by round.

Knows no ledger, no gate and no exam question but as keys of what must not be asked.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.digests import digest_of, seed_from
from pipeline.errors import TrainingFailed
from pipeline.recipe import PracticeRules
from pipeline.training.lora import train_lora
from pipeline.training.parents import parent_tensors
from pipeline.types import Document, ModelRef, Update, UpdatePlan
from pipeline.writer_training.outer_loop import School, Tell, silent, tried
from pipeline.writer_training.policy_gradient import Judged, improve, judged
from pipeline.writer_training.rest_em import keep_best, plan_writer, writer_rules
from pipeline.writer_training.scored import Round, Scored, round_of


@dataclass(frozen=True, kw_only=True)
class Practised:
    """The writer after a round: what it was trained on, where its adapter lies (None: nothing helped), and the round.

    `plan` is an update from the live model, whatever the round.
    """

    round: Round
    plan: UpdatePlan | None
    writer: ModelRef
    adapter: Path | None


def practise(school: School, documents: Sequence[Document], tell: Tell = silent) -> Iterator[Practised]:
    """Holds the recipe's rounds on the documents in turn and gives what each made of the writer.

    Each round takes the next `practice.documents` of them, and starts anew where there are no more. Raises as training
    and writing do, and TrainingFailed where GRPO's loss is no longer finite.
    """
    if school.recipe.practice.method == "grpo":
        yield from _grpo(school, documents, tell)
    else:
        yield from _rest_em(school, documents, tell)


def _rest_em(school: School, documents: Sequence[Document], tell: Tell) -> Iterator[Practised]:
    """Each round's writer is trained from the live model on what the round kept, as ReST-EM does: it does not drift."""
    rules = school.recipe.practice
    writer, adapter, plan = school.live, school.adapter, None
    for number in range(1, rules.rounds + 1):
        scored = _round(school, documents, number, writer, adapter, tell)
        best = keep_best(scored, rules.keep, rules.best)
        if best:
            seed = seed_from("writer", school.recipe.seed)
            plan = plan_writer(school.live, best, school.rehearsal, school.recipe, seed)
            adapter = school.scratch / plan.update.id
            writer = _fine_tuned(school, plan, adapter, tell)
        yield Practised(round=round_of(number, scored, len(best)), plan=plan, writer=writer, adapter=adapter)


def _fine_tuned(school: School, plan: UpdatePlan, out: Path, tell: Tell) -> ModelRef:
    trained = train_lora(
        school.base, plan, writer_rules(school.recipe), parent_adapter=school.adapter, out=out, ledger=school.ledger,
        rehearsal=school.recipe.rehearsal.besides_writing,
        progress=lambda done, of, loss: tell("training the writer", done, of),
    )  # fmt: skip
    return ModelRef(base=school.live.base, adapter=trained.manifest.adapter)


def _grpo(school: School, documents: Sequence[Document], tell: Tell) -> Iterator[Practised]:
    """Each round's writer goes on from the last, and is held near the live model."""
    rules = school.recipe.practice
    writer, adapter, notes, plan = school.live, school.adapter, list[Judged](), None
    for number in range(1, rules.rounds + 1):
        scored = _round(school, documents, number, writer, adapter, tell)
        told = judged(scored)
        notes += told
        if told:
            plan = _grpo_plan(school, notes)
            writer, adapter = _improved(school, told, plan.update, writer, adapter)
        yield Practised(round=round_of(number, scored, len(told)), plan=plan, writer=writer, adapter=adapter)


def _improved(
    school: School, notes: Sequence[Judged], update: Update, writer: ModelRef, adapter: Path | None
) -> tuple[ModelRef, Path]:
    rules, out = writer_rules(school.recipe), school.scratch / update.id
    held, live = (
        None if folder is None else parent_tensors(school.base, folder, rules, digest)
        for folder, digest in ((adapter, writer.adapter), (school.adapter, school.live.adapter))
    )
    learned = improve(
        school.base, notes, school.recipe, writer=held, live=live, seed=seed_from("grpo", update.seed, update.id)
    )
    if not math.isfinite(learned.final_loss):
        raise TrainingFailed("GRPO's loss is no longer finite: nothing was written. Lower practice.learning_rate.")
    made_from = Provenance(
        update=update.id, recipe=update.recipe, ledger=school.ledger, parent_adapter=school.live.adapter
    )
    manifest = save_adapter(out, school.base, learned, rules, made_from)
    return ModelRef(base=school.live.base, adapter=manifest.adapter), out


def _grpo_plan(school: School, notes: Sequence[Judged]) -> UpdatePlan:
    """What the writer was shown in all rounds, the good and the bad: that is what contamination is looked for in."""
    recipe = school.recipe
    update = Update(
        parent=school.live, self_edits=(), recipe=recipe.digest, seed=recipe.seed,
        examples_digest=digest_of("practice", "grpo", [[note.example.id, note.advantage] for note in notes]),
    )  # fmt: skip
    examples = {note.example.id: note.example for note in notes}
    return UpdatePlan(update=update, examples=tuple(examples.values()))


def _round(
    school: School, documents: Sequence[Document], number: int, writer: ModelRef, adapter: Path | None, tell: Tell
) -> tuple[Scored, ...]:
    """What the writer writes in a round, and what each is worth. GRPO learns from its own notes alone."""
    rules = school.recipe.practice
    return tried(
        school, chosen(documents, number, rules.documents), writer, adapter, samples=rules.samples, draw=number,
        explore=rules.method == "rest-em", tell=lambda what, done, of: tell(f"round {number}: {what}", done, of),
    )  # fmt: skip


def seen(documents: Sequence[Document], rules: PracticeRules) -> tuple[Document, ...]:
    """The documents that any of the rounds is held on."""
    rounds = range(1, rules.rounds + 1)
    return tuple(dict.fromkeys(one for number in rounds for one in chosen(documents, number, rules.documents)))


def chosen(documents: Sequence[Document], number: int, count: int) -> tuple[Document, ...]:
    """The documents of a round: those that follow the last round's, from the first again after the last."""
    few = min(count, len(documents))
    return tuple(documents[((number - 1) * few + place) % len(documents)] for place in range(few))
