"""The trained writer of the run's arms: ReST-EM on documents that no figure is of, once for all seeds."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.writer_training_parts import fact_rules, ground_of, recipe_for, school_of
from pipeline.engines.base import BaseModel
from pipeline.types import ModelRef
from pipeline.writer_training.rounds import practise

SEEDS = (1001, 1002)  # of the documents that are practised on


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A model that writes notes, and where its adapter lies (None: it is the base)."""

    model: ModelRef
    adapter: Path | None


def trained_writer(base: BaseModel, scratch: Path, *, quick: bool) -> Writer:
    """The writer after the rounds of `benchmarks.writer_training`; the base itself where no note helped."""
    count, samples = (6, 4) if quick else (48, 10)
    rules = fact_rules(rounds=1 if quick else 3, documents=count, samples=samples)
    loop = school_of(base, recipe_for(rules, SEEDS[0]), scratch)
    model, adapter = loop.live, loop.adapter
    for practised in practise(loop, [one for seed in SEEDS for one in ground_of(seed, count)]):
        print(practised.round.sentence, flush=True)
        model, adapter = practised.writer, practised.adapter
    return Writer(model=model, adapter=adapter)
