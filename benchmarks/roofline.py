"""What a training could cost at best: operations counted by hand, the machine's matmul peak; and what it holds."""

import gc
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.adapters.attachment import linear_layers
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base
from pipeline.training import TrainingJob, train_many
from pipeline.training.many import JobBatch


def operations(base: BaseModel, jobs: Sequence[TrainingJob]) -> float:
    """Multiplications and additions of a training, counted by hand.

    A token: the base's linear layers W forward and back to its input (2W + 2W); an adapter of P parameters forward and
    its three gradients (2P + 4P); attention over what precedes it in its sequence, n/2 of width h in each layer,
    forward 4 and back 8. A learned token: the head forward, and back to its input.
    """
    config = base.model.config.get_text_config()
    layers = linear_layers(base.model)
    weights = sum(inputs * outputs for inputs, outputs in layers.values())
    total = 0.0
    for job in jobs:
        adapter = sum(job.rules.rank * (inputs + outputs) for inputs, outputs in layers.values())
        for example in job.examples:
            encoded = encode_example(base.tokenizer, example)
            tokens, learned = len(encoded.ids), sum(encoded.loss[1:])
            attention = 12 * config.num_hidden_layers * config.hidden_size * tokens / 2
            head = 4 * config.vocab_size * config.hidden_size * learned
            total += job.rules.epochs * (tokens * (4 * weights + 6 * adapter + attention) + head)
    return total


def matmul_peak(base: BaseModel) -> float:
    """Operations a second of large matrix products in the model's type: the best of twenty."""
    import torch

    size, best = 1024 if base.device.type == "cpu" else 8192, float("inf")
    one = torch.randn(size, size, device=base.device, dtype=base.model.dtype)
    for _ in range(20):
        began = time.perf_counter()
        one @ one
        if base.device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    return float(2 * size**3 / best)


def memory_of(path: Path, jobs: Sequence[TrainingJob], device: str) -> tuple[int, float]:
    """Bytes beside the base that training all jobs at once takes by the formula, and that it held at most."""
    base = load_base(str(path), device=device)
    formula = JobBatch.of(base, list(enumerate(jobs))).need().of(len(jobs))
    return formula, peak_memory(base, lambda: train_many(base, jobs))


def peak_memory(base: BaseModel, work: Callable[[], object]) -> float:
    """Bytes that the work holds at most, beyond what was held before."""
    import torch

    gc.collect()
    if base.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    import psutil

    process, seen, over = psutil.Process(), [0.0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not over.wait(0.005):
            seen[0] = max(seen[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    over.set()
    watcher.join()
    return seen[0]
