"""Trains one LoRA adapter on a plan, from the parent's adapter or from none, and writes it with its manifest.

The same inputs give the same bytes on one machine. Knows no gate, no release, and not where the examples come from.
"""

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.chat import encode_example
from pipeline.config import TrainingRules
from pipeline.digests import canonical_json, seed_from
from pipeline.engines.base import BaseModel
from pipeline.engines.identity import BaseIdentity
from pipeline.errors import BadInput, CorruptAdapter, TrainingFailed
from pipeline.types import AdapterManifest, Role, Trained, UpdatePlan
from pipeline.updates.adapters import (
    CONFIG,
    MAX_SCALE,
    WEIGHTS,
    config_of,
    digest_directory,
    read_tensors,
    verify_adapter,
    write_manifest,
)
from pipeline.updates.attachment import check_fit
from pipeline.updates.layers import LoraLayers, lora_layers
from pipeline.updates.objective import Objective
from pipeline.updates.sequences import Sequences, epoch_order, make_sequences
from pipeline.updates.targets import target_names, transposed

if TYPE_CHECKING:
    import torch

Progress = Callable[[int, int, float], None]
_TAUGHT = {Role.GENERATIVE, Role.ANCHOR}
_REPORT_EVERY = 10
_FACTS = "sealed"


@dataclass(frozen=True)
class _Course:
    """How a training went."""

    steps: int
    final_loss: float
    tokens: int


def train_lora(
    base: BaseModel,
    plan: UpdatePlan,
    rules: TrainingRules,
    *,
    parent_adapter: Path | None,
    out: Path,
    ledger: str,
    distill: float = 0.0,
    progress: Progress | None = None,
) -> Trained:
    """Trains the plan's adapter into `out` (all or nothing); if it is there already and verifies, returns it.

    `ledger` is the digest of what the night learned from, for the manifest; `distill` weighs the KL to the untouched
    base on generative and anchor examples; `progress(step, steps, loss)`.
    Raises BadInput (plan or rules unusable), CorruptAdapter or WrongBase (the parent), TrainingFailed (no finite loss).
    """
    if rules.alpha > MAX_SCALE * rules.rank:
        raise BadInput(f"training.alpha is {rules.alpha}: it may be at most 4 x training.rank ({rules.rank}).")
    finished = trained_adapter(base.identity, plan.update.id, out)
    if finished:
        return finished
    started = time.perf_counter()
    start = _parent_tensors(base, plan, rules, parent_adapter)
    encoded = [encode_example(base.tokenizer, example) for example in plan.examples]
    limit = min(rules.max_tokens or base.context, base.context)
    sequences = make_sequences(encoded, limit, base.device)
    taught = [row for row, example in enumerate(plan.examples) if example.role in _TAUGHT]
    objective = Objective(base.model, sequences, taught, distill)
    batch_tokens = rules.batch_size * sum(sequences.lengths) // len(sequences.lengths)
    seed = seed_from("lora", plan.update.seed)
    with lora_layers(
        base.model, rank=rules.rank, alpha=rules.alpha, tokens=batch_tokens, seed=seed, start=start
    ) as layers:
        course = _train(objective, sequences, layers, rules, seed, progress)
        tensors = layers.tensors()
    with _all_or_nothing(out) as folder:
        manifest = _write(folder, base, plan, rules, tensors, course, ledger)
    seconds = time.perf_counter() - started
    return Trained(
        manifest=manifest, steps=course.steps, final_loss=course.final_loss, tokens=course.tokens, seconds=seconds
    )


def _train(
    objective: Objective,
    sequences: Sequences,
    layers: LoraLayers,
    rules: TrainingRules,
    seed: int,
    progress: Progress | None,
) -> _Course:
    """AdamW with warm-up and linear decay. The final loss is the mean over the last epoch."""
    import torch

    optimiser = torch.optim.AdamW([layers.flat], lr=rules.learning_rate, weight_decay=rules.weight_decay, fused=True)
    layers.flat.grad = layers.gradients
    draw = random.Random(seed)
    steps = rules.epochs * -(-len(sequences.lengths) // rules.batch_size)
    step, losses = 0, list["torch.Tensor"]()
    for _ in range(rules.epochs):
        losses = []
        for batch in epoch_order(sequences.lengths, rules.batch_size, draw):
            loss = objective.loss(batch)
            layers.gradients.zero_()
            loss.backward()  # type: ignore[no-untyped-call]
            layers.gradients.mul_((rules.clip_norm / (layers.gradients.norm() + 1e-6)).clamp(max=1.0))
            optimiser.param_groups[0]["lr"] = rules.learning_rate * _pace(step, steps, rules.warmup)
            optimiser.step()
            losses.append(loss.detach())
            step += 1
            if progress and (step % _REPORT_EVERY == 0 or step == steps):
                progress(step, steps, float(losses[-1]))
        _check_finite(torch.stack(losses), rules)
    return _Course(
        steps=steps, final_loss=float(torch.stack(losses).mean()), tokens=rules.epochs * sum(sequences.lengths)
    )


def _pace(step: int, steps: int, warmup: float) -> float:
    """Share of the learning rate: linear from zero over the warm-up, then linear down to nearly zero."""
    rising = max(1, round(warmup * steps))
    return (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising + 1)


def _check_finite(losses: "torch.Tensor", rules: TrainingRules) -> None:
    import torch

    if not bool(torch.isfinite(losses).all()):
        raise TrainingFailed(
            f"the loss is no longer finite at learning rate {rules.learning_rate:g}: nothing was written. "
            "Lower training.learning_rate, or check the parent adapter."
        )


def _parent_tensors(
    base: BaseModel, plan: UpdatePlan, rules: TrainingRules, folder: Path | None
) -> "dict[str, torch.Tensor] | None":
    """The parent's tensors to start from, verified as serving verifies them, and of the rank to be trained."""
    wanted = plan.update.parent.adapter
    if folder is None:
        if wanted is not None:
            raise BadInput(f"the plan starts from adapter {wanted[:12]}: give its directory as the parent.")
        return None
    manifest = verify_adapter(folder, base.identity)
    if manifest.adapter != wanted:
        raise BadInput(f"{folder} is adapter {manifest.adapter[:12]}, not the plan's parent {str(wanted)[:12]}.")
    if (manifest.rank, manifest.alpha) != (rules.rank, rules.alpha):
        raise BadInput(
            f"the live adapter has rank {manifest.rank} and alpha {manifest.alpha}, the recipe {rules.rank} and "
            f"{rules.alpha}: an update keeps its parent's. Change the recipe back, or rebuild from the base."
        )
    tensors = read_tensors(folder)
    check_fit(tensors, base.model, rules.alpha / rules.rank)
    return tensors


def trained_adapter(identity: BaseIdentity, update: str, out: Path) -> Trained | None:
    """What an earlier run of the same update left in `out`, if it is whole. Raises WrongBase, BadInput."""
    from safetensors import safe_open

    if not out.exists():
        return None
    try:
        manifest = verify_adapter(out, identity)
    except CorruptAdapter:
        return None  # trained again, and replaced
    if manifest.update != update:
        raise BadInput(f"{out} holds the adapter of another update. Give an empty place.")
    with safe_open(out / WEIGHTS, framework="pt") as file:
        course = _Course(**json.loads(file.metadata()[_FACTS]))
    return Trained(manifest=manifest, steps=course.steps, final_loss=course.final_loss, tokens=course.tokens)


@contextmanager
def _all_or_nothing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its name when all went well. What killed runs left is swept away."""
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f"{out.name}.partial-*"):
        shutil.rmtree(left)
    partial = out.with_name(f"{out.name}.partial-{os.getpid()}")
    partial.mkdir()
    try:
        yield partial
        if out.exists():
            shutil.rmtree(out)
        os.replace(partial, out)
    finally:
        if partial.exists():
            shutil.rmtree(partial)


def _write(
    folder: Path,
    base: BaseModel,
    plan: UpdatePlan,
    rules: TrainingRules,
    tensors: "dict[str, torch.Tensor]",
    course: _Course,
    ledger: str,
) -> AdapterManifest:
    """Weights and configuration first, the manifest last."""
    from safetensors.torch import save_file

    identity, targets = base.identity, target_names(base.model)
    # One key only: safetensors writes several in an order of chance.
    save_file(tensors, folder / WEIGHTS, metadata={_FACTS: canonical_json(vars(course))})
    config = config_of(rank=rules.rank, alpha=rules.alpha, targets=targets, transposed=transposed(base.model))
    (folder / CONFIG).write_text(canonical_json(config) + "\n", encoding="utf-8")
    manifest = AdapterManifest(
        base=identity.model, tokenizer=identity.tokenizer, chat_template=identity.chat_template,
        files=digest_directory(folder), rank=rules.rank, alpha=rules.alpha, target_modules=targets,
        parameters=sum(tensor.numel() for tensor in tensors.values()), update=plan.update.id,
        recipe=plan.update.recipe, ledger=ledger, parent_adapter=plan.update.parent.adapter,
    )  # fmt: skip
    write_manifest(folder, manifest)
    return manifest
