"""Writes a trained adapter as a standard PEFT directory with its manifest, all or nothing, and reads its facts again.

Knows no training.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pipeline.adapters.attachment import target_names, transposed, unadapted
from pipeline.adapters.format import CONFIG, WEIGHTS, config_of, digest_directory, verify_adapter, write_manifest
from pipeline.adapters.identity import BaseIdentity
from pipeline.digests import canonical_json
from pipeline.errors import BadInput, CorruptAdapter, TrainingFailed
from pipeline.files import move, new_folder, remove_folder
from pipeline.recipe import TrainingRules
from pipeline.rendering import Thinking
from pipeline.types import AdapterManifest, Trained

_FACTS = "sealed"  # the key of the weights' metadata that holds how the training went


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingResult:
    """A trained adapter in memory, its tensors by PEFT's keys, and how its training went.

    `final_loss`: mean over the last epoch; an adapter whose loss is not finite is of no use. `tokens`: those of all
    sequences it was trained on, counted once an epoch.
    """

    tensors: dict[str, torch.Tensor]
    steps: int
    final_loss: float
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What an adapter was made from, for its manifest: update id, recipe digest, ledger digest, parent's digest.

    `thinking`: how its prompts left the chat template's thinking.
    """

    update: str
    recipe: str
    ledger: str
    parent_adapter: str | None
    thinking: Thinking = Thinking.NONE


def save_adapter(
    out: Path, base: BaseIdentity, model: Any, result: TrainingResult, rules: TrainingRules, made_from: Provenance
) -> AdapterManifest:
    """Writes the adapter into `out`, which is replaced, and appears only when all its files are written.

    `base` and `model`: the base that it was trained on; `rules`: those it was trained by.
    Raises TrainingFailed, OSError.
    """
    targets = target_names(model, rules.targets)
    facts = {"steps": result.steps, "final_loss": result.final_loss, "tokens": result.tokens}
    config = config_of(rank=rules.rank, alpha=rules.alpha, targets=targets, transposed=transposed(model))
    with new_folder(out) as folder:
        # One key only: safetensors writes several in no fixed order.
        _save_tensors(folder / WEIGHTS, result, facts)
        (folder / CONFIG).write_text(canonical_json(config) + "\n", encoding="utf-8")
        manifest = AdapterManifest(
            base=base.model,
            tokenizer=base.tokenizer,
            chat_template=base.chat_template,
            files=digest_directory(folder),
            rank=rules.rank,
            alpha=rules.alpha,
            target_modules=targets,
            parameters=sum(tensor.numel() for tensor in result.tensors.values()),
            update=made_from.update,
            recipe=made_from.recipe,
            ledger=made_from.ledger,
            parent_adapter=made_from.parent_adapter,
            thinking=made_from.thinking.value,
            unadapted=unadapted(model),
        )
        write_manifest(folder, manifest)
    return manifest


def _save_tensors(file: Path, result: TrainingResult, facts: Mapping[str, object]) -> None:
    try:
        save_file(result.tensors, file, metadata={_FACTS: canonical_json(facts)})
    except SafetensorError as error:
        # What the disk answers comes as this, and not as an OSError.
        raise TrainingFailed(f"{file} was not written: {error}. Make room, and run the same command again.") from error


def trained_adapter(base: BaseIdentity, update: str, out: Path) -> Trained | None:
    """The adapter that an earlier run of the same update left in `out`; None where there is none, or it is damaged.

    Raises WrongBase, and BadInput where `out` holds the adapter of another update.
    """
    if not out.exists():
        return None
    try:
        manifest = verify_adapter(out, base)
    except CorruptAdapter:
        return None
    if manifest.update != update:
        raise BadInput(f"{out} holds the adapter of another update. Give an empty place.")
    with safe_open(out / WEIGHTS, framework="pt") as file:
        facts = json.loads(file.metadata()[_FACTS])
    return Trained(manifest=manifest, steps=facts["steps"], final_loss=facts["final_loss"], tokens=facts["tokens"])


_REMOVED = ".removed-"


def retain(folder: Path, names: Collection[str]) -> tuple[str, ...]:
    """Removes every directory of `folder` not named, and returns those removed. Files and hidden names stay.

    A directory is renamed out of sight first, so that a kill never leaves half an adapter under its name; what a
    killed run left out of sight goes first.
    """
    for left in sorted(folder.glob(f"{_REMOVED}*")):
        remove_folder(left)
    removed = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name in names or path.name.startswith(".") or path.is_symlink() or not path.is_dir():
            continue
        remove_folder(move(path, folder / f"{_REMOVED}{uuid4().hex}"))
        removed.append(path.name)
    return tuple(removed)
