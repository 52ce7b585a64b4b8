"""How much memory K adapters take in training, what there is, and so how many are trained at once. Knows no data.

    peak = base + logits + K x (16 bytes x parameters + activations of one adapter's largest step)

16: parameter, gradient and AdamW's two moments in float32. The activations are measured, by counting what autograd
keeps of one real step. `logits` are those that are held at once, which do not grow with K.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import TooLittleMemory

if TYPE_CHECKING:
    import torch

BYTES_A_PARAMETER = 16
_USABLE = 0.8  # of what is free: allocators keep some
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, kw_only=True)
class Need:
    """Bytes of an adapter's parameters with optimiser state, of its largest step's activations, and for all at once."""

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


def how_many(need: Need, budget: int) -> int:
    """How many adapters of that need fit into `budget` bytes. Raises TooLittleMemory where not even one does."""
    fits_context = (budget - need.once) // need.each
    if fits_context < 1:
        raise TooLittleMemory(
            f"training one adapter needs {need.of(1) / 1e9:.2f} GB ({need.activations / 1e9:.2f} of them for its "
            f"largest step) and {budget / 1e9:.2f} GB are to be had. Lower training.batch_size, training.max_tokens or "
            "training.rank, or free memory."
        )
    return fits_context


def logit_bytes(model: Any) -> int:
    """Bytes of the logits that are held at once."""
    from pipeline.training.head import states_at_once

    vocabulary = model.config.get_text_config().vocab_size
    return 5 * 4 * int(vocabulary) * states_at_once(vocabulary)


def at_most(model: Any, layers: Mapping[str, tuple[int, int]], tokens: int, longest: int) -> int:
    """More bytes of activations than any step of so many tokens has, whose longest sequence has `longest`.

    Thrice what goes into and comes out of the linear layers, and attention's weights thrice, as if they were all kept:
    where even this fits nothing needs to be measured.
    """
    config = model.config.get_text_config()
    around = 3 * sum(inputs + outputs for inputs, outputs in layers.values())
    attention = 3 * config.num_hidden_layers * config.num_attention_heads * longest
    return int(4 * tokens * (around + attention))


def activation_bytes(step: "Callable[[], torch.Tensor]", owned: "set[int]") -> int:
    """Bytes that autograd keeps of one forward pass; `owned` are the addresses of storages that are there anyway."""
    import torch

    kept: dict[int, int] = {}

    def count(tensor: "torch.Tensor") -> "torch.Tensor":
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in owned:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss = step()  # held until all was counted, or an address could be given out twice
    del loss
    return sum(kept.values())


def available(device: "torch.device") -> int:
    """Bytes that a training may use on this device now."""
    import psutil
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(_USABLE * (free + held))
    return int(_USABLE * min(psutil.virtual_memory().available, _cgroup_left()))


def _cgroup_left() -> float:
    """What the container's limit leaves, where there is one."""
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except FileNotFoundError:
        return float("inf")
    return float("inf") if limit == "max" else float(limit) - float(used)


@contextmanager
def checkpointing(model: Any, wanted: bool) -> Iterator[None]:
    """Recomputes each block's activations going back, instead of keeping them, while the context lasts.

    Raises TooLittleMemory for an architecture that cannot. The blocks do not learn that they train: dropout stays off.
    """
    from torch.utils.checkpoint import checkpoint
    from transformers.modeling_layers import GradientCheckpointingLayer

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
