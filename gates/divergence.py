"""How far a model's next-token distributions on plain text are from another's: Kullback-Leibler, in nats a token."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from gates.evaluated import EvaluatedModel
from gates.evidence import DRIFT, Case
from gates.predictability import text_row
from gates.score_cache import ScoreCache
from gates.suite import Kind, Suite
from gates.texts import TextItem
from pipeline import progress
from pipeline.adapters.held import hold_adapter
from pipeline.digests import digest_of
from pipeline.engines.base import BaseModel
from pipeline.engines.likelihood import batches
from pipeline.errors import MeasurementFailed
from pipeline.recipe import PolicyRules
from pipeline.types import Checkpoint, ItemScore, ModelRef, Scores

_COPIES = 4  # of a batch's logits that are in memory at once


def divergences(
    base: BaseModel, references: Sequence[Path | None], adapter: Path, texts: Sequence[TextItem]
) -> list[tuple[float, ...]]:
    """For each reference model (its adapter, None for the base itself) the mean of KL(reference || model) of each text.

    Texts are read as in training, each once by every model; the first token counts only after a BOS. Reports progress
    in texts. Raises MeasurementFailed on a text that cannot be scored, on values that are not finite and for want of
    memory; CorruptAdapter and WrongBase.
    """
    rows = [[token for part in text_row(base, item.text) for token in part] for item in texts]
    model = _model(base, adapter)
    others = {folder: _model(base, folder) for folder in references}
    found: dict[int, tuple[float, ...]] = {}
    with progress.step("drift, texts"), _memory():
        vocabulary = base.model.config.get_text_config().vocab_size
        for batch in batches({at: len(row) for at, row in enumerate(rows)}, _COPIES * vocabulary):
            found |= dict(zip(batch, _of_batch(model, list(others.values()), [rows[at] for at in batch]), strict=True))
            progress.report(len(found), len(rows))
    by_folder = {folder: tuple(found[at][place] for at in range(len(rows))) for place, folder in enumerate(others)}
    return [by_folder[folder] for folder in references]


def drift(base: BaseModel, case: Case, policy: PolicyRules, cache: Path) -> tuple[Scores, ...]:
    """The candidate's divergences from production and from the base model on the case's plain text, kept like scores.

    Raises as `divergences` does.
    """
    suite = Suite(name=DRIFT, kind=Kind.TEXTS, texts=tuple(dict.fromkeys(case.suites.texts)))
    references = {one.ref: one for one in (case.production, Checkpoint(ModelRef(base=case.candidate.ref.base)))}
    settings = EvaluatedModel(base, None, policy).settings
    kept = {
        ref: ScoreCache(folder=cache, model=digest_of(DRIFT, ref.id, case.candidate.ref.id), settings=settings)
        for ref in references
    }
    known = {ref: store.known(suite) for ref, store in kept.items()}
    lacking = [ref for ref in references if len(known[ref]) < len(suite)]
    if lacking and case.candidate.folder:
        folders = [references[ref].folder for ref in lacking]
        for ref, nats in zip(lacking, divergences(base, folders, case.candidate.folder, suite.texts), strict=True):
            items = [ItemScore(item=text.id, score=one) for text, one in zip(suite.texts, nats, strict=True)]
            kept[ref].keep(suite, items)
            known[ref] = {item.item: item for item in items}
    return tuple(
        Scores(model=ref, suite=DRIFT, items=tuple(known[ref][text.id] for text in suite.texts)) for ref in references
    )


def _model(base: BaseModel, folder: Path | None) -> Any:
    return base.model if folder is None else hold_adapter(base.model, base.identity, folder).model


@torch.inference_mode()
def _of_batch(model: Any, others: Sequence[Any], rows: Sequence[Sequence[int]]) -> Iterator[tuple[float, ...]]:
    """For each row its divergences from the other models; padded on the right, where a causal model does not look."""
    unpadded = [torch.tensor(row) for row in rows]
    ids = torch.nn.utils.rnn.pad_sequence(unpadded, batch_first=True).to(model.device)
    lengths = torch.tensor([len(row) for row in rows], device=model.device)
    places = torch.arange(ids.shape[1], device=model.device)[None, :]
    mask, counted = (places < lengths[:, None]).long(), (places < lengths[:, None] - 1).float()
    own = torch.log_softmax(model(input_ids=ids, attention_mask=mask).logits.float(), dim=-1)
    columns = []
    for other in others:
        said = torch.log_softmax(other(input_ids=ids, attention_mask=mask).logits.float(), dim=-1)
        nats = (said.exp() * (said - own)).sum(-1)
        columns.append(((nats * counted).sum(1) / counted.sum(1)).clamp(min=0.0).tolist())
    return zip(*columns, strict=True)


@contextmanager
def _memory() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MeasurementFailed(f"the card has too little memory to compare texts: {error}. Make room.") from error
