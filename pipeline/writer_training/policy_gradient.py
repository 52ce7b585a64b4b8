"""The writer as a policy: the logprobs of its self-edits, and GRPO's steps on them. Writes no file.

ADR 11 says why this is not TRL's trainer.

Logprobs are at the temperature of sampling; that sampling leaves out what is beyond top_p is ignored.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random
from statistics import fmean

import torch

from pipeline.adapters.stack import start_of
from pipeline.chat import Encoded, encode_example
from pipeline.digests import seed_from
from pipeline.training import (
    Adapted,
    Optimiser,
    TokenLayout,
    TrainingResult,
    adapter_shapes,
    parent_tensors,
    with_adapters,
)
from pipeline.types import Checkpoint
from pipeline.writer_training.outer_loop import OuterLoop
from pipeline.writer_training.rules import writer_rules
from pipeline.writer_training.selection import RatedExample

Tensors = Mapping[str, torch.Tensor]

_ROWS = 16  # sequences whose logits are held at once


def improve(loop: OuterLoop, rated: Sequence[RatedExample], writer: Checkpoint, *, seed: int) -> TrainingResult:
    """The adapter after GRPO's steps from `writer` on one round's examples, kept near the production model by the KL.

    There are `writer_training.passes` passes over the examples; the first step clips nothing, since the writer is
    still the one that sampled them.
    """
    rules, steps, mean = loop.recipe.writer_training, 0, 0.0
    start, production = (_tensors(loop, checkpoint) for checkpoint in (writer, loop.production))
    policy = Policy(loop, [encode_example(loop.base.tokenizer, one.example) for one in rated])
    old, reference = policy.logprobs(start), policy.logprobs(production)
    targets = [
        _Target(old=old[place], reference=reference[place], advantage=one.advantage) for place, one in enumerate(rated)
    ]
    with policy.adapted(start) as adapted:
        optimiser = Optimiser(adapted.stack, [writer_rules(loop.recipe)])
        for number in range(rules.passes):
            order = Random(seed_from("grpo", seed, number)).sample(range(len(rated)), len(rated))
            losses = [policy.step(adapted, optimiser, some, targets) for some in _pieces(order, rules.batch_size)]
            steps, mean = steps + len(losses), fmean(losses)
        tensors = adapted.stack.tensors(0)
    tokens = rules.passes * sum(len(one.ids) for one in policy.encoded)
    return TrainingResult(tensors=tensors, steps=steps, final_loss=mean, tokens=tokens)


def _tensors(loop: OuterLoop, checkpoint: Checkpoint) -> Tensors | None:
    """The checkpoint's adapter; None for the base model."""
    return parent_tensors(loop.base, checkpoint, writer_rules(loop.recipe))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Target:
    """What an example's loss needs besides its logprobs: those by the writer that sampled it and by production."""

    old: torch.Tensor
    reference: torch.Tensor
    advantage: float


@dataclass(frozen=True, eq=False)
class Policy:
    """The base model with an adapter, as a policy over encoded examples."""

    loop: OuterLoop
    encoded: Sequence[Encoded]

    def logprobs(self, adapter: Tensors | None) -> list[torch.Tensor]:
        """For each example the logprobs of its completion, float (tokens,), by the adapter (None: by the base)."""
        found: list[torch.Tensor] = []
        with torch.no_grad(), self.adapted(adapter) as adapted:
            for some in _pieces(range(len(self.encoded)), _ROWS):
                found += self._logprobs(adapted, some)
        return found

    def step(self, adapted: Adapted, optimiser: Optimiser, places: Sequence[int], targets: Sequence[_Target]) -> float:
        """One step on the examples at these places, each of equal weight whatever its length. Returns the loss."""
        total = 0.0
        for some in _pieces(places, _ROWS):
            logprobs = self._logprobs(adapted, some)
            losses = [self._loss(new, targets[place]) for place, new in zip(some, logprobs, strict=True)]
            loss = torch.stack(losses).sum() / len(places)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        optimiser.step([1.0])
        return total

    def _loss(self, new: torch.Tensor, target: _Target) -> torch.Tensor:
        rules, advantage = self.loop.recipe.writer_training, torch.full_like(new, target.advantage)
        return token_losses(new, target.old, target.reference, advantage, clip=rules.clip, kl=rules.kl_weight).mean()

    def adapted(self, adapter: Tensors | None) -> AbstractContextManager[Adapted]:
        """The base model with the adapter (None: with a new one, which changes nothing)."""
        base, rules = self.loop.base, writer_rules(self.loop.recipe)
        return with_adapters(base, rules, [start_of(adapter_shapes(base, rules), 0, adapter)])

    def _logprobs(self, adapted: Adapted, places: Sequence[int]) -> list[torch.Tensor]:
        base, rows = self.loop.base, [self.encoded[place] for place in places]
        longest = max(len(row.ids) for row in rows)
        # Padded on the right, where causal attention never looks.
        ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in rows], device=base.device)
        adapted.tokens = TokenLayout(1, len(rows))
        logits = base.model(input_ids=ids, use_cache=False).logits
        found = []
        for number, row in enumerate(rows):
            learned = [place for place, counts in enumerate(row.loss) if counts and place]
            at = torch.tensor(learned, device=base.device)
            scaled = logits[number, at - 1].float() / self.loop.recipe.writer_training.temperature
            found.append(scaled.log_softmax(-1).gather(1, ids[number, at][:, None])[:, 0])
        return found


def _pieces(places: Sequence[int], size: int) -> list[list[int]]:
    return [list(places[first : first + size]) for first in range(0, len(places), size)]


def token_losses(
    new: torch.Tensor,
    old: torch.Tensor,
    reference: torch.Tensor,
    advantage: torch.Tensor,
    *,
    clip: float,
    kl: float,
) -> torch.Tensor:
    """The loss of each token, float of shape (tokens,): the clipped surrogate, and `kl` times the KL to the reference.

    `new`, `old` and `reference` are logprobs (tokens,) by the writer as it is, by the writer that sampled, and by the
    production model; `advantage` is (tokens,). The KL is Schulman's estimator k3: unbiased and never negative.
    """
    ratio = (new - old).exp()
    clipped = ratio.clamp(1.0 - clip, 1.0 + clip)
    surrogate = (ratio * advantage).minimum(clipped * advantage)
    distance = reference - new
    return kl * (distance.exp() - distance - 1.0) - surrogate
