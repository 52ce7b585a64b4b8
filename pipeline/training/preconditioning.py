"""Keeps an adapter out of what its layers' usual inputs have most of: their covariance preconditions side A.

ROME (Meng et al. 2022, arXiv 2202.05262) writes a fact into a layer along (inverse covariance of the inputs) x (the
fact's input), which changes little of what other inputs give. Here A = A' M with M that inverse, damped, and AdamW
steps in A'. The usual inputs are those of the rows that the base model is rehearsed on. Knows no loss and no file.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline import progress
from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.stack import Stack, key, stack_of
from pipeline.chat import Encoded
from pipeline.engines.base import BaseModel
from pipeline.recipe import TrainingRules

TOKENS = 8_192  # that a covariance is taken over, at most
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """M (inputs, inputs) of each layer, symmetric, by PEFT's key of its side A. Layers of one input share theirs."""

    matrices: dict[str, torch.Tensor]

    @property
    def bytes(self) -> int:
        """Bytes of all matrices."""
        unique = {matrix.data_ptr(): matrix.nbytes for matrix in self.matrices.values()}
        return sum(unique.values())

    def free(self, stack: Stack, warm: Sequence[bool]) -> Stack:
        """A' of each adapter, B as it is. Of an adapter that is not `warm`, A is new, and taken for A' itself."""
        free = stack_of(stack.flat.clone(), stack.shapes)
        started = torch.tensor(warm, device=stack.flat.device).nonzero()[:, 0]
        for name, matrix in self.matrices.items() if len(started) else ():
            free.views[name].data[started] = torch.linalg.solve(matrix, stack.views[name].data[started], left=False)
        return free

    def turn(self, gradients: dict[str, torch.Tensor]) -> None:
        """Makes the gradients of A, in place, those of A'."""
        for name, matrix in self.matrices.items():
            gradients[name].copy_(gradients[name] @ matrix)

    def fill(self, stack: Stack, free: Stack) -> None:
        """Sets the stack's parameters to those of `free`: A to A' M."""
        stack.flat.copy_(free.flat)
        for name, matrix in self.matrices.items():
            torch.matmul(free.views[name].data, matrix, out=stack.views[name].data)


def preconditioner(base: BaseModel, rules: TrainingRules, usual: Sequence[Encoded]) -> Preconditioner | None:
    """The inverse of (covariance of the usual inputs + damping), of each layer; None where the rules want none.

    A covariance's mean eigenvalue is taken for 1, and M changes no input's mean square. Without usual rows there is
    nothing to keep out of: None. Reports progress in rows.
    """
    if rules.covariance_damping is None or not usual:
        return None
    layers = tuple(linear_layers(base.model, rules.targets))
    covariances = _covariances(base, layers, usual)
    done: dict[int, torch.Tensor] = {}
    for found in covariances.values():
        if id(found) not in done:
            done[id(found)] = _inverse(found, rules.covariance_damping)
    return Preconditioner({key(layer, "A"): done[id(covariances[layer])] for layer in layers})


def _inverse(covariance: torch.Tensor, damping: float) -> torch.Tensor:
    scaled = covariance.double() / covariance.diagonal().double().mean()
    damped = scaled + damping * torch.eye(len(scaled), dtype=scaled.dtype, device=scaled.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    kept = (inverse @ scaled * inverse).sum() / len(scaled)  # the mean square of M x, of x with a mean square of 1
    return (inverse / kept.sqrt()).float()


@dataclass
class _Observer:
    """Adds up the products of the inputs that layers are given. Layers given the same tensor share the sum."""

    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    counted: torch.Tensor | None = None
    last: tuple[torch.Tensor | None, str] = (None, "")

    def see(self, layer: str, given: torch.Tensor) -> None:
        before, owner = self.last
        if given is before:
            self.sums[layer] = self.sums[owner]
            return
        rows = given.reshape(-1, given.shape[-1])[self.counted].float()
        if layer in self.sums:
            self.sums[layer] += rows.T @ rows
        else:
            self.sums[layer] = rows.T @ rows
        self.last = given, layer


def _covariances(base: BaseModel, layers: Collection[str], usual: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """Of each layer's inputs, (inputs, inputs). Not of a sequence's first token, whose states are far larger."""
    observer, rows = _Observer(), _some(usual)
    with torch.no_grad(), _observed(base.model, layers, observer):
        for start in range(0, len(rows), _BATCH):
            batch = [torch.tensor(ids) for ids in rows[start : start + _BATCH]]
            ids = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True).to(base.device)
            lengths = torch.tensor([len(one) for one in batch], device=base.device)
            steps = torch.arange(ids.shape[1], device=base.device)
            observer.counted = ((steps >= 1) & (steps < lengths[:, None])).flatten()
            base.model.base_model(input_ids=ids, use_cache=False)
            progress.report(min(start + _BATCH, len(rows)), len(rows))
    return observer.sums


def _some(usual: Sequence[Encoded]) -> list[tuple[int, ...]]:
    """Ids of evenly chosen rows, of TOKENS tokens together, short ones first so that little is padded."""
    share = min(1.0, TOKENS / sum(len(one.ids) for one in usual))
    count = max(1, int(share * len(usual)))
    return sorted((tuple(usual[place * len(usual) // count].ids) for place in range(count)), key=len)


@contextmanager
def _observed(model: Any, layers: Collection[str], observer: _Observer) -> Iterator[None]:
    """In this context the observer sees what the layers are given."""
    modules = dict(model.named_modules())
    hooks = [
        modules[layer].register_forward_pre_hook(lambda _, given, layer=layer: observer.see(layer, given[0]))
        for layer in layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
