"""A model's life of many nights, each learned from what the live model wrote: what it keeps of them and of all else.

The product's own writer, rehearsal, plan and trainer, without gates and ledger, so that an arm that forgets lives on.
What is asked of every night's model stands in no rehearsal: the old world's exam services, the skills of the regression
suites, open-book questions about documents that no night brings (reading), and which of their facts the notes
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
from flows.steps.training import weighed
from gates.checks.contamination import exam_questions, exam_subjects
from gates.checks.safety import refusals
from gates.evidence import exam_probes
from gates.measure import measure
from gates.suite import Suites, read_suites
from pipeline.chat import Encoded, encode_example
from pipeline.engines.base import BaseModel, load_base, with_adapter
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.prompts import open_book
from pipeline.recipe import Recipe
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import night_documents
from pipeline.self_edits.writer import write_self_edits
from pipeline.training.lora import train_lora
from pipeline.types import Document, Example, ModelRef, NightKind, Probe, Scores, SelfEdit, UpdatePlan
from pipeline.updates.plan import plan_rebuild, plan_update
from pipeline.updates.rehearsal import rehearse
from pipeline.updates.rehearsal_prompts import Anchors, read_anchors

KIT = model_path() / "sealed"
NOTE_TOKENS = 160
UNSEEN = 9_001  # the seed of the documents by which reading and writing are asked: no night has it
UNSEEN_NIGHTS, PER_NIGHT = 11, 8

Marks = tuple[bool, ...]


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A way to live: the recipe of every night, and what it does otherwise than the nightly flow.

    `by_seal`: notes are trained on as SEAL does, nothing is rehearsed, and each night's adapter is merged into the
    weights.
    `rebuilds`: each night learns all notes of the life anew from the untouched base.
    """

    name: str
    recipe: Recipe
    by_seal: bool = False
    rebuilds: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a model answers right, item by item: of each night's exam, and of what no night is about.

    `surprise`: what the old world's right answers cost on average, in nats: it tells of a loss before answers change.
    """

    nights: tuple[Marks, ...]
    old_world: Marks = ()
    skills: Marks = ()
    reading: Marks = ()
    writing: Marks = ()
    surprise: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Lived:
    """One night: how many examples it trained on, how long writing, rehearsing and training took, and what is known."""

    night: int
    examples: int
    seconds: float
    asked: Asked

    def recall(self, night: int) -> float:
        """The share of that night's exam (from 1) that is answered now."""
        return fmean(self.asked.nights[night - 1])


@dataclass(frozen=True)
class Standing:
    """What every night's model is asked beside the nights' exams."""

    suites: Suites
    unseen: tuple[Document, ...]

    @classmethod
    def read(cls) -> "Standing":
        nights = range(1, UNSEEN_NIGHTS + 1)
        return cls(read_suites(KIT / "suites"), tuple(d for n in nights for d in night_documents(n, PER_NIGHT, UNSEEN)))

    @cached_property
    def old_world(self) -> tuple[Probe, ...]:
        return tuple(probe for suite in self.suites.retention for probe in suite.probes)


class Life:
    """The nights of one arm on one seed, in a folder of its own."""

    def __init__(self, arm: Arm, seed: int, standing: Standing, folder: Path) -> None:
        self.arm, self.seed, self.standing, self.folder = arm, seed, standing, folder
        self.recipe = arm.recipe.model_copy(update={"seed": seed})
        self.base: BaseModel = load_base(str(model_path()), device="cpu")
        self.adapter: Path | None = None
        self.live = ModelRef(base=self.base.identity.model)
        self.documents: list[tuple[Document, ...]] = []
        self.edits: list[SelfEdit] = []
        self.anchors: Anchors = read_anchors(KIT / "anchors")

    def nights(self, count: int, looked_at: Sequence[int]) -> Iterator[Lived]:
        """Lives `count` nights. Everything is asked after the nights `looked_at`; after others only their own exam."""
        for night in range(1, count + 1):
            began = time.perf_counter()
            examples = self._night(night)
            seconds = time.perf_counter() - began
            yield Lived(night=night, examples=examples, seconds=seconds, asked=self.ask(whole=night in looked_at))

    def ask(self, *, whole: bool) -> Asked:
        """What the live model knows; without `whole`, of the last night alone (earlier ones are left empty)."""
        if not whole:
            *earlier, last = self.documents
            return Asked(nights=(*(() for _ in earlier), self._closed(exam_probes(last))))
        return Asked(
            nights=tuple(self._closed(exam_probes(documents)) for documents in self.documents),
            old_world=self._closed(self.standing.old_world),
            skills=self._skills(),
            reading=self._reading(),
            writing=self._writing(),
            surprise=self._surprise(),
        )

    def _night(self, night: int) -> int:
        """Learns one night, and gives how many examples it trained on."""
        documents = night_documents(night, PER_NIGHT, self.seed)
        self.documents.append(documents)
        exams = [probe for taught in self.documents for probe in exam_probes(taught)]
        never = exam_questions(exams, self.standing.suites)
        engine = LocalEngine(self.base)
        edits = write_self_edits(
            engine, documents, self.recipe.self_edits, writer=self.live, adapter=self.adapter, seed=self.seed,
            never=never, refusals=frozenset() if self.arm.by_seal else refusals(self.standing.suites),
        ).edits  # fmt: skip
        plan = self._planned(seal.titled(edits, documents) if self.arm.by_seal else edits, never)
        self.edits += edits
        if plan is None:
            return 0
        out = self.folder / f"night-{night}"
        kind = NightKind.REBUILD if self.arm.rebuilds else NightKind.NIGHTLY
        trained = train_lora(
            self.base, plan, weighed(self.recipe.training, kind, plan), out=out, ledger="benchmark",
            parent_adapter=None if self.arm.rebuilds else self.adapter, rehearsal=self.recipe.rehearsal,
        )  # fmt: skip
        if self.arm.by_seal:
            self.base = _merged(self.base, out, self.folder / f"merged-{night}")
            self.live = ModelRef(base=self.base.identity.model)
        else:
            self.adapter, self.live = out, ModelRef(base=self.live.base, adapter=trained.manifest.adapter)
        return len(plan.examples)

    def _planned(self, edits: Sequence[SelfEdit], never: frozenset[str]) -> UpdatePlan | None:
        """What a night trains on; None where nothing was written."""
        if not any(edit.examples for edit in edits):
            return None
        if self.arm.by_seal:
            return plan_update(self.live, edits, (), self.recipe)
        rebuilds, documents = self.arm.rebuilds, [one for taught in self.documents for one in taught]
        ledger = [*self.edits, *edits]
        rehearsal = rehearse(
            LocalEngine(self.base), recipe=self.recipe, live_adapter=None if rebuilds else self.adapter,
            night=ledger if rebuilds else edits, earlier=() if rebuilds else self.edits, documents=documents,
            anchors=self.anchors, never=never, subjects=exam_subjects(self.standing.suites),
            cache=self.folder / "cache",
        )  # fmt: skip
        if rebuilds:
            return plan_rebuild(self.live, ledger, rehearsal, self.recipe, never, documents)
        return plan_update(self.live, edits, rehearsal, self.recipe)

    def _closed(self, probes: Sequence[Probe]) -> Marks:
        return self._right([probe.question for probe in probes], probes)

    def _reading(self) -> Marks:
        probes = [(document, probe) for document in self.standing.unseen for probe in exam_probes([document])]
        prompts = [open_book(document.title, document.body, probe.question) for document, probe in probes]
        return self._right(prompts, [probe for _, probe in probes])

    def _right(self, prompts: Sequence[str], probes: Sequence[Probe]) -> Marks:
        engine = LocalEngine(self.base)
        said = engine.generate(prompts, adapter=self.adapter, max_new_tokens=self.recipe.policy.max_answer_tokens)
        return tuple(bool(grade(answer, probe.answers)) for (answer,), probe in zip(said, probes, strict=True))

    def _writing(self) -> Marks:
        """For each fact of the unseen documents, whether one greedy note of questions and answers states it."""
        rules = self.recipe.self_edits.model_copy(
            update={"styles": ("self-qa",), "samples": 1, "temperature": 0.0, "passage": False, "candidates": 1}
        )
        written = write_self_edits(
            LocalEngine(self.base), self.standing.unseen, rules, writer=self.live, adapter=self.adapter, seed=0
        )
        stated = {edit.document: " ".join(f"{one.prompt} {one.completion}" for one in edit.examples).casefold()
                  for edit in written.edits}  # fmt: skip
        return tuple(
            any(answer.casefold() in stated.get(document.id, "") for answer in probe.answers)
            for document in self.standing.unseen
            for probe in exam_probes([document])
        )

    def _surprise(self) -> float:
        asked = [Example(prompt=one.question, completion=one.answers[0]) for one in self.standing.old_world]
        with with_adapter(self.base, self.adapter) as model:
            return fmean(_nats(model, encode_example(self.base.tokenizer, one)) for one in asked)

    def _skills(self) -> Marks:
        scores: tuple[Scores, ...] = measure(
            self.base, self.live, self.adapter, self.standing.suites.regression, self.recipe.policy,
            self.folder / "scores",
        )  # fmt: skip
        return tuple(item.score > 0.5 for suite in scores for item in suite.items)


def live(
    arm: Arm, seed: int, nights: int, looked_at: Sequence[int], *, untouched: Lived | None = None
) -> Iterator[Lived]:
    """The untouched base's answers as night 0 (no night's exam among them), then the nights of one life.

    `untouched`: night 0 of another arm, if it is known; all start from the same base.
    """
    with tempfile.TemporaryDirectory(prefix="sealed-life-") as folder:
        life = Life(arm, seed, Standing.read(), Path(folder))
        yield untouched or Lived(night=0, examples=0, seconds=0.0, asked=life.ask(whole=True))
        yield from life.nights(nights, looked_at)


def _nats(model: Any, said: Encoded) -> float:
    """What a sequence's learned tokens cost together."""
    import torch

    ids, learned = torch.tensor([said.ids]), torch.tensor(said.loss[1:])
    with torch.inference_mode():
        chances = model(input_ids=ids, use_cache=False).logits[0, :-1].log_softmax(-1)
    return -float(chances.gather(1, ids[0, 1:, None])[learned].sum())


def _merged(base: BaseModel, adapter: Path, out: Path) -> BaseModel:
    """The model with the adapter added to its weights, saved and loaded anew as SEAL's loop does."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.path), adapter).merge_and_unload()
    merged.save_pretrained(out)
    base.tokenizer.save_pretrained(out)
    return load_base(str(out), device="cpu")
