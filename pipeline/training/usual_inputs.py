"""What a model's layers are usually given: the covariance of their inputs on what the base model is rehearsed on.

Knows no adapter, no loss and no file.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from pipeline import progress
from pipeline.adapters.attachment import linear_layers
from pipeline.engines.base import BaseModel
from pipeline.errors import BadInput
from pipeline.recipe import TrainingRules

TOKENS = 8_192  # that a covariance is taken over, about
_BATCH = 32


def matrices_a_layer(rules: TrainingRules) -> int:
    """How many matrices of each layer's usual inputs training keeps: for a preconditioner, for an output penalty."""
    return (rules.covariance_damping is not None) + (rules.output_penalty > 0.0)


def bytes_at_most(base: BaseModel, rules: TrainingRules) -> int:
    """Bytes of those matrices if no two layers share one."""
    layers = linear_layers(base.model, rules.targets).values() if matrices_a_layer(rules) else ()
    return matrices_a_layer(rules) * sum(4 * inputs * inputs for inputs, _ in layers)


def usual_covariances(
    base: BaseModel, rules: TrainingRules, usual: Sequence[tuple[int, ...]]
) -> Mapping[str, torch.Tensor]:
    """Of each layer's inputs, (inputs, inputs), by the layer's name; none where the rules want none.

    `usual`: ids of sequences; without any there is nothing to keep out of. Layers of one input share theirs. Reports
    progress in rows. Raises BadInput for a layer that does not see every token.
    """
    rows = _some([ids for ids in dict.fromkeys(usual) if len(ids) > 1])
    if not rows or not matrices_a_layer(rules):
        return {}
    layers = tuple(linear_layers(base.model, rules.targets))
    with progress.step("measuring the layers' usual inputs"):
        covariances = _covariances(base, layers, rows)
    if unseen := [layer for layer in layers if layer not in covariances]:
        raise BadInput(f"layer {unseen[0]} sees no token of what is rehearsed: leave it out of training.targets.")
    return {layer: covariances[layer] for layer in layers}


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
                "or covariance_damping and output_penalty out of the recipe."
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
