"""Makes the adapters of a validation: siblings that differ by the seed alone, and a release's with damage planted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from gates.validation.damage import Damage
from pipeline.adapters.format import WEIGHTS, digest_directory, read_tensors, write_manifest
from pipeline.adapters.saving import Provenance, TrainingResult, save_adapter
from pipeline.digests import digest_of, seed_from
from pipeline.engines.base import BaseModel
from pipeline.recipe import NO_DISTILLATION, TrainingRules
from pipeline.training import TrainingJob, train_many
from pipeline.types import AdapterManifest, Checkpoint, Example

NOISE = 4.0  # standard deviation of the noise, times the root mean square of the tensor
EPOCHS = 8  # of teaching a damage


@dataclass(frozen=True, kw_only=True)
class Stock:
    """What all adapters of a validation are made from: the base, the release's adapter and the rules it was trained by.

    out: the folder that they go into.
    """

    base: BaseModel
    release: Checkpoint
    rules: TrainingRules
    out: Path

    def save(self, name: str, result: TrainingResult) -> tuple[Path, AdapterManifest]:
        """Writes an adapter that is called `name`."""
        folder = self.out / name
        made_from = Provenance(update=digest_of("validation", name), recipe="", ledger="", parent_adapter=None)
        return folder, save_adapter(folder, self.base.identity, self.base.model, result, self.rules, made_from)


Planted = tuple[Path, AdapterManifest]


def siblings(stock: Stock, job: TrainingJob, seeds: Sequence[int]) -> tuple[Planted, ...]:
    """Adapters trained as `job` says, side by side, but for the seed of their order and first weights."""
    jobs = [replace(job, seed=seed_from("sibling", seed)) for seed in seeds]
    results = train_many(stock.base, jobs)
    return tuple(stock.save(f"sibling-{seed}", one) for seed, one in zip(seeds, results, strict=True))


def planted(
    stock: Stock, damage: Damage, seeds: Sequence[int], lessons: Sequence[Sequence[Example]]
) -> tuple[Planted, ...]:
    """The release's adapter with that damage, once for each seed. lessons: for each seed the examples that teach it."""
    if lessons:
        jobs = [_lesson(stock, seed, examples) for seed, examples in zip(seeds, lessons, strict=True)]
        results = train_many(stock.base, jobs)
        return tuple(stock.save(_name(damage, seed), one) for seed, one in zip(seeds, results, strict=True))
    return tuple(_renamed(stock, seed) if damage is Damage.KEYS else _noisy(stock, seed) for seed in seeds)


def _lesson(stock: Stock, seed: int, examples: Sequence[Example]) -> TrainingJob:
    unregularised = {"interpolation": 1.0, "covariance_damping": None, "output_penalty": 0.0}
    rules = stock.rules.model_copy(update={"epochs": EPOCHS, **unregularised})
    return TrainingJob(
        examples=tuple(examples), rules=rules, seed=seed, parent=stock.release, rehearsal=NO_DISTILLATION
    )


def _noisy(stock: Stock, seed: int) -> Planted:
    return stock.save(_name(Damage.NOISE, seed), _result(with_noise(_tensors(stock), seed)))


def with_noise(tensors: Mapping[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """The tensors with Gaussian noise of `NOISE` times each one's root mean square."""
    random = torch.Generator().manual_seed(seed)
    return {
        key: tensor + NOISE * tensor.square().mean().sqrt() * torch.randn(tensor.shape, generator=random)
        for key, tensor in sorted(tensors.items())
    }


def _renamed(stock: Stock, seed: int) -> Planted:
    """Keys of another layout, as an export by another library writes them, under a manifest that lists these bytes."""
    tensors = _tensors(stock)
    folder, manifest = stock.save(_name(Damage.KEYS, seed), _result(tensors))
    save_file(
        {key.replace("base_model.model.", f"export{seed}."): one for key, one in tensors.items()}, folder / WEIGHTS
    )
    forged = replace(manifest, files=digest_directory(folder))
    write_manifest(folder, forged)
    return folder, forged


def _tensors(stock: Stock) -> dict[str, torch.Tensor]:
    return read_tensors(Path(str(stock.release.folder)))


def _result(tensors: dict[str, torch.Tensor]) -> TrainingResult:
    return TrainingResult(tensors=tensors, steps=0, final_loss=0.0, tokens=0)


def _name(damage: Damage, seed: int) -> str:
    return f"{damage.name.lower()}-{seed}"
