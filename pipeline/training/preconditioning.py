"""Keeps an adapter out of what its layers' usual inputs have most of: their covariance preconditions side A.

ROME (Meng et al. 2022, arXiv 2202.05262) writes a fact into a layer along (inverse covariance of the inputs) x (the
fact's input), which changes little of what other inputs give. Here A = A' M with M that inverse, damped, and AdamW
steps in A': both the gradient and the step pass through M, so it keeps out further than ROME does. The usual inputs are
those of the rows that the base model is rehearsed on. Knows no loss and no file.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline import progress
from pipeline.adapters.attachment import linear_layers
from pipeline.adapters.stack import Stack, key, views_of
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules

TOKENS = 8_192  # that a covariance is taken over, about
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Preconditioner:
    """M (inputs, inputs) of each layer, symmetric, by PEFT's key of its side A. Layers of one input share theirs."""

    matrices: dict[str, torch.Tensor]

    def free(self, stack: Stack, given: Sequence[int]) -> torch.Tensor:
        """(K, parameters): A' of each adapter, and B as it is. Rows of A that are not `given` are new: taken for A'.

        `given`: for each adapter, how many of A's first rows its parent gave.
        """
        free = stack.flat.clone()
        views = views_of(free, stack.shapes)
        for name, matrix in self.matrices.items() if any(given) else ():
            rows = torch.cat([views[name][adapter, :count] for adapter, count in enumerate(given)])
            solved = torch.linalg.solve(matrix, rows, left=False).split(list(given))
            for adapter, (count, own) in enumerate(zip(given, solved, strict=True)):
                views[name][adapter, :count] = own
        return free

    def turn(self, gradients: dict[str, torch.Tensor]) -> None:
        """Makes the gradients of A, in place, those of A'."""
        for name, matrix in self.matrices.items():
            gradients[name].copy_(gradients[name] @ matrix)

    def fill(self, stack: Stack, free: torch.Tensor) -> None:
        """Sets the stack's parameters to those of `free`: A to A' M."""
        stack.flat.copy_(free)
        views = views_of(free, stack.shapes)
        for name, matrix in self.matrices.items():
            torch.matmul(views[name], matrix, out=stack.views[name].data)


def bytes_at_most(base: BaseModel, rules: TrainingRules) -> int:
    """Bytes of a preconditioner's matrices if no two layers share one; 0 where the rules want none."""
    if rules.covariance_damping is None:
        return 0
    return sum(4 * inputs * inputs for inputs, _ in linear_layers(base.model, rules.targets).values())


def preconditioner(base: BaseModel, rules: TrainingRules, usual: Sequence[tuple[int, ...]]) -> Preconditioner | None:
    """The inverse of (covariance of the usual inputs + damping), of each layer; None where the rules want none.

    `usual`: ids of sequences. A covariance's mean eigenvalue is taken for 1, and M changes no input's mean square.
    Without usual rows there is nothing to keep out of: None. Reports progress in rows. Raises BadInput for a layer that
    does not see every token.
    """
    if rules.covariance_damping is None:
        return None
    rows = _some([ids for ids in dict.fromkeys(usual) if len(ids) > 1])
    if not rows:
        return None
    layers = tuple(linear_layers(base.model, rules.targets))
    with progress.step("measuring the layers' usual inputs"):
        covariances = _covariances(base, layers, rows)
    if unseen := [layer for layer in layers if layer not in covariances]:
        raise BadInput(f"layer {unseen[0]} sees no token of what is rehearsed: leave it out of training.targets.")
    done: dict[int, torch.Tensor] = {}
    matrices: dict[str, torch.Tensor] = {}
    for layer in layers:
        found = covariances[layer]
        if id(found) not in done:
            done[id(found)] = _inverse(found, rules.covariance_damping)
        matrices[key(layer, "A")] = done[id(found)]
    return Preconditioner(matrices)


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
        """Raises BadInput where the layer is not given every token."""
        before, owner = self.last
        if given is before:
            self.sums[layer] = self.sums[owner]
            return
        rows = given.reshape(-1, given.shape[-1])
        if self.counted is None or len(rows) != len(self.counted):
            raise BadInput(
                f"layer {layer} sees only some of a batch's tokens, as experts do: leave it out of training.targets, "
                "or training.covariance_damping out of the recipe."
            )
        counted = rows[self.counted].float()
        if layer in self.sums:
            self.sums[layer] += counted.T @ counted
        else:
            self.sums[layer] = counted.T @ counted
        self.last = given, layer


def _covariances(base: BaseModel, layers: Collection[str], rows: Sequence[tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Of each layer's inputs, (inputs, inputs). Not of a sequence's first token, whose states are far larger."""
    observer = _Observer()
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


def _some(usual: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Evenly chosen rows of about TOKENS tokens together, short ones first so that little is padded."""
    share = min(1.0, TOKENS / max(1, sum(map(len, usual))))
    count = int(share * len(usual)) or min(1, len(usual))
    return sorted((usual[place * len(usual) // count] for place in range(count)), key=len)


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
