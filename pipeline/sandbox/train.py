"""`python -m pipeline.sandbox.train` makes the sandbox's model and its card, the same each time on one machine."""

import argparse
import os
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from pipeline.engines.base import load_base
from pipeline.engines.local import LocalEngine
from pipeline.sandbox import lessons, model_path
from pipeline.sandbox.card import CardFigure, measure, revision, table, write_card
from pipeline.sandbox.kit import write_kit
from pipeline.sandbox.packing import Rows, pack, pieces, visible
from pipeline.sandbox.tokens import build_tokenizer

SEED = 2
THREADS = 2  # the sums of a step come out the same only with the same number
VOCABULARY_LESSONS = 20_000


@dataclass(frozen=True)
class Schedule:
    """How long and how fast. First reading alone (in a mixture copying never forms), then more documents, then all."""

    steps: int = 2600
    reading_steps: int = 420
    document_steps: int = 500
    rows: int = 12
    length: int = 384
    learning_rate: float = 2e-3
    warmup: int = 100


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama of 1.6 million parameters. The wide initial weights let copying form early."""
    torch.manual_seed(SEED)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=160, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=4, intermediate_size=432, max_position_embeddings=1024, tie_word_embeddings=True,
            initializer_range=0.05, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )  # fmt: skip


def draw_rows(tokenizer: PreTrainedTokenizerFast, rng: Random, schedule: Schedule, step: int) -> Rows:
    """The rows of one step, from the mixture that is due."""
    made, tokens, mixture = [], 0, _mixture(schedule, step)
    while tokens < schedule.rows * schedule.length * 1.03:
        drawn = [lessons.lesson(rng, mixture) for _ in range(8 if mixture is lessons.READING else 40)]
        found = pieces(tokenizer, drawn)
        made += found
        tokens += sum(len(piece.ids) for piece in found)
    return pack(made, schedule.rows, schedule.length)


def _mixture(schedule: Schedule, step: int) -> lessons.Mixture:
    if step < schedule.reading_steps:
        return lessons.READING
    return lessons.DOCUMENTS if step < schedule.reading_steps + schedule.document_steps else lessons.ALL


def losses(model: LlamaForCausalLM, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted mean loss of the rows, and whether each target was foretold."""

    mask = torch.zeros(len(rows.ids), 1, rows.ids.shape[1], rows.ids.shape[1])
    mask.masked_fill_(~torch.from_numpy(visible(rows))[:, None], -1e9)
    hidden = model.model(
        input_ids=torch.from_numpy(rows.ids), position_ids=torch.from_numpy(rows.position), attention_mask=mask
    ).last_hidden_state.flatten(0, 1)
    logits = model.lm_head(hidden[torch.from_numpy(rows.source)])
    target, weight = torch.from_numpy(rows.target), torch.from_numpy(rows.weight).float()
    each = torch.nn.functional.cross_entropy(logits, target, reduction="none")
    return (each * weight).sum() / weight.sum(), logits.detach().argmax(-1) == target


def rate(schedule: Schedule, step: int) -> float:
    """Warm-up, then a straight line down to a thirtieth."""
    left = (schedule.steps - step) / (schedule.steps - schedule.warmup)
    return schedule.learning_rate * min((step + 1) / schedule.warmup, max(left, 1 / 30))


def train(tokenizer: PreTrainedTokenizerFast, schedule: Schedule, checkpoints: Path | None = None) -> LlamaForCausalLM:
    """The trained model. Says every hundred steps how much of each kind of lesson is predicted."""

    model, rng = build_model(tokenizer), Random(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, betas=(0.9, 0.98), weight_decay=0.01)
    told: dict[str, list[float]] = defaultdict(list)
    began = time.monotonic()
    for step in range(schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(schedule, step)
        rows = draw_rows(tokenizer, rng, schedule, step)
        loss, right = losses(model, rows)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        for (kind, answer), hit in zip(rows.kinds, right.tolist(), strict=True):
            if answer:
                told[kind].append(hit)
        if (step + 1) % 100 == 0:
            shares = ", ".join(f"{kind} {sum(hits) / len(hits):.3f}" for kind, hits in sorted(told.items()))
            say(f"step {step + 1}/{schedule.steps} ({time.monotonic() - began:.0f} s) loss {loss.item():.3f}: {shares}")
            told.clear()
    return model.eval()


def make(out: Path, schedule: Schedule) -> tuple[CardFigure, ...]:
    """Trains, writes the model, its tokenizer and its kit into `out`, measures what was written, writes the card."""

    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    began, made_by = time.monotonic(), revision()
    tokenizer = build_tokenizer(lessons.sample_texts(SEED, VOCABULARY_LESSONS))
    model = train(tokenizer, schedule)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    for weights in out.glob("*.safetensors"):
        weights.chmod(0o644)
    write_kit(out / "sealed")
    minutes = round((time.monotonic() - began) / 60)
    figures = measure(LocalEngine(load_base(str(out), device="cpu", dtype="float32")))
    made = {
        "command": "python -m pipeline.sandbox.train",
        "revision": made_by,
        "seed": SEED,
        **asdict(schedule),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "minutes on 2 cores": minutes,
    }
    write_card(out, figures, made)
    return figures


def main() -> None:
    """Reads the options, makes the model and prints its card. Exit code 3 where a figure misses what is wanted."""
    options = argparse.ArgumentParser(prog="python -m pipeline.sandbox.train", description=__doc__)
    options.add_argument("--out", type=Path, default=model_path(), help="folder to write the model into")
    options.add_argument("--steps", type=int, default=Schedule.steps, help="training steps; the default makes the card")
    chosen = options.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    figures = make(chosen.out, replace(Schedule(), steps=chosen.steps))
    say(table(figures))
    sys.exit(0 if all(figure.met for figure in figures) else 3)


def say(line: str) -> None:
    """One line of progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
