"""SEAL's outer loop: the writer writes, each note is tried, and the writer learns from what helped; round by round.

Knows no ledger, no gate and no test question but as keys of what must not be asked.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import progress
from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.digests import digest_of, seed_from
from pipeline.errors import TrainingFailed
from pipeline.recipe import WriterTrainingRules
from pipeline.training import TrainingSettings, parent_tensors, train_lora
from pipeline.types import Checkpoint, Document, ModelRef, Update, UpdatePlan
from pipeline.writer_training.outer_loop import OuterLoop, tried
from pipeline.writer_training.policy_gradient import Judged, improve, judged
from pipeline.writer_training.rest_em import keep_best, plan_writer, writer_rules
from pipeline.writer_training.scored import Round, Scored, round_of


@dataclass(frozen=True, kw_only=True)
class Practised:
    """The writer after a round: what it was trained on, where its adapter lies (None: nothing helped), and the round.

    `plan` is an update from the production model, whatever the round.
    """

    round: Round
    plan: UpdatePlan | None
    writer: ModelRef
    adapter: Path | None


def practise(loop: OuterLoop, documents: Sequence[Document]) -> Iterator[Practised]:
    """Holds the recipe's rounds on the documents in turn and gives what each made of the writer.

    Each round takes the next `writer_training.documents` of them, and starts anew where there are no more. Raises as
    training and writing do, and TrainingFailed where GRPO's loss is no longer finite.
    """
    if loop.recipe.writer_training.method == "grpo":
        yield from _grpo(loop, documents)
    else:
        yield from _rest_em(loop, documents)


def _rest_em(loop: OuterLoop, documents: Sequence[Document]) -> Iterator[Practised]:
    """Each round's writer is trained from production on what the round kept, as ReST-EM does: it does not drift."""
    rules = loop.recipe.writer_training
    writer, adapter, plan = loop.live, loop.adapter, None
    for number in range(1, rules.rounds + 1):
        scored = _round(loop, documents, number, writer, adapter)
        best = keep_best(scored, rules.keep, rules.top_share)
        if best:
            seed = seed_from("writer", loop.recipe.seed)
            plan = plan_writer(loop.live, best, loop.rehearsal, loop.recipe, seed)
            adapter = loop.scratch / plan.update.id
            writer = _fine_tuned(loop, plan, adapter)
        yield Practised(round=round_of(number, scored, len(best)), plan=plan, writer=writer, adapter=adapter)


def _fine_tuned(loop: OuterLoop, plan: UpdatePlan, out: Path) -> ModelRef:
    with progress.step("training the writer"):
        trained = train_lora(
            loop.base,
            plan,
            TrainingSettings(
                rules=writer_rules(loop.recipe), ledger=loop.ledger, rehearsal=loop.recipe.rehearsal.without_writing
            ),
            parent=Checkpoint(loop.live, loop.adapter),
            out=out,
        )
    return ModelRef(base=loop.live.base, adapter=trained.manifest.adapter)


def _grpo(loop: OuterLoop, documents: Sequence[Document]) -> Iterator[Practised]:
    """Each round's writer goes on from the last, and is held near the production model."""
    rules = loop.recipe.writer_training
    writer, adapter, notes, plan = loop.live, loop.adapter, list[Judged](), None
    for number in range(1, rules.rounds + 1):
        scored = _round(loop, documents, number, writer, adapter)
        told = judged(scored)
        notes += told
        if told:
            plan = _grpo_plan(loop, notes)
            writer, adapter = _improved(loop, told, plan.update, writer, adapter)
        yield Practised(round=round_of(number, scored, len(told)), plan=plan, writer=writer, adapter=adapter)


def _improved(
    loop: OuterLoop, notes: Sequence[Judged], update: Update, writer: ModelRef, adapter: Path | None
) -> tuple[ModelRef, Path]:
    rules, out = writer_rules(loop.recipe), loop.scratch / update.id
    held, live = (
        parent_tensors(loop.base, checkpoint, rules)
        for checkpoint in (Checkpoint(writer, adapter), Checkpoint(loop.live, loop.adapter))
    )
    learned = improve(
        loop.base, notes, loop.recipe, writer=held, live=live, seed=seed_from("grpo", update.seed, update.id)
    )
    if not math.isfinite(learned.final_loss):
        raise TrainingFailed(
            "GRPO's loss is no longer finite: nothing was written. Lower advanced.writer_training.learning_rate."
        )
    made_from = Provenance(update=update.id, recipe=update.recipe, ledger=loop.ledger, parent_adapter=loop.live.adapter)
    manifest = save_adapter(out, loop.base.identity, loop.base.model, learned, rules, made_from)
    return ModelRef(base=loop.live.base, adapter=manifest.adapter), out


def _grpo_plan(loop: OuterLoop, notes: Sequence[Judged]) -> UpdatePlan:
    """What the writer was shown in all rounds, the good and the bad: that is what contamination is looked for in."""
    recipe = loop.recipe
    update = Update(
        parent=loop.live,
        self_edits=(),
        recipe=recipe.digest,
        seed=recipe.seed,
        examples_digest=digest_of("practice", "grpo", [[note.example.id, note.advantage] for note in notes]),
    )
    examples = {note.example.id: note.example for note in notes}
    return UpdatePlan(update=update, examples=tuple(examples.values()))


def _round(
    loop: OuterLoop, documents: Sequence[Document], number: int, writer: ModelRef, adapter: Path | None
) -> tuple[Scored, ...]:
    """What the writer writes in a round, and what each is worth. GRPO learns from its own notes alone."""
    rules = loop.recipe.writer_training
    with progress.titled(f"round {number}"):
        return tried(
            loop,
            chosen(documents, number, rules.documents),
            writer,
            adapter,
            samples=rules.samples,
            draw=number,
            explore=rules.method == "rest-em",
        )


def seen(documents: Sequence[Document], rules: WriterTrainingRules) -> tuple[Document, ...]:
    """The documents that any of the rounds is held on."""
    rounds = range(1, rules.rounds + 1)
    return tuple(dict.fromkeys(one for number in rounds for one in chosen(documents, number, rules.documents)))


def chosen(documents: Sequence[Document], number: int, count: int) -> tuple[Document, ...]:
    """The documents of a round: those that follow the last round's, from the first again after the last."""
    few = min(count, len(documents))
    return tuple(documents[((number - 1) * few + place) % len(documents)] for place in range(few))
