"""One adapter: our training beside TRL's `SFTTrainer` and PEFT alone, on the same self-edits, in alternating runs.

The embedded model learns what it wrote itself about documents; a random model of 102 million parameters says what a
real size costs. With `--model` a packaged model learns its own answers, in float32 and in bfloat16.
`SEALED_BENCHMARK_THREADS` sets torch's threads for all of them.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from benchmarks.figures import RESULTS, Measured, write_results
from benchmarks.peers import peft_alone, trl_sft
from benchmarks.peers.random_model import LLAMA_100M, make_random_model
from benchmarks.roofline import matmul_peak, operations
from pipeline.chat import Encoded, encode_example
from pipeline.digests import seed_from
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.local import LocalEngine
from pipeline.models.resolution import find_model
from pipeline.recipe import Recipe, TrainingRules, pretrained_recipe
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents
from pipeline.self_edits import WriterContext, write_self_edits
from pipeline.training import TrainingJob, train_many
from pipeline.types import Checkpoint, Example, ModelRef
from pipeline.updates import read_rehearsal_prompts

SEED = 50_021  # of no test, demo or choice of a default
DOCUMENTS = 8
REPEATS = 5
HALF = "in bfloat16"
SLACK = 0.05  # losses may differ by this share; noise excuses nothing, since few runs are noisy enough for anything


@dataclass(frozen=True)
class Run:
    """One training. The loss is the mean over all learned tokens once it is over: batches weigh the same for all."""

    tokens_per_second: float
    loss: float


@dataclass(frozen=True)
class Size:
    """One model, what it is trained on, how often, and by how much ours should be faster than TRL."""

    name: str
    path: Path
    examples: tuple[Example, ...]
    rules: TrainingRules
    repeats: int
    goal: float
    in_bfloat16: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer documents, epochs and repeats")
    parser.add_argument("--model", help="a packaged model, which is then the only one")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    _quiet()
    if options.model:
        size = _packaged(options.model, 1 if options.quick else 3)
        out = options.out or RESULTS / f"update-{options.model}.json"
        runs = _measure(size)
        write_results("update", [*_figures(size, runs), *_shares_of_peak(size, runs)], out)
        return
    examples, rules = _self_edits(2 if options.quick else DOCUMENTS)
    with tempfile.TemporaryDirectory(prefix="sealed-update-") as folder:
        large = make_random_model(Path(folder) / "llama-100m", LLAMA_100M)
        few = rules.model_copy(update={"epochs": 1, "learning_rate": 1e-4})
        sizes = (
            Size(
                name="sandbox",
                path=model_path(),
                examples=examples,
                goal=1.3,
                repeats=3 if options.quick else REPEATS,
                rules=rules.model_copy(update={"epochs": 2}) if options.quick else rules,
            ),
            Size(
                name="llama 102M",
                path=large,
                examples=examples[: (2 if options.quick else 6) * few.batch_size],
                rules=few,
                repeats=3,
                goal=1.1,
            ),
        )
        figures = [figure for size in sizes for figure in _figures(size, _measure(size))]
    write_results("update", figures, options.out)


def _packaged(name: str, steps: int) -> Size:
    """A packaged model with so many steps of what it rehearses, by the recipe of a pretrained model."""
    found = find_model(name)
    training = pretrained_recipe().training
    training = training.of_rank(training.beside_rank or training.rank)  # what a first run trains
    rules = TrainingRules(
        rank=training.rank, alpha=training.alpha, batch_size=training.batch_size, loss_reduction="tokens",
        epochs=1, learning_rate=1e-4,
    )  # fmt: skip
    prompts = read_rehearsal_prompts((found.brings or found.folder) / "rehearsal_prompts").prompts
    answered = [Example(prompt=one.prompt, completion=one.completion) for one in prompts if one.completion]
    return Size(
        name=name,
        path=found.folder,
        examples=tuple(answered[: steps * rules.batch_size]),
        rules=rules,
        repeats=3,
        goal=1.1,
        in_bfloat16=True,
    )


def _self_edits(count: int) -> tuple[tuple[Example, ...], TrainingRules]:
    """What the embedded model writes about `count` documents by its recipe, each sequence once."""
    recipe = Recipe.read(model_path() / "sealed" / "recipe.toml")
    base = load_base(str(model_path()), device="cpu")
    writer = Checkpoint(ModelRef(base=base.identity.model))
    context = WriterContext(engine=LocalEngine(base), rules=recipe.self_edits, writer=writer, seed=SEED)
    written = write_self_edits(context, run_documents(1, count, SEED))
    unique = {example.id: example for edit in written.edits for example in edit.examples}
    # TRL counts all tokens of a step alike.
    return tuple(unique[key] for key in sorted(unique)), recipe.training.model_copy(update={"loss_reduction": "tokens"})


def _measure(size: Size) -> dict[str, list[Run]]:
    """Runs of each trainer in turn, a seed each turn, after an untimed epoch of each."""
    base = load_base(str(size.path), device="cpu", dtype="float32")
    encoded = [encode_example(base.tokenizer, example) for example in size.examples]
    trainers: dict[str, Callable[[TrainingRules, int], Run]] = {
        "ours": lambda rules, seed: _ours(base, base, size.examples, encoded, rules, seed),
        "PEFT alone": lambda rules, seed: _peer(partial(peft_alone.train, flat=True), base, base, encoded, rules, seed),
    }
    if trl_sft.available():
        trainers["TRL"] = lambda rules, seed: _peer(trl_sft.train, size.path, base, encoded, rules, seed)
    else:
        print(f"TRL is not installed, and its figures are left out. To have them: {trl_sft.INSTALL}", flush=True)
    if size.in_bfloat16:
        half = load_base(str(size.path), device="cpu", dtype="bfloat16")
        trainers[f"ours {HALF}"] = lambda rules, seed: _ours(half, base, size.examples, encoded, rules, seed)
        if "TRL" in trainers:
            train_half = partial(trl_sft.train, settings={**trl_sft.FLAT, "bf16": True})
            trainers[f"TRL {HALF}"] = lambda rules, seed: _peer(train_half, size.path, base, encoded, rules, seed)
    for train in trainers.values():
        train(size.rules.model_copy(update={"epochs": 1}), SEED)
    runs: dict[str, list[Run]] = {name: [] for name in trainers}
    for repeat in range(size.repeats):
        for name, train in trainers.items():
            runs[name].append(train(size.rules, SEED + repeat))
            print(f"{size.name}, run {repeat + 1}, {name}: {runs[name][-1]}", flush=True)
    return runs


def _ours(
    model: BaseModel,
    base: BaseModel,
    examples: Sequence[Example],
    encoded: Sequence[Encoded],
    rules: TrainingRules,
    seed: int,
) -> Run:
    """Ours is timed with its encoding and set-up, which the peers' seconds leave out.

    The loss is computed by `base`, as for all: in bfloat16 the same adapter has another.
    """
    job = TrainingJob(examples=tuple(examples), rules=rules, seed=seed_from("lora", seed))
    started = time.perf_counter()
    (made,) = train_many(model, [job])
    seconds = time.perf_counter() - started
    loss = peft_alone.loss_of(base, encoded, made.tensors, rank=rules.rank, alpha=rules.alpha)
    return Run(tokens_per_second=made.tokens / seconds, loss=loss)


def _peer(
    train: Callable[..., Any],
    model: object,
    base: BaseModel,
    encoded: Sequence[Encoded],
    rules: TrainingRules,
    seed: int,
) -> Run:
    made = train(
        model,
        encoded,
        rank=rules.rank,
        alpha=rules.alpha,
        learning_rate=rules.learning_rate,
        epochs=rules.epochs,
        batch_size=rules.batch_size,
        warmup=rules.warmup,
        clip_norm=rules.clip_norm,
        seed=seed_from("lora", seed),
    )
    loss = peft_alone.loss_of(base, encoded, made.tensors, rank=rules.rank, alpha=rules.alpha)
    return Run(tokens_per_second=made.tokens / made.seconds, loss=loss)


def _figures(size: Size, runs: dict[str, list[Run]]) -> Iterator[Measured]:
    """Intervals are the least and the greatest of the runs: few runs have no more to say."""
    for name, made in runs.items():
        speeds = [run.tokens_per_second for run in made]
        yield Measured(
            name=f"{size.name}: {name} (range)",
            value=median(speeds),
            unit="tokens/s",
            n=len(made),
            interval=(min(speeds), max(speeds)),
        )
    for peer in [name for name in runs if not name.startswith("ours")]:
        own = f"ours {HALF}" if peer.endswith(HALF) else "ours"
        pairs = zip(runs[own], runs[peer], strict=True)
        ratios = [ours.tokens_per_second / theirs.tokens_per_second for ours, theirs in pairs]
        aim = size.goal if peer.startswith("TRL") else None
        yield Measured(
            name=f"{size.name}: {own} against {peer} (range)",
            value=median(ratios),
            unit="times",
            n=len(ratios),
            interval=(min(ratios), max(ratios)),
            goal=f">= {aim}" if aim else "",
            met=median(ratios) >= aim if aim else None,
        )
        yield _loss(size, own, peer, runs)


def _shares_of_peak(size: Size, runs: dict[str, list[Run]]) -> Iterator[Measured]:
    """What each trainer makes of the matmul peak in its type, by operations that are counted alike for all."""
    for dtype in ("float32", "bfloat16"):
        base = load_base(str(size.path), device="cpu", dtype=dtype)
        peak, job = matmul_peak(base), TrainingJob(examples=size.examples, rules=size.rules, seed=SEED)
        yield Measured(name=f"{size.name}: the peak in {dtype}", value=peak / 1e9, unit="GFLOP/s")
        tokens = size.rules.epochs * sum(len(encode_example(base.tokenizer, one).ids) for one in size.examples)
        each = operations(base, [job]) / tokens
        for name in [name for name in runs if name.endswith(HALF) is (dtype == "bfloat16")]:
            share = median(run.tokens_per_second for run in runs[name]) * each / peak
            yield Measured(name=f"{size.name}: {name}, share of the peak", value=share, unit="share", n=len(runs[name]))


def _loss(size: Size, own: str, peer: str, runs: dict[str, list[Run]]) -> Measured:
    """By how much our loss is above the peer's, as a share of it: Student's interval over the seeds."""
    from scipy.stats import t

    away = [ours.loss / theirs.loss - 1.0 for ours, theirs in zip(runs[own], runs[peer], strict=True)]
    middle, half = fmean(away), float(t.ppf(0.975, len(away) - 1)) * stdev(away) / len(away) ** 0.5
    return Measured(
        name=f"{size.name}: loss after training, {own} above {peer}",
        value=middle,
        unit="share",
        n=len(away),
        interval=(middle - half, middle + half),
        goal=f"within {SLACK}",
        met=abs(middle) <= SLACK,
    )


def _quiet() -> None:
    """No progress bars of the libraries, no hub, and the threads that were asked for."""
    import torch

    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
    if threads := os.environ.get("SEALED_BENCHMARK_THREADS"):
        torch.set_num_threads(int(threads))
    from datasets import disable_progress_bars
    from transformers.utils import logging

    disable_progress_bars()
    logging.disable_progress_bar()


if __name__ == "__main__":
    main()
