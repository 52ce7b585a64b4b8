"""Trains many LoRA adapters of one base at once, and asks them their questions: see README.md."""

from pipeline.adapters.saving import TrainingResult
from pipeline.training.jobs import TrainingJob, parent_tensors
from pipeline.training.lockstep import Optimiser, lr_schedule
from pipeline.training.lora import TrainingSettings, train_lora, train_loras
from pipeline.training.lora_linear import Adapted, TokenLayout, adapter_shapes, with_adapters
from pipeline.training.many import train_many
from pipeline.training.objective import can_distil
from pipeline.training.scaling import scale_adapter
from pipeline.training.scoring import answer_many, score_many

__all__ = [
    "Adapted",
    "Optimiser",
    "TokenLayout",
    "TrainingJob",
    "TrainingResult",
    "TrainingSettings",
    "adapter_shapes",
    "answer_many",
    "can_distil",
    "lr_schedule",
    "parent_tensors",
    "scale_adapter",
    "score_many",
    "train_lora",
    "train_loras",
    "train_many",
    "with_adapters",
]
