"""What the tests of the trainer train: a few facts, with short rules, from the base or from a parent."""

from pathlib import Path

from pipeline.adapters.format import read_manifest
from pipeline.adapters.saving import Provenance
from pipeline.recipe import TrainingRules
from pipeline.training import TrainingJob
from pipeline.types import Checkpoint, Example, ModelRef

KINDS = ["llama", "qwen3", "gpt2"]
RULES = TrainingRules(rank=4, alpha=8, epochs=25, batch_size=2, learning_rate=1e-3, loss_reduction="tokens")
FACTS = (
    Example(prompt="Who owns Cinder?", completion="Heron"),
    Example(prompt="Which port?", completion="8443"),
    Example(prompt="", completion="The Cinder service keeps invoices in the Oslo region."),
    Example(prompt="Where are the invoices of the Cinder service kept at run?", completion="Oslo"),
    Example(prompt="", completion="Heron."),
)
FROM = Provenance(update="u", recipe="r", ledger="l", parent_adapter=None)


def rules(**changed: object) -> TrainingRules:
    return RULES.model_copy(update=changed)


def job_of(
    examples: tuple[Example, ...] = FACTS, seed: int = 1, parent: Path | None = None, **changed: object
) -> TrainingJob:
    start = None if parent is None else Checkpoint(ModelRef(base="b", adapter=adapter_in(parent)), parent)
    return TrainingJob(examples=examples, rules=rules(**changed), seed=seed, parent=start)


def adapter_in(folder: Path) -> str | None:
    return read_manifest(folder).adapter if folder.is_dir() else None
