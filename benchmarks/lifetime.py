"""Many runs in a row, each learned from what the production model wrote: what is kept of them and of all else.

The product's own writer, rehearsal, plan and trainer, without gates and ledger, so that an arm that forgets lives on.
What is asked of every run's model stands in no rehearsal: the base knowledge's test services, the skills of the
regression suites, open-book questions about documents that no run brings (reading), and which of their facts the notes
state that the model writes about them (writing).
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.peers import seal
from benchmarks.peers.wrapping import merged
from flows.steps.updates import weighed
from gates.evidence import held_out_items
from gates.measure import measure
from gates.suite import Suites, held_out_questions, held_out_subjects, read_suites, refusals
from pipeline.chat import Encoded, encode_example
from pipeline.engines.base import BaseModel, load_base, with_adapter
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.leakage import UNGUARDED, TrainingGuard
from pipeline.prompts import open_book
from pipeline.recipe import Recipe, SelfEditRules
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents
from pipeline.self_edits import WriterContext, write_self_edits
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Checkpoint, Document, EvalItem, Example, ModelRef, RunKind, Scores, SelfEdit, UpdatePlan
from pipeline.updates import (
    RehearsalContext,
    RehearsalPrompts,
    UpdateInput,
    plan_rebuild,
    plan_update,
    read_rehearsal_prompts,
    rehearse,
)

KIT = model_path() / "sealed"
NOTE_TOKENS = 160
UNSEEN = 9_001  # the seed of the documents by which reading and writing are asked: no run has it
UNSEEN_RUNS, PER_RUN = 11, 8

Marks = tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to live: the recipe of every run, and what it does otherwise than the nightly flow.

    `by_seal`: notes are trained on as SEAL does, nothing is rehearsed, and each run's adapter is merged into the
    weights.
    `rebuilds`: each run learns all notes of the life anew from the base model.
    """

    name: str
    recipe: Recipe
    by_seal: bool = False
    rebuilds: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a model answers right, item by item: of each run's test, and of what no run is about.

    `surprise`: what the base knowledge's right answers cost on average, in nats: it tells of a loss before answers
    change.
    """

    runs: tuple[Marks, ...]
    base_knowledge: Marks = ()
    skills: Marks = ()
    reading: Marks = ()
    writing: Marks = ()
    surprise: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Lived:
    """One run: how many examples it trained on, how long writing, rehearsing and training took, and what is known."""

    run: int
    examples: int
    seconds: float
    asked: Asked

    def recall(self, run: int) -> float:
        """The share of that run's test (from 1) that is answered now."""
        return fmean(self.asked.runs[run - 1])


@dataclass(frozen=True)
class Standing:
    """What every run's model is asked beside the runs' held_out."""

    suites: Suites
    unseen: tuple[Document, ...]

    @classmethod
    def read(cls) -> "Standing":
        runs = range(1, UNSEEN_RUNS + 1)
        return cls(read_suites(KIT / "suites"), tuple(d for n in runs for d in run_documents(n, PER_RUN, UNSEEN)))

    @cached_property
    def base_knowledge(self) -> tuple[EvalItem, ...]:
        return tuple(eval_item for suite in self.suites.retention for eval_item in suite.eval_items)


class Life:
    """The runs of one arm on one seed, in a folder of its own."""

    def __init__(self, arm: Arm, seed: int, standing: Standing, folder: Path) -> None:
        self.arm, self.seed, self.standing, self.folder = arm, seed, standing, folder
        self.recipe = arm.recipe.model_copy(update={"seed": seed})
        self.base: BaseModel = load_base(str(model_path()), device="cpu")
        self.adapter: Path | None = None
        self.live = ModelRef(base=self.base.identity.model)
        self.documents: list[tuple[Document, ...]] = []
        self.edits: list[SelfEdit] = []
        self.rehearsal_prompts: RehearsalPrompts = read_rehearsal_prompts(KIT / "rehearsal_prompts")

    def runs(self, count: int, looked_at: Sequence[int]) -> Iterator[Lived]:
        """Lives `count` runs. Everything is asked after the runs `looked_at`; after others only their own test."""
        for run in range(1, count + 1):
            began = time.perf_counter()
            examples = self._run(run)
            seconds = time.perf_counter() - began
            yield Lived(run=run, examples=examples, seconds=seconds, asked=self.ask(whole=run in looked_at))

    def ask(self, *, whole: bool) -> Asked:
        """What the production model knows; without `whole`, of the last run alone (earlier ones are left empty)."""
        if not whole:
            *earlier, last = self.documents
            return Asked(runs=(*(() for _ in earlier), self._closed(held_out_items(last))))
        return Asked(
            runs=tuple(self._closed(held_out_items(documents)) for documents in self.documents),
            base_knowledge=self._closed(self.standing.base_knowledge),
            skills=self._skills(),
            reading=self._reading(),
            writing=self._writing(),
            surprise=self._surprise(),
        )

    def _run(self, run: int) -> int:
        """Learns one run, and gives how many examples it trained on."""
        documents = run_documents(run, PER_RUN, self.seed)
        self.documents.append(documents)
        held_out = [eval_item for taught in self.documents for eval_item in held_out_items(taught)]
        guard = TrainingGuard(
            questions=held_out_questions(held_out, self.standing.suites),
            subjects=held_out_subjects(self.standing.suites),
            refusals=frozenset() if self.arm.by_seal else refusals(self.standing.suites),
        )
        edits = write_self_edits(self._writer(self.recipe.self_edits, self.seed, guard), documents).edits
        plan = self._planned(seal.titled(edits, documents) if self.arm.by_seal else edits, guard)
        self.edits += edits
        if plan is None:
            return 0
        out = self.folder / f"run-{run}"
        kind = RunKind.REBUILD if self.arm.rebuilds else RunKind.NIGHTLY
        trained = train_lora(
            self.base,
            plan,
            TrainingSettings(
                rules=weighed(self.recipe.training, kind, plan), ledger="benchmark", rehearsal=self.recipe.rehearsal
            ),
            parent=None if self.arm.rebuilds else Checkpoint(self.live, self.adapter),
            out=out,
        )
        if self.arm.by_seal:
            self.base = merged(self.base, out, self.folder / f"merged-{run}")
            self.live = ModelRef(base=self.base.identity.model)
        else:
            self.adapter, self.live = out, ModelRef(base=self.live.base, adapter=trained.manifest.adapter)
        return len(plan.examples)

    def _writer(self, rules: SelfEditRules, seed: int, guard: TrainingGuard = UNGUARDED) -> WriterContext:
        writer = Checkpoint(self.live, self.adapter)
        return WriterContext(engine=LocalEngine(self.base), rules=rules, writer=writer, seed=seed, guard=guard)

    def _planned(self, edits: Sequence[SelfEdit], guard: TrainingGuard) -> UpdatePlan | None:
        """What a run trains on; None where nothing was written."""
        if not any(edit.examples for edit in edits):
            return None
        if self.arm.by_seal:
            return plan_update(self.live, UpdateInput(edits=edits), (), self.recipe)
        rebuilds = self.arm.rebuilds
        context = RehearsalContext(
            engine=LocalEngine(self.base),
            recipe=self.recipe,
            reader=None if rebuilds else self.adapter,
            prompts=self.rehearsal_prompts,
            cache=self.folder / "cache",
            guard=guard,
        )
        if rebuilds:
            everything = UpdateInput(edits=[*self.edits, *edits], earlier_runs=self.documents)
            return plan_rebuild(self.live, everything, rehearse(context, everything), self.recipe, guard=guard)
        *earlier, documents = self.documents
        learned = UpdateInput(edits=edits, documents=documents, earlier_edits=self.edits, earlier_runs=earlier)
        return plan_update(self.live, learned, rehearse(context, learned), self.recipe, guard=guard)

    def _closed(self, eval_items: Sequence[EvalItem]) -> Marks:
        return self._right([eval_item.question for eval_item in eval_items], eval_items)

    def _reading(self) -> Marks:
        eval_items = [
            (document, eval_item) for document in self.standing.unseen for eval_item in held_out_items([document])
        ]
        prompts = [open_book(document.title, document.body, eval_item.question) for document, eval_item in eval_items]
        return self._right(prompts, [eval_item for _, eval_item in eval_items])

    def _right(self, prompts: Sequence[str], eval_items: Sequence[EvalItem]) -> Marks:
        engine = LocalEngine(self.base)
        said = engine.generate(
            prompts, SamplingParams(max_new_tokens=self.recipe.policy.max_answer_tokens), adapter=self.adapter
        )
        return tuple(
            bool(grade(answer, eval_item.answers, eval_item.question))
            for (answer,), eval_item in zip(said, eval_items, strict=True)
        )

    def _writing(self) -> Marks:
        """For each fact of the unseen documents, whether one greedy note of questions and answers states it."""
        rules = self.recipe.self_edits.model_copy(
            update={"styles": ("self-qa",), "samples": 1, "temperature": 0.0, "passage": False, "edit_sets": 1}
        )
        written = write_self_edits(self._writer(rules, seed=0), self.standing.unseen)
        stated = {
            edit.document: " ".join(f"{one.prompt} {one.completion}" for one in edit.examples).casefold()
            for edit in written.edits
        }
        return tuple(
            any(answer.casefold() in stated.get(document.id, "") for answer in eval_item.answers)
            for document in self.standing.unseen
            for eval_item in held_out_items([document])
        )

    def _surprise(self) -> float:
        asked = [Example(prompt=one.question, completion=one.answers[0]) for one in self.standing.base_knowledge]
        with with_adapter(self.base, self.adapter) as model:
            return fmean(_nats(model, encode_example(self.base.tokenizer, one)) for one in asked)

    def _skills(self) -> Marks:
        scores: tuple[Scores, ...] = measure(
            self.base,
            Checkpoint(self.live, self.adapter),
            self.standing.suites.regression,
            self.recipe.policy,
            self.folder / "scores",
        )
        return tuple(item.score > 0.5 for suite in scores for item in suite.items)


def live(
    arm: Arm, seed: int, runs: int, looked_at: Sequence[int], *, untouched: Lived | None = None
) -> Iterator[Lived]:
    """The base model's answers as run 0 (no run's test among them), then the runs of one life.

    `untouched`: run 0 of another arm, if it is known; all start from the same base.
    """
    with tempfile.TemporaryDirectory(prefix="sealed-life-") as folder:
        life = Life(arm, seed, Standing.read(), Path(folder))
        yield untouched or Lived(run=0, examples=0, seconds=0.0, asked=life.ask(whole=True))
        yield from life.runs(runs, looked_at)


def _nats(model: Any, said: Encoded) -> float:
    """What a sequence's learned tokens cost together."""
    import torch

    ids, learned = torch.tensor([said.ids]), torch.tensor(said.loss[1:])
    with torch.inference_mode():
        chances = model(input_ids=ids, use_cache=False).logits[0, :-1].log_softmax(-1)
    return -float(chances.gather(1, ids[0, 1:, None])[learned].sum())
