"""LoRA adapters: their folders on disk, the base models they belong to, and how they are attached to a loaded model."""

from pipeline.adapters.attachment import attach, check_fit, linear_layers, target_names
from pipeline.adapters.format import MAX_SCALE, read_tensors, verify_adapter
from pipeline.adapters.identity import BaseIdentity, check_files, identify_base
from pipeline.adapters.saving import Provenance, TrainingResult, retain, save_adapter, trained_adapter
from pipeline.adapters.stack import Shapes, Stack, Tensors, key, shapes_of, stack_of, start_of

__all__ = [
    "MAX_SCALE",
    "BaseIdentity",
    "Provenance",
    "Shapes",
    "Stack",
    "Tensors",
    "TrainingResult",
    "attach",
    "check_files",
    "check_fit",
    "identify_base",
    "key",
    "linear_layers",
    "read_tensors",
    "retain",
    "save_adapter",
    "shapes_of",
    "stack_of",
    "start_of",
    "target_names",
    "trained_adapter",
    "verify_adapter",
]
