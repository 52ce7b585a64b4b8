"""The memory that training K adapters takes, and how many fit into what is free. Knows no data.

    peak = base + logits + K x (16 bytes x parameters + activations of one adapter's largest step)

16 bytes: parameter, gradient and AdamW's two moments in float32. A preconditioner adds 4, and its matrices once. The
activations are measured, by counting what autograd keeps of one real step, in which no token is shared. `logits`: those
held at once, whose number does not grow with K.
"""

import ctypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from pipeline.errors import TooLittleMemory
from pipeline.training.head import states_at_once

BYTES_A_PARAMETER = 16
BYTES_PRECONDITIONED = 4  # more: the parameters that AdamW steps in
_USABLE = 0.8  # of what is free: allocators keep some
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes of an adapter's parameters with optimiser state, of its largest step's activations, and of the logits."""

    state: int
    activations: int
    once: int

    @property
    def each(self) -> int:
        """Bytes that one more adapter costs."""
        return self.state + self.activations

    def of(self, count: int) -> int:
        """Bytes that so many adapters take together."""
        return self.once + count * self.each


def give_back() -> None:
    """Returns to the system what the C library keeps of freed memory, where it can (glibc).

    It keeps gigabytes after a training, in pieces between what is still used, and more after each further one.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def how_many(need: Need, budget: int) -> int:
    """How many adapters of that need fit into `budget` bytes. Raises TooLittleMemory where not even one does."""
    fitting = (budget - need.once) // need.each
    if fitting < 1:
        raise TooLittleMemory(
            f"training one adapter needs {need.of(1) / 1e9:.2f} GB ({need.activations / 1e9:.2f} of them for its "
            f"largest step) and {budget / 1e9:.2f} GB are free. Lower training.batch_size, training.max_tokens or "
            "training.rank (beside production: advanced.training.beside_rank), or free memory."
        )
    return fitting


def logit_bytes(model: Any) -> int:
    """Bytes of the logits that are held at once."""
    vocabulary = model.config.get_text_config().vocab_size
    return 5 * 4 * int(vocabulary) * states_at_once(vocabulary)


def at_most(model: Any, layers: Mapping[str, tuple[int, int]], tokens: int, longest: int) -> int:
    """An upper bound of the activations, in bytes, of a step of so many tokens, whose longest sequence has `longest`.

    Three times the inputs and outputs of the linear layers, and three times the attention weights: where this fits,
    nothing needs to be measured.
    """
    config = model.config.get_text_config()
    around = 3 * sum(inputs + outputs for inputs, outputs in layers.values())
    attention = 3 * config.num_hidden_layers * config.num_attention_heads * longest
    return int(4 * tokens * (around + attention))


def activation_bytes(step: Callable[[], torch.Tensor], owned: set[int]) -> int:
    """Bytes that autograd keeps of one forward pass. `owned`: addresses of storages that are allocated anyway."""
    kept: dict[int, int] = {}

    def count(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in owned:
            kept[storage.data_ptr()] = storage.nbytes()
        # Not the tensor itself: as an output of the node that keeps it, it would hold that node, and never be freed.
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss = step()  # kept until all is counted: a freed address could be used twice
    del loss
    return sum(kept.values())


def available(device: torch.device) -> int:
    """Bytes that training may use on this device now."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(_USABLE * (free + cached))
    return int(_USABLE * min(psutil.virtual_memory().available, _cgroup_left()))


def _cgroup_left() -> float:
    """Bytes left of the container's limit; infinite without one."""
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except FileNotFoundError:
        return float("inf")
    return float("inf") if limit == "max" else float(limit) - float(used)


@contextmanager
def checkpointing(model: Any, wanted: bool) -> Iterator[None]:
    """In this context, if `wanted`, each block's activations are recomputed in the backward pass instead of kept.

    The blocks stay in inference mode: dropout stays off. Raises TooLittleMemory for an architecture without support.
    """
    blocks = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)] if wanted else []
    if wanted and not blocks:
        raise TooLittleMemory("one step does not fit, and this architecture cannot recompute its activations.")
    try:
        for block in blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
        yield
    finally:
        for block in blocks:
            del block.forward
