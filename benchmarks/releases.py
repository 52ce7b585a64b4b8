"""Releases made at random in a workspace's ledger, each of a real adapter, and adapters spoiled in every known way.

They answer in gibberish, but each in its own: what matters here is which release answered, not what it knows.
"""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from flows.wiring import Workspace
from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.format import CONFIG, WEIGHTS, digest_directory, read_manifest, write_manifest
from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter
from pipeline.adapters.stack import shapes_of
from pipeline.digests import canonical_json
from pipeline.engines.base import BaseModel
from pipeline.recipe import TrainingRules
from pipeline.types import (
    Actor,
    AdapterManifest,
    Deployment,
    Document,
    GateReport,
    GateResult,
    Ingested,
    ModelRef,
    Release,
    RunState,
    SelfEdit,
    Update,
    Verdict,
)
from pipeline.types import Example as TrainingExample
from registry import LedgerSession

Tensors = dict[str, torch.Tensor]
Damage = Callable[[Path], None]
RULES = TrainingRules(rank=4, alpha=8)
_NOBODY = "0" * 64
_STRENGTH = 0.6  # of an adapter's change against its layer, by their norms: enough that every answer is its own


def make_candidate(workspace: Workspace, number: int, *, before: Damage | None = None) -> Release:
    """A candidate on one document, with a random adapter of this number. `before`: spoils it before it is approved."""
    document = Document(title=f"Service {number}", body=f"Service {number} is owned by Heron.", name=f"{number}.md")
    workspace.ledger.documents.accept(Ingested(accepted=(document,), refused=(), duplicates=0))
    with workspace.ledger.session() as session:
        run = session.runs.begin(documents=[document.id], proposer="sealed", recipe=_NOBODY)
        update = _updated(workspace, session, run.number, document)
        folder = workspace.folder_of(update.id)
        save_random(workspace.base, folder, made_from(update), seed=number)
        if before:
            before(folder)
        manifest = _manifest(folder, update)
        session.runs.save_report(run.number, passing_report(update, manifest))
        session.candidates.intend(run.number, manifest)
        return session.candidates.record(run.number, str(number))


def promote(workspace: Workspace, number: int) -> Deployment:
    """Approves a candidate without a look at its adapter, as if it had been spoiled only afterwards."""
    deployments = workspace.ledger.deployments
    context = replace(workspace.review_context, verify=_as_it_says(workspace))
    approval = deployments.approve(number, actor=Actor(name="rita"), note="seen", rules=context.rules)
    deployment = deployments.promote(approval, context=context)
    assert deployment is not None  # one approval is enough
    return deployment


def _as_it_says(workspace: Workspace) -> Callable[[Release], AdapterManifest | None]:
    return lambda release: read_manifest(workspace.folder_of(release.update)) if release.number else None


def make_release(
    workspace: Workspace, number: int, *, before: Damage | None = None, after: Damage | None = None
) -> Release:
    """A candidate that becomes production. `before`, `after`: spoil its adapter before, or after, it is approved."""
    release = make_candidate(workspace, number, before=before)
    promote(workspace, release.number)
    if after:
        after(workspace.folder_of(release.update))
    return workspace.ledger.releases.get(release.number)


def flipped_bit(folder: Path) -> None:
    """One bit of the weights is another."""
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / WEIGHTS).write_bytes(bytes(data))


def removed(folder: Path) -> None:
    """Nothing is left of it."""
    shutil.rmtree(folder)


def not_a_number(folder: Path) -> None:
    """One weight is NaN, and the manifest agrees."""
    tensors = _tensors(folder)
    next(iter(tensors.values()))[0, 0] = math.nan
    _forge(folder, tensors)


def wrong_base(folder: Path) -> None:
    """Trained for another base model."""
    write_manifest(folder, replace(read_manifest(folder), base="f" * 64))


def missing_layer(folder: Path) -> None:
    """One layer is not adapted, and the manifest agrees."""
    tensors = _tensors(folder)
    layer = next(iter(tensors)).rpartition(".lora_")[0]
    _forge(folder, {key: tensor for key, tensor in tensors.items() if not key.startswith(f"{layer}.")})


def rank_lie(folder: Path) -> None:
    """Configuration and manifest name twice the rank that the weights have."""
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8")) | {"r": 2 * RULES.rank}
    (folder / CONFIG).write_text(canonical_json(config) + "\n", encoding="utf-8")
    manifest = replace(read_manifest(folder), rank=2 * RULES.rank, files=digest_directory(folder))
    write_manifest(folder, manifest)


def renamed_keys(folder: Path) -> None:
    """The weights of layer 0 are named as those of a layer that the base does not have."""
    _forge(folder, {key.replace("layers.0.", "layers.99."): tensor for key, tensor in _tensors(folder).items()})


def no_change(folder: Path) -> None:
    """Whole and well-formed, but it changes nothing."""
    _forge(folder, {key: tensor * (".lora_B." not in key) for key, tensor in _tensors(folder).items()})


# What is spoiled before the approval: the ledger names a manifest that agrees with the bytes.
BEFORE: dict[str, Damage] = {
    "NaN": not_a_number,
    "wrong base": wrong_base,
    "missing layer": missing_layer,
    "rank lie": rank_lie,
    "renamed keys": renamed_keys,
    "no change": no_change,
}


def self_edit(document: Document, writer: ModelRef) -> SelfEdit:
    """A self-edit about a document that nobody wrote."""
    return SelfEdit(
        document=document.id,
        style="self-qa",
        writer=writer,
        sample=0,
        prompt="Write.",
        text="Heron.",
        examples=(TrainingExample(prompt=f"Who owns {document.title}?", completion="Heron"),),
    )


def _updated(workspace: Workspace, session: LedgerSession, run: int, document: Document) -> Update:
    """A run as far as its update, with one self-edit."""
    parent = workspace.ledger.releases.production().model
    edit = self_edit(document, parent)
    update = Update(parent=parent, self_edits=(edit.id,), examples_digest=_NOBODY, recipe=_NOBODY, seed=0)
    session.runs.move(run, RunState.WRITING)
    session.self_edits.save(run, [edit])
    session.runs.move(run, RunState.TRAINING)
    session.runs.save_update(run, update)
    session.runs.move(run, RunState.GATING)
    return update


def save_random(base: BaseModel, folder: Path, made_from: Provenance, *, seed: int) -> None:
    """Writes the random adapter of that seed into `folder`."""
    layers = linear_layers(base.model)
    draw = torch.Generator().manual_seed(seed)
    tensors = {
        key: torch.randn(shape, generator=draw) / shape[1] ** 0.5
        for key, shape in shapes_of(layers, RULES.rank).items()
    }
    for layer in layers:
        weight = float(base.model.get_submodule(layer).weight.float().norm())
        a, b = (tensors[f"base_model.model.{layer}.lora_{side}.weight"] for side in "AB")
        b *= _STRENGTH * weight / (RULES.alpha / RULES.rank * float((b @ a).norm()))
    result = TrainingResult(tensors=tensors, steps=1, final_loss=0.0, tokens=1)
    save_adapter(folder, base.identity, base.model, result, RULES, made_from)


def made_from(update: Update) -> Provenance:
    """What the adapter of an update is made from."""
    return Provenance(update=update.id, recipe=_NOBODY, ledger=_NOBODY, parent_adapter=update.parent.adapter)


def _manifest(folder: Path, update: Update) -> AdapterManifest:
    found = read_manifest(folder)
    return found if found.update == update.id else replace(found, update=update.id)


def passing_report(update: Update, manifest: AdapterManifest) -> GateReport:
    """A report of one gate, which passed."""
    result = GateResult(gate="acquisition", verdict=Verdict.PASS, sentence="made at random", figures=())
    candidate = replace(update.parent, adapter=manifest.adapter)
    return GateReport(
        update=update.id, candidate=candidate, production=update.parent, policy=_NOBODY, results=(result,), recall=()
    )


def _tensors(folder: Path) -> Tensors:
    return dict(load_file(folder / WEIGHTS))


def _forge(folder: Path, tensors: Tensors) -> None:
    """Writes weights, and then a manifest that agrees with the files."""
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, folder / WEIGHTS)
    parameters = sum(tensor.numel() for tensor in tensors.values())
    manifest = replace(read_manifest(folder), files=digest_directory(folder), parameters=parameters)
    write_manifest(folder, manifest)
