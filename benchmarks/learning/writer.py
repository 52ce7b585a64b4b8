"""The trained writer of the run's arms: ReST-EM on documents that no figure is of, once for all seeds."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.writer_training_parts import fact_rules, outer_loop, recipe_for, training_documents
from pipeline.engines.base import BaseModel
from pipeline.types import ModelRef
from pipeline.writer_training import train_writer

SEEDS = (1001, 1002)  # of the documents that the writer is trained on


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A model that writes notes, and where its adapter lies (None: it is the base)."""

    model: ModelRef
    adapter: Path | None


def trained_writer(base: BaseModel, scratch: Path, *, quick: bool) -> Writer:
    """The writer after the rounds of `benchmarks.writer_training`; the base itself where no note helped."""
    count, samples = (6, 4) if quick else (48, 10)
    rules = fact_rules(rounds=1 if quick else 3, documents=count, samples=samples)
    loop = outer_loop(base, recipe_for(rules, SEEDS[0]), scratch)
    writer = loop.production
    for result in train_writer(loop, [one for seed in SEEDS for one in training_documents(seed, count)]):
        print(result.stats.sentence, flush=True)
        writer = result.writer
    return Writer(model=writer.ref, adapter=writer.folder)
