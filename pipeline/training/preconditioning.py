"""Keeps an adapter out of what its layers' usual inputs have most of: their covariance preconditions side A.

ROME (Meng et al. 2022, arXiv 2202.05262) writes a fact into a layer along (inverse covariance of the inputs) x (the
fact's input), which changes little of what other inputs give. Here A = A' M with M that inverse, damped, and AdamW
steps in A': both the gradient and the step pass through M, so it keeps out further than ROME does. The usual inputs are
those of the rows that the base model is rehearsed on. Knows no loss and no file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from pipeline.adapters.stack import Stack, key, views_of
from pipeline.recipe import TrainingRules


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


def preconditioner(covariances: Mapping[str, torch.Tensor], rules: TrainingRules) -> Preconditioner | None:
    """The inverse of (covariance of a layer's usual inputs + damping); None where the rules want none.

    A covariance's mean eigenvalue is taken for 1, and M changes no input's mean square.
    """
    if rules.covariance_damping is None or not covariances:
        return None
    done: dict[int, torch.Tensor] = {}
    for found in covariances.values():
        if id(found) not in done:
            done[id(found)] = _inverse(found, rules.covariance_damping)
    return Preconditioner({key(layer, "A"): done[id(found)] for layer, found in covariances.items()})


def _inverse(covariance: torch.Tensor, damping: float) -> torch.Tensor:
    scaled = covariance.double() / covariance.diagonal().double().mean()
    damped = scaled + damping * torch.eye(len(scaled), dtype=scaled.dtype, device=scaled.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    kept = (inverse @ scaled * inverse).sum() / len(scaled)  # the mean square of M x, of x with a mean square of 1
    return (inverse / kept.sqrt()).float()
