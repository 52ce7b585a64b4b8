"""Runs in a row on a real model, as the product learns them, without ledger and gates: an arm that forgets lives on."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.peers.wrapping import merged
from benchmarks.real.arms import Room, context_of, implications, train
from benchmarks.real.passages import items_of
from benchmarks.real.setting import Setting
from pipeline.engines.local import LocalEngine
from pipeline.leakage import TrainingGuard, held_out_keys
from pipeline.self_edits import write_self_edits
from pipeline.training import TrainingSettings, train_lora
from pipeline.types import Checkpoint, Document, EvalItem, ModelRef, SelfEdit
from pipeline.updates import (
    RehearsalContext,
    UpdateInput,
    plan_rebuild,
    plan_update,
    rehearse,
)


class Life:
    """Each run is learned on top of what the runs before it made."""

    def __init__(self, setting: Setting, folder: Path, asked: Sequence[EvalItem] = ()) -> None:
        """Files go below `folder`. No example asks what is `asked`, or what a run asks."""
        self._setting, self._folder, self._asked = setting, folder, asked
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
        out = self._folder / f"run-{len(self.runs) + 1}"
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
        out = self._folder / "rebuilt"
        train_lora(setting.base, plan, self._training(), parent=None, out=out)
        return out

    def _guard(self, runs: Sequence[Sequence[Document]]) -> TrainingGuard:
        own = [item for documents in runs for item in items_of(documents)]
        return TrainingGuard(questions=held_out_keys([*own, *self._asked]))

    def _rehearsal(self, guard: TrainingGuard) -> RehearsalContext:
        setting = self._setting
        return RehearsalContext(
            engine=LocalEngine(setting.base),
            recipe=setting.recipe,
            reader=self.adapter,
            prompts=setting.prompts,
            cache=self._folder / "cache",
            guard=guard,
        )

    def _training(self) -> TrainingSettings:
        recipe = self._setting.recipe
        return TrainingSettings(rules=recipe.training, ledger="benchmark", rehearsal=recipe.rehearsal)


class OnwardLife(Life):
    """As `Life`, but each run trains production's own adapter on; nothing is trained beside it."""

    def __init__(self, setting: Setting, folder: Path, asked: Sequence[EvalItem] = ()) -> None:
        """As `Life`."""
        rules = setting.recipe.training
        alone = {"beside_parent": False, "beside_rank": None}
        training = rules.of_rank(rules.beside_rank or rules.rank).model_copy(update=alone)
        onward = setting.recipe.model_copy(update={"training": training})
        super().__init__(replace(setting, recipe=onward), folder, asked)


class SealLife:
    """SEAL's procedure run by run: its implications on a new adapter, which is merged into the weights."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        """Files go below `folder`."""
        self._setting, self._folder = setting, folder
        self.base = setting.base
        self.adapter: Path | None = None  # merged: the base has it
        self.runs: list[tuple[Document, ...]] = []

    def learn(self, documents: tuple[Document, ...]) -> float:
        """Writes and trains one run. Returns its seconds."""
        began, setting = time.perf_counter(), self._setting
        room = Room(
            base=self.base, recipe=setting.recipe, prompts=setting.prompts, documents=documents, cache=self._folder
        )
        lesson = implications(room)
        number = len(self.runs) + 1
        adapter = self._folder / f"seal-{number}"
        train(self.base, lesson, adapter, number)
        self.base = merged(self.base, adapter, self._folder / f"merged-{number}")
        self.runs.append(documents)
        return time.perf_counter() - began
