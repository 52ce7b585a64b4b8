"""Writes a trained adapter as a standard PEFT directory with its manifest, all or nothing. Knows no training."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.adapters.format import CONFIG, WEIGHTS, config_of, digest_directory, write_manifest
from pipeline.adapters.targets import target_names, transposed
from pipeline.digests import canonical_json
from pipeline.engines.base import BaseModel
from pipeline.files import new_folder
from pipeline.recipe import TrainingRules
from pipeline.training.jobs import TrainingResult
from pipeline.types import AdapterManifest

FACTS = "sealed"  # the key of the weights' metadata under which is written how the training went


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What an adapter was made from, for its manifest: update id, recipe digest, ledger digest, parent's digest."""

    update: str
    recipe: str
    ledger: str
    parent_adapter: str | None


def save_adapter(
    out: Path, base: BaseModel, learned: TrainingResult, rules: TrainingRules, made_from: Provenance
) -> AdapterManifest:
    """Writes weights and configuration first, the manifest last; `out` appears when all is there, and is replaced."""
    from safetensors.torch import save_file

    identity, targets = base.identity, target_names(base.model, rules.targets)
    facts = {"steps": learned.steps, "final_loss": learned.final_loss, "tokens": learned.tokens}
    config = config_of(rank=rules.rank, alpha=rules.alpha, targets=targets, transposed=transposed(base.model))
    with new_folder(out) as folder:
        # One key only: safetensors writes several in an order of chance.
        save_file(learned.tensors, folder / WEIGHTS, metadata={FACTS: canonical_json(facts)})
        (folder / CONFIG).write_text(canonical_json(config) + "\n", encoding="utf-8")
        manifest = AdapterManifest(
            base=identity.model,
            tokenizer=identity.tokenizer,
            chat_template=identity.chat_template,
            files=digest_directory(folder),
            rank=rules.rank,
            alpha=rules.alpha,
            target_modules=targets,
            parameters=sum(tensor.numel() for tensor in learned.tensors.values()),
            update=made_from.update,
            recipe=made_from.recipe,
            ledger=made_from.ledger,
            parent_adapter=made_from.parent_adapter,
        )
        write_manifest(folder, manifest)
    return manifest
