"""SEAL's outer loop: what its rounds share, and how a writer's self-edits are evaluated, in a round and at the end.

Knows no ledger and no gate, and asks validation questions alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import progress
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel
from pipeline.engines.engine import Engine
from pipeline.engines.limits import fits_context
from pipeline.engines.local import LocalEngine
from pipeline.leakage import held_out_keys
from pipeline.recipe import Recipe
from pipeline.self_edits.edit_sets import validation_items
from pipeline.types import Document, EvalItem, Example, ModelRef
from pipeline.writer_training.samples import draw_samples
from pipeline.writer_training.scored import Scored, score
from pipeline.writer_training.trials import try_samples


@dataclass(frozen=True, kw_only=True)
class OuterLoop:
    """What all rounds are held with. `live` is the model that practises, its adapter in `adapter` (None: the base).

    Notes are tried from it; with `afresh`, from the base model: who knows a document learns nothing of it.
    `standing`: questions of earlier documents, of which a good note unlearns none. `rehearsal`: what is rehearsed
    beside the kept notes. `never`: keys (`pipeline.leakage`) of what no note may ask. `scratch`: where the writers
    between rounds lie. `ledger`: the digest of what was known, for the manifests.
    """

    base: BaseModel
    recipe: Recipe
    live: ModelRef
    adapter: Path | None
    scratch: Path
    afresh: bool = False
    standing: tuple[EvalItem, ...] = ()
    rehearsal: tuple[Example, ...] = ()
    never: frozenset[str] = frozenset()
    ledger: str = ""

    @property
    def start(self) -> tuple[ModelRef, Path | None]:
        """Where each trial starts: the model, and its adapter."""
        return (ModelRef(base=self.live.base), None) if self.afresh else (self.live, self.adapter)

    @property
    def engine(self) -> Engine:
        return LocalEngine(self.base)


def tried(
    loop: OuterLoop,
    documents: Sequence[Document],
    writer: ModelRef,
    adapter: Path | None,
    *,
    samples: int,
    draw: int,
    explore: bool = False,
) -> tuple[Scored, ...]:
    """What `writer` writes about the documents, `samples` self-edits each, with what each is worth.

    `draw` numbers what is sampled; `explore`: settings are drawn where the writer chooses none. Each is tried from the
    same model, so that rewards of several writers compare notes and nothing else.
    """
    recipe = loop.recipe
    asked = {document.id: validation_items(document) for document in documents}
    with progress.step("writing"):
        written = draw_samples(
            loop.engine,
            documents,
            recipe,
            samples=samples,
            writer=writer,
            adapter=adapter,
            seed=seed_from("practice", recipe.seed, draw),
            never=loop.never | held_out_keys(eval_item for own in asked.values() for eval_item in own),
            fits=fits_context(loop.engine, recipe.training),
            explore=explore,
        )
    start, folder = loop.start
    with progress.step("evaluating the self-edits"):
        trials = try_samples(
            loop.base,
            written,
            recipe,
            eval_items=asked,
            standing=loop.standing,
            live=start,
            adapter=folder,
        )
    return score(written, trials, recipe.writer_training)


def examined(
    loop: OuterLoop,
    documents: Sequence[Document],
    writer: ModelRef,
    adapter: Path | None,
    *,
    explore: bool = False,
) -> tuple[tuple[Document, tuple[float, ...]], ...]:
    """For each document, what is answered of its validation questions after an update on one self-edit by `writer`.

    All writers' updates start alike. A document that leaves no room for a note is left out.
    """
    scored = tried(loop, documents, writer, adapter, samples=1, draw=0, explore=explore)
    return tuple((one.sample.document, one.trial.after) for one in scored)
