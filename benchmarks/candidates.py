"""K candidates trained and scored: all at once, one after another with PEFT, and by SEAL's own procedure.

A candidate is one document's self-edits as the embedded model writes them, trained as an adapter of its own and asked
the document's questions closed-book. All three do the whole of it, in alternating runs in one process. `--device cuda`
takes a random model of the shape of Qwen2.5-0.5B in bfloat16 instead.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.figures import Measured, write_results
from benchmarks.peers import peft_alone, seal
from benchmarks.peers.random_model import LLAMA_100M, QWEN_HALF_B, make_random_model
from benchmarks.roofline import matmul_peak, memory_of, operations
from pipeline.chat import encode_example
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.recipe import Recipe, TrainingRules
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents
from pipeline.self_edits import WriterContext, write_self_edits
from pipeline.training import TrainingJob, score_many, train_many
from pipeline.types import Checkpoint, Document, EvalItem, Example, ModelRef

SEED = 50_031  # of no test, demo or choice of a default
K = 16
# PEFT and TRL count all tokens of a step alike.
RULES = TrainingRules(rank=32, alpha=32, learning_rate=2e-3, epochs=10, batch_size=4, loss_reduction="tokens")
ANSWER_TOKENS = 16
SEAL_STEPS, SEAL_PROMPTS = 12, 4


@dataclass(frozen=True, kw_only=True)
class EditSet:
    """What one candidate trains on and is asked."""

    job: TrainingJob
    eval_items: tuple[EvalItem, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Seconds for all candidates, their mean score, and the tokens of their sequences."""

    seconds: float
    score: float
    tokens: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer candidates, epochs and repeats")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    quiet()
    candidates = _candidates(4 if options.quick else K)
    if options.quick:
        candidates = [_shorter(candidate) for candidate in candidates]
    with tempfile.TemporaryDirectory(prefix="sealed-candidates-") as folder:
        on_card = options.device != "cpu"
        path = make_random_model(Path(folder) / "model", QWEN_HALF_B) if on_card else model_path()
        base = load_base(str(path), device=options.device)
        figures = list(_side_by_side(base, candidates, repeats=1 if options.quick else 3, on_card=on_card))
        figures += _growth(base, candidates[:4] if options.quick else candidates)
        large = path if on_card else make_random_model(Path(folder) / "large", LLAMA_100M)
        figures += _memory(large, [_few(one) for one in candidates], options.device)
    write_results("candidates-cuda" if on_card else "candidates", figures, options.out)


def _candidates(count: int) -> list[EditSet]:
    """One a document: what the embedded model wrote about it by its recipe, and the document's test questions."""
    recipe = Recipe.read(model_path() / "sealed" / "recipe.toml")
    base = load_base(str(model_path()), device="cpu")
    documents = run_documents(1, count, SEED)
    writer = Checkpoint(ModelRef(base=base.identity.model))
    context = WriterContext(engine=LocalEngine(base), rules=recipe.self_edits, writer=writer, seed=SEED)
    written = write_self_edits(context, documents)
    return [_candidate(document, written.edits) for document in documents]


def _candidate(document: Document, edits: Sequence[Any]) -> EditSet:
    mine = {example.id: example for edit in edits if edit.document == document.id for example in edit.examples}
    examples = tuple(mine[key] for key in sorted(mine))
    return EditSet(job=TrainingJob(examples=examples, rules=RULES, seed=1), eval_items=document.eval_items)


def _shorter(candidate: EditSet) -> EditSet:
    rules = RULES.model_copy(update={"epochs": 3})
    return replace(candidate, job=replace(candidate.job, rules=rules, examples=candidate.job.examples[:16]))


def _few(candidate: EditSet) -> EditSet:
    """Two steps, for the memory of a large model."""
    rules = RULES.model_copy(update={"epochs": 2})
    return replace(candidate, job=replace(candidate.job, rules=rules, examples=candidate.job.examples[:4]))


def _side_by_side(base: BaseModel, candidates: list[EditSet], *, repeats: int, on_card: bool) -> Iterator[Measured]:
    contenders: dict[str, Callable[[], Run]] = {
        "all at once": lambda: _at_once(base, candidates),
        "PEFT, one by one, padded to a batch's longest": lambda: _peft(base, candidates, flat=False),
        "PEFT, one by one, without padding": lambda: _peft(base, candidates, flat=True),
    }
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()  # warms up
    for number in range(repeats):
        for name, run in contenders.items():
            runs[name].append(run())
            print(f"run {number + 1}, {name}: {runs[name][-1]}", flush=True)
    seals = [seconds for _ in range(repeats) for seconds in [_seal(base, candidates)]]
    print(f"SEAL's procedure, seconds extrapolated from {SEAL_STEPS} steps: {seals}", flush=True)
    k = len(candidates)
    for name, made in runs.items():
        yield _spread(f"{name}: K = {k} trained and scored", [run.seconds for run in made], "s")
    yield _spread(f"SEAL's procedure: K = {k}, from {SEAL_STEPS} steps", seals, "s")
    ours = [run.seconds for run in runs["all at once"]]
    for name, goal in zip(list(runs)[1:], (8.0 if on_card else 2.5, None), strict=True):
        yield _ratio(f"{name} / all at once", [run.seconds for run in runs[name]], ours, goal)
    yield _ratio("SEAL's procedure / all at once", seals, ours, None if on_card else 50.0)
    for name, made in runs.items():
        yield Measured(name=f"{name}: mean score", value=fmean(run.score for run in made), unit="share", n=len(made))
    speeds = [run.tokens / run.seconds for run in runs["all at once"]]
    yield _spread("all at once: tokens of sequences, scoring counted", speeds, "tokens/s")


def _at_once(base: BaseModel, candidates: Sequence[EditSet]) -> Run:
    began = time.perf_counter()
    learned = train_many(base, [candidate.job for candidate in candidates])
    scores = score_many(
        base,
        [one.tensors for one in learned],
        [candidate.eval_items for candidate in candidates],
        candidates[0].job.rules,
        max_new_tokens=ANSWER_TOKENS,
    )
    seconds = time.perf_counter() - began
    return Run(seconds=seconds, score=fmean(map(fmean, scores)), tokens=sum(one.tokens for one in learned))


def _peft(base: BaseModel, candidates: Sequence[EditSet], *, flat: bool) -> Run:
    """The same batches by PEFT alone; `flat`: in one row of tokens, which takes the library's packed attention."""
    began, scores, tokens = time.perf_counter(), [], 0
    for candidate in candidates:
        rules = candidate.job.rules
        encoded = [encode_example(base.tokenizer, example) for example in candidate.job.examples]
        made = peft_alone.train(
            base,
            encoded,
            rank=rules.rank,
            alpha=rules.alpha,
            learning_rate=rules.learning_rate,
            epochs=rules.epochs,
            batch_size=rules.batch_size,
            warmup=rules.warmup,
            clip_norm=rules.clip_norm,
            seed=candidate.job.seed,
            flat=flat,
        )
        questions = [eval_item.question for eval_item in candidate.eval_items]
        answers = peft_alone.answer(base, made, questions, max_new_tokens=ANSWER_TOKENS)
        right = [
            grade(answer, eval_item.answers, eval_item.question)
            for answer, eval_item in zip(answers, candidate.eval_items, strict=True)
        ]
        scores.append(fmean(map(float, right)))
        tokens += made.tokens
    return Run(seconds=time.perf_counter() - began, score=fmean(scores), tokens=tokens)


def _seal(base: BaseModel, candidates: Sequence[EditSet]) -> float:
    """Seconds that SEAL's procedure would take for all candidates, from some steps of the first."""
    total = 0.0
    for number, candidate in enumerate(candidates):
        encoded = [encode_example(base.tokenizer, example) for example in candidate.job.examples]
        if number == 0:
            questions = [eval_item.question for eval_item in candidate.eval_items]
            made = seal.measure(base, encoded, questions, seed=1, steps=SEAL_STEPS, answered=SEAL_PROMPTS)
        steps, prompts = seal.EPOCHS * len(encoded), len(candidate.eval_items)
        total += steps * made.seconds_per_step + prompts * made.seconds_per_prompt + made.wrapping_seconds
    return total


def _growth(base: BaseModel, candidates: Sequence[EditSet]) -> Iterator[Measured]:
    """What a token of training costs as K, the rank and the length of the sequences grow, and its share of the peak."""
    jobs = [replace(one.job, rules=RULES.model_copy(update={"epochs": 2})) for one in candidates]
    peak = matmul_peak(base)
    yield Measured(name="matrix products of 1024 x 1024 x 1024, the peak", value=peak / 1e9, unit="GFLOP/s")
    all_of_them = f"K = {len(jobs)}"
    for k in (1, 2, 4, 8, 16)[: len(jobs)]:
        yield from _cost(base, jobs[:k], f"K = {k}", peak)
    for rank in (8, 16, 64):
        rules = RULES.model_copy(update={"epochs": 2, "rank": rank, "alpha": rank})
        yield from _cost(base, [replace(one, rules=rules) for one in jobs], f"{all_of_them}, rank {rank}", peak)
    for words in (32, 128, 512):
        text = Example(prompt="", completion="the team " * (words // 2))
        long = [replace(one, examples=(text,) * 8) for one in jobs]
        yield from _cost(base, long, f"{all_of_them}, sequences of {words} tokens, all learned", peak)


def _cost(base: BaseModel, jobs: Sequence[TrainingJob], name: str, peak: float) -> Iterator[Measured]:
    """Microseconds a token, and the share of the peak that the operations counted by hand make of it."""
    taken, learned = [], train_many(base, jobs)
    for _ in range(3):
        began = time.perf_counter()
        learned = train_many(base, jobs)
        taken.append(time.perf_counter() - began)
    tokens, seconds = sum(one.tokens for one in learned), median(taken)
    share = operations(base, jobs) / seconds / peak
    yield Measured(name=f"a token of training, {name}", value=1e6 * seconds / tokens, unit="us", n=len(taken))
    yield Measured(name=f"share of the peak, {name}", value=share, unit="share", n=len(taken))


def _memory(path: Path, candidates: Sequence[EditSet], device: str) -> Iterator[Measured]:
    """The peak beside the base, by the formula of `pipeline.training.memory` and as it was, in a process of its own."""
    jobs = [candidate.job for candidate in candidates]
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        formula, peak = fresh.submit(memory_of, path, jobs, device).result()
    yield Measured(name=f"K = {len(jobs)}: memory beside the base, by the formula", value=formula / 1e9, unit="GB")
    yield Measured(
        name=f"K = {len(jobs)}: memory beside the base, measured",
        value=peak / 1e9,
        unit="GB",
        goal="within 20 % of the formula",
        met=abs(peak - formula) <= 0.2 * formula,
    )


def _spread(name: str, values: Sequence[float], unit: str) -> Measured:
    return Measured(
        name=f"{name} (range)", value=median(values), unit=unit, n=len(values), interval=(min(values), max(values))
    )


def _ratio(name: str, theirs: Sequence[float], ours: Sequence[float], goal: float | None) -> Measured:
    ratios = [other / our for other, our in zip(theirs, ours, strict=True)]
    return Measured(
        name=f"{name} (range)",
        value=median(ratios),
        unit="times",
        n=len(ratios),
        interval=(min(ratios), max(ratios)),
        goal=f">= {goal}" if goal else "",
        met=median(ratios) >= goal if goal else None,
    )


def quiet() -> None:
    """No progress bars of the libraries, and no hub."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers.utils import logging

    logging.disable_progress_bar()


if __name__ == "__main__":
    main()
