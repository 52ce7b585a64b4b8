"""Takes back a part of what training changed: what an update does elsewhere falls faster than what it has learned.

WiSE-FT (Wortsman et al. 2022, arXiv 2109.01903) interpolates all weights between before and after; here side B alone,
so that an adapter that starts from the base is scaled as a whole.
"""

from dataclasses import replace

import torch

from pipeline.adapters.saving import TrainingResult
from pipeline.adapters.stack import Shapes, views_of


def interpolated(result: TrainingResult, start: torch.Tensor, shapes: Shapes, share: float) -> TrainingResult:
    """The result with each side B at `share` of its way from `start` (parameters,); side A stays as it was trained."""
    if share == 1.0:
        return result
    before = views_of(start[None], shapes)
    tensors = {
        name: torch.lerp(before[name][0].cpu(), tensor, share) if name.endswith("lora_B.weight") else tensor
        for name, tensor in result.tensors.items()
    }
    return replace(result, tensors=tensors)
