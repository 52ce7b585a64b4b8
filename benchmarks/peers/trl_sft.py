"""TRL's `SFTTrainer` with a PEFT LoRA: what most people would train one adapter with. Optional: see `INSTALL`.

Version 1.16.0 is the newest that was there, and works with the versions this project pins. Tried on the embedded model
with 418 self-edit sequences of 13 tokens on average, 32 a step (tokens per CPU second on one thread, steps alike):
without padding (`FLAT`) 3,450; packs by best fit decreasing (`packed`), four a step 3,370, one a step 3,110; without
padding and a loader process 2,480; batches of alike lengths 2,040; of any lengths 1,250. `torch_compile` had not begun
after a minute. `FLAT` is the default: each step has our number of sequences, and its loss is that of padded batches,
so boundaries hold (transformers makes the block-diagonal mask of the positions; flash attention is for cards).
"""

import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers.peft_alone import IGNORED
from benchmarks.peers.wrapping import tensors_of
from pipeline.adapters.attachment import target_names, transposed
from pipeline.chat import Encoded
from pipeline.training import lr_schedule

INSTALL = 'pip install -e ".[bench]"'
FLAT: Mapping[str, Any] = {"padding_free": True, "max_length": None}


def packed(tokens: int) -> dict[str, Any]:
    """Settings for best-fit-decreasing packs of this many tokens, one pack a step."""
    return {"packing": True, "packing_strategy": "bfd", "max_length": tokens, "per_device_train_batch_size": 1}


@dataclass(frozen=True)
class TrlTrained:
    """Tensors by PEFT's keys; mean loss of the last epoch's steps; tokens seen without padding.

    `seconds` are those of `trainer.train()` and of all it does: its loop, its optimiser, loader and sampler; not of
    loading the model, nor of preparing the data.
    """

    tensors: dict[str, torch.Tensor]
    steps: int
    final_loss: float
    tokens: int
    seconds: float


def available() -> bool:
    """Whether TRL can be imported here."""
    return find_spec("trl") is not None


def train(
    path: Path,
    encoded: Sequence[Encoded],
    *,
    rank: int,
    alpha: int,
    learning_rate: float,
    epochs: int,
    batch_size: int,
    seed: int,
    warmup: float = 0.05,
    clip_norm: float = 1.0,
    settings: Mapping[str, Any] = FLAT,
) -> TrlTrained:
    """One adapter on all linear layers of the model in `path`, in float32, by the sequences as they are encoded."""
    with tempfile.TemporaryDirectory(prefix="sealed-trl-") as folder:
        options = {
            "output_dir": folder,
            "learning_rate": learning_rate,
            "num_train_epochs": epochs,
            "seed": seed,
            "per_device_train_batch_size": batch_size,
            "max_grad_norm": clip_norm,
            "weight_decay": 0.0,
            "optim": "adamw_torch_fused",
            "use_cpu": not torch.cuda.is_available(),
            "bf16": False,
            "activation_checkpointing": False,
            "save_strategy": "no",
            "eval_strategy": "no",
            "logging_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "logging_nan_inf_filter": False,
            "dataloader_pin_memory": False,
        }
        # PEFT 0.21 and TRL 1.16 read properties that transformers 5.23 renamed.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`(is_)?gradient_checkpointing", FutureWarning)
            trainer = _trainer(path, encoded, rank, alpha, warmup, options | dict(settings))
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
    losses = torch.stack(trainer.losses)
    tokens = epochs * sum(len(one.ids) for one in encoded)
    last = float(losses[-(len(losses) // epochs) :].mean())
    return TrlTrained(tensors_of(trainer.model), len(losses), last, tokens, seconds)


def _trainer(
    path: Path, encoded: Sequence[Encoded], rank: int, alpha: int, warmup: float, options: dict[str, Any]
) -> Any:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
    from trl import SFTConfig, SFTTrainer

    class Trainer(SFTTrainer):  # type: ignore[misc]
        """Keeps the losses, and paces the learning rate exactly as ours."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.losses: list[torch.Tensor] = []
            super().__init__(*args, **kwargs)

        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            loss: torch.Tensor = super().training_step(*args, **kwargs)
            self.losses.append(loss)
            return loss

        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                optimizer or self.optimizer, lambda step: lr_schedule(step, num_training_steps, warmup)
            )
            return self.lr_scheduler

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, local_files_only=True)
    lora = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
        target_modules=list(target_names(model)),
        fan_in_fan_out=transposed(model),
    )
    rows = {
        "input_ids": [list(one.ids) for one in encoded],
        "labels": [[i if w else IGNORED for i, w in zip(one.ids, one.loss, strict=True)] for one in encoded],
    }
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    trainer = Trainer(
        model=model,
        args=SFTConfig(**options),
        train_dataset=Dataset.from_dict(rows),
        peft_config=lora,
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
