"""Keeps an adapter in memory, attached to a view of its base that shares the base's weights. Knows no release.

Views are independent: one is made, asked and dropped while others answer, and the base itself is never touched.
"""

import copy
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from pipeline.adapters.attachment import attach_for_good
from pipeline.adapters.copies import private_copy
from pipeline.adapters.identity import BaseIdentity
from pipeline.types import AdapterManifest


@dataclass(frozen=True, eq=False)
class HeldAdapter:
    """A view of the base with the adapter attached, and the manifest of exactly the bytes that were attached."""

    model: PreTrainedModel
    manifest: AdapterManifest


def hold_adapter(
    model: PreTrainedModel, base: BaseIdentity, folder: Path, manifest_digest: str | None = None
) -> HeldAdapter:
    """Verifies the adapter in `folder` and attaches it to a view of `model`.

    What is attached was copied to a private folder and verified there: whoever changes `folder` later changes nothing.
    Raises CorruptAdapter or WrongBase.
    """
    with private_copy(folder, base, manifest_digest) as (copied, manifest):
        view = view_of(model)
        attach_for_good(view, copied)
    view.eval().requires_grad_(False)
    return HeldAdapter(view, manifest)


def view_of(model: PreTrainedModel) -> PreTrainedModel:
    """A model of its own modules whose weights and buffers are those of `model`, and take no further memory."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    view: PreTrainedModel = copy.deepcopy(model, shared)
    return view
