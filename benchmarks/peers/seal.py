"""SEAL's inner loop (Zweiger et al. 2025, arXiv 2506.10943): candidates one after another, each on its own adapter.

For each candidate: LoRA of rank 32 and alpha 64 on q_proj and v_proj without dropout; 10 epochs of batches of one
sequence at 1e-3, falling linearly, clipped at 1; every sequence padded to 2,048 tokens with the loss on the padding as
well; then greedy closed-book answers of up to 64 tokens, prompt by prompt. The adapter is put on anew per candidate.

What is doubtful is decided in SEAL's favour. A model whose context is shorter is padded to that context: rotary
positions would go on (the sandbox's model computes 2,048), but whoever ran SEAL on such a model would set its limit.
No attention mask is given: padding on the right is out of sight of what precedes it, and the causal kernel is faster.
The base stays loaded between candidates, though the original reloads it.
"""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch

from benchmarks.peers.peft_alone import answer_with
from benchmarks.peers.wrapping import trainable, wrapped
from pipeline.chat import Encoded
from pipeline.engines.base import BaseModel
from pipeline.prompts import passage
from pipeline.recipe import TrainingRules
from pipeline.types import Document, Example, SelfEdit

RANK, ALPHA = 32, 64
TARGETS = ("q_proj", "v_proj")
LEARNING_RATE, CLIP_NORM = 1e-3, 1.0
EPOCHS = 10
LENGTH = 2048
ANSWER_TOKENS = 64
SAMPLES = 5
RULES = TrainingRules(
    rank=RANK,
    alpha=ALPHA,
    targets=TARGETS,
    epochs=EPOCHS,
    batch_size=1,
    learning_rate=LEARNING_RATE,
    clip_norm=CLIP_NORM,
    warmup=0.0,
    weight_decay=0.0,
    loss_on="all",
    loss_reduction="tokens",
    new_weight=1.0,
)


def titled(edits: Sequence[SelfEdit], documents: Sequence[Document]) -> tuple[SelfEdit, ...]:
    """Self-edits as SEAL trains on them: plain text, every line of a note below the title of its document."""
    titles = {document.id: document.title for document in documents}
    return tuple(
        replace(
            edit,
            examples=tuple(
                Example(prompt="", completion=passage(titles[edit.document], example.completion))
                for example in edit.examples
            ),
        )
        if edit.prompt
        else edit
        for edit in edits
    )


@dataclass(frozen=True)
class SealMeasured:
    """What was measured of one candidate, and what the full procedure would need. Seconds are wall time.

    `wrapping_seconds` are spent once a candidate, on putting the adapter on and taking it off.
    """

    length: int
    steps_measured: int
    steps_needed: int
    seconds_per_step: float
    prompts_measured: int
    prompts_needed: int
    seconds_per_prompt: float
    wrapping_seconds: float
    answers: tuple[str, ...]

    @property
    def extrapolated_seconds(self) -> float:
        """Seconds for the whole candidate, linear in steps and prompts; what was measured where nothing was left out.

        Steps all cost the same, being of one shape.
        """
        training = self.seconds_per_step * self.steps_needed
        return training + self.seconds_per_prompt * self.prompts_needed + self.wrapping_seconds

    @property
    def is_extrapolated(self) -> bool:
        return self.steps_measured < self.steps_needed or self.prompts_measured < self.prompts_needed


def measure(
    base: BaseModel,
    encoded: Sequence[Encoded],
    prompts: Sequence[str],
    *,
    seed: int,
    steps: int | None = None,
    answered: int | None = None,
    length: int | None = None,
) -> SealMeasured:
    """Runs one candidate for at most `steps` steps and `answered` prompts (None: all of them).

    `length`: tokens that every sequence is padded to; None: 2,048, or the model's context where that is shorter.
    The first step warms up and is not timed, unless it is the only one.
    """
    width = length or min(LENGTH, base.context)
    needed = EPOCHS * len(encoded)
    asked = list(prompts[:answered])
    began = time.perf_counter()
    with wrapped(base, rank=RANK, alpha=ALPHA, seed=seed, targets=TARGETS) as model:
        inside = time.perf_counter()
        taken = _train(model, base, encoded, width, needed, needed if steps is None else min(steps, needed), seed)
        trained = time.perf_counter()
        answers = [_answer(model, base, prompt) for prompt in asked]
        left = time.perf_counter()
    ended = time.perf_counter()
    return SealMeasured(
        length=width,
        steps_measured=len(taken),
        steps_needed=needed,
        seconds_per_step=_mean(taken[1:] or taken),
        prompts_measured=len(asked),
        prompts_needed=len(prompts),
        seconds_per_prompt=(left - trained) / len(asked) if asked else 0.0,
        wrapping_seconds=inside - began + ended - left,
        answers=tuple(answers),
    )


def padded(encoded: Encoded, length: int, padding: int, device: torch.device) -> torch.Tensor:
    """Ids (1, length), padded on the right or cut; they are the labels, too."""
    ids = list(encoded.ids[:length])
    return torch.tensor([ids + [padding] * (length - len(ids))], device=device)


def _train(
    model: Any, base: BaseModel, encoded: Sequence[Encoded], length: int, needed: int, steps: int, seed: int
) -> list[float]:
    """Seconds of each step."""
    weights, taken = trainable(model), []
    optimiser = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.0, fused=True)
    tokenizer = base.tokenizer
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    for step, row in enumerate(islice(_order(len(encoded), seed), steps)):
        began = time.perf_counter()
        ids = padded(encoded[row], length, padding or 0, base.device)
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP_NORM)
        optimiser.param_groups[0]["lr"] = LEARNING_RATE * (needed - step) / needed
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if base.device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return taken


def _order(count: int, seed: int) -> Iterator[int]:
    draw = random.Random(seed)
    for _ in range(EPOCHS):
        yield from draw.sample(range(count), count)


def _answer(model: Any, base: BaseModel, prompt: str) -> str:
    return answer_with(model, base, [prompt], max_new_tokens=ANSWER_TOKENS, rows=1)[0]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
