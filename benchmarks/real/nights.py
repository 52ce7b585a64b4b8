"""Runs in a row on a real model, as the product learns them, without ledger and gates: an arm that forgets lives on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers import seal
from benchmarks.peers.wrapping import merged
from benchmarks.real.arms import Room, context_of, implications
from pipeline.adapters.saving import Provenance, save_adapter
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.local import LocalEngine
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.models.resolution import find_model
from pipeline.recipe import Recipe, pretrained_recipe
from pipeline.self_edits import write_self_edits
from pipeline.training import TrainingJob, TrainingSettings, train_lora, train_many
from pipeline.types import Checkpoint, Document, EvalItem, ModelRef, SelfEdit
from pipeline.updates import (
    RehearsalContext,
    RehearsalPrompts,
    UpdateInput,
    plan_rebuild,
    plan_update,
    read_rehearsal_prompts,
    rehearse,
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A base with its recipe and what it rehearses. No example asks what is `asked`, or what a run asks."""

    base: BaseModel
    recipe: Recipe
    prompts: RehearsalPrompts
    folder: Path
    asked: tuple[EvalItem, ...] = ()


def read_setting(model: str, folder: Path, asked: tuple[EvalItem, ...] = ()) -> Setting:
    """The packaged model of that name with the recipe of pretrained models. Files go below `folder`."""
    found = find_model(model)
    return Setting(
        base=load_base(str(found.folder)),
        recipe=pretrained_recipe(),
        prompts=read_rehearsal_prompts((found.brings or Path()) / "rehearsal_prompts"),
        folder=folder,
        asked=asked,
    )


class Nights:
    """One life: each run is learned on top of what the runs before it made."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.base = setting.base
        self.adapter: Path | None = None
        self._live = ModelRef(base=setting.base.identity.model)
        self.runs: list[tuple[Document, ...]] = []
        self._edits: list[SelfEdit] = []

    def learn(self, documents: tuple[Document, ...]) -> float:
        """Writes, rehearses and trains one run. Returns its seconds."""
        began = time.perf_counter()
        guard = self._guard((*self.runs, documents))
        setting = self._setting
        writer = context_of(
            setting.base, setting.recipe, setting.recipe.self_edits, guard, Checkpoint(self._live, self.adapter)
        )
        edits = write_self_edits(writer, documents).edits
        learned = UpdateInput(
            edits=edits, documents=documents, earlier_edits=tuple(self._edits), earlier_runs=tuple(self.runs)
        )
        rehearsed = rehearse(self._rehearsal(guard), learned)
        plan = plan_update(self._live, learned, rehearsed, setting.recipe, guard=guard)
        out = setting.folder / f"run-{len(self.runs) + 1}"
        trained = train_lora(setting.base, plan, self._training(), parent=Checkpoint(self._live, self.adapter), out=out)
        self.adapter, self._live = out, ModelRef(base=self._live.base, adapter=trained.manifest.adapter)
        self.runs.append(documents)
        self._edits += edits
        return time.perf_counter() - began

    def rebuild(self, leaving: frozenset[str]) -> Path:
        """An adapter that is trained from the base on what is kept: documents whose ids are `leaving` are forgotten."""
        kept = [tuple(one for one in documents if one.id not in leaving) for documents in self.runs]
        edits = tuple(edit for edit in self._edits if edit.document not in leaving)
        guard, setting = self._guard(self.runs), self._setting
        learned = UpdateInput(edits=edits, earlier_runs=kept)
        rehearsed = rehearse(self._rehearsal(guard), learned)
        base = ModelRef(base=setting.base.identity.model)
        plan = plan_rebuild(base, learned, rehearsed, setting.recipe, guard=guard)
        out = setting.folder / "rebuilt"
        train_lora(setting.base, plan, self._training(), parent=None, out=out)
        return out

    def _guard(self, runs: Sequence[Sequence[Document]]) -> TrainingGuard:
        own = [item for documents in runs for document in documents for item in document.eval_items]
        return TrainingGuard(questions=held_out_keys([*own, *self._setting.asked]))

    def _rehearsal(self, guard: TrainingGuard) -> RehearsalContext:
        setting = self._setting
        return RehearsalContext(
            engine=LocalEngine(setting.base),
            recipe=setting.recipe,
            reader=self.adapter,
            prompts=setting.prompts,
            cache=setting.folder / "cache",
            guard=guard,
        )

    def _training(self) -> TrainingSettings:
        recipe = self._setting.recipe
        return TrainingSettings(rules=recipe.training, ledger="benchmark", rehearsal=recipe.rehearsal)


class SealNights:
    """SEAL's procedure run by run: its implications on a new adapter, which is merged into the weights."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.base = setting.base
        self.adapter: Path | None = None  # merged: the base has it
        self.runs: list[tuple[Document, ...]] = []

    def learn(self, documents: tuple[Document, ...]) -> float:
        """Writes and trains one run. Returns its seconds."""
        began, setting = time.perf_counter(), self._setting
        room = Room(
            base=self.base, recipe=setting.recipe, prompts=setting.prompts, documents=documents, cache=setting.folder
        )
        lesson = implications(room)
        number = len(self.runs) + 1
        adapter = setting.folder / f"seal-{number}"
        (result,) = train_many(self.base, [TrainingJob(examples=lesson.examples, rules=seal.RULES, seed=number)])
        made_from = Provenance(update="benchmark", recipe="benchmark", ledger="benchmark", parent_adapter=None)
        save_adapter(adapter, self.base.identity, self.base.model, result, seal.RULES, made_from)
        self.base = merged(self.base, adapter, setting.folder / f"merged-{number}")
        self.runs.append(documents)
        return time.perf_counter() - began
