"""Self-edits sampled 16 times a prompt: our engine in one call, and prompt by prompt, against transformers.

With `--model` a packaged model writes about a company's documents, by the recipe of pretrained models. All use
one loaded model, its cache, its end tokens and the recipe's settings, and take turns in one process, the order turning
too, on one thread, so that other work on the machine disturbs all of them alike. A ratio is of tokens per second within
one turn; its value is the median, its interval the median's by order statistics.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from scipy.stats import binom

from benchmarks.figures import RESULTS, Measured, write_results
from flows.demo.script import COMPANY_DOCUMENTS
from pipeline.chat import encode_prompt, stop_ids
from pipeline.documents import ingest, read_folder
from pipeline.engines.base import BaseModel, load_base
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.models.resolution import find_model
from pipeline.prompts import passage
from pipeline.recipe import Recipe, SelfEditRules, pretrained_recipe
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents
from pipeline.self_edits.style import style
from pipeline.types import Document

# Disjoint from every seed that tests, the demo, other benchmarks and the choice of defaults use.
SEED = 41_007
DOCUMENTS = 8
SAMPLES = 16
GOAL = 3.0
_FEWEST = 6  # values whose order gives an interval of 95 %


@dataclass(frozen=True)
class Turn:
    """One way's work: tokens written and the seconds that took."""

    tokens: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two turns")
    parser.add_argument("--turns", type=int, default=7, choices=range(1, 101), metavar="N")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, choices=range(1, DOCUMENTS + 1), metavar="N")
    parser.add_argument("--model", help="a packaged model instead of the embedded one")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = find_model(options.model).folder if options.model else model_path()
    base = load_base(str(folder), device="cpu")
    rules = pretrained_recipe().self_edits if options.model else Recipe.read(folder / "sealed/recipe.toml").self_edits
    documents = _company_documents() if options.model else run_documents(1, DOCUMENTS, SEED)
    prompts = _prompts(rules, documents[: options.documents])
    ways = _ways(base, prompts, rules)
    for work in _ways(base, prompts[:1], rules).values():
        work(0)  # what is slow once is slow before the first turn
    turns = [_turn(base, ways, number) for number in range(1, (2 if options.quick else options.turns) + 1)]
    out = options.out or (RESULTS / f"sampling-{options.model}.json" if options.model else None)
    write_results("sampling", [*_figures(turns), *_same(base, prompts, rules)], out)


def _company_documents() -> tuple[Document, ...]:
    """The eight of the real demo's first run."""
    rules = pretrained_recipe().documents
    return ingest(read_folder(COMPANY_DOCUMENTS / "run-1", rules.max_bytes), rules).accepted


def _prompts(rules: SelfEditRules, documents: Sequence[Document]) -> list[str]:
    """Self-edit prompts of the documents in each of the recipe's styles."""
    return [style(name).prompt(passage(each.title, each.body)) for name in rules.styles for each in documents]


def _ways(base: BaseModel, prompts: Sequence[str], rules: SelfEditRules) -> dict[str, Callable[[int], list[str]]]:
    def one_call(seed: int) -> list[str]:
        return _sampled(base, prompts, rules, seed)

    def one_by_one(seed: int) -> list[str]:
        return [text for prompt in prompts for text in _sampled(base, [prompt], rules, seed)]

    def transformers(seed: int) -> list[str]:
        return [text for prompt in prompts for text in _generated(base, prompt, rules, seed)]

    return {"one call": one_call, "one by one": one_by_one, "transformers": transformers}


def _sampled(base: BaseModel, prompts: Sequence[str], rules: SelfEditRules, seed: int) -> list[str]:
    answers = LocalEngine(base).generate(
        prompts,
        SamplingParams(
            max_new_tokens=rules.max_new_tokens,
            temperature=rules.temperature,
            top_p=rules.top_p,
            samples=SAMPLES,
            seed=seed,
        ),
        adapter=None,
    )
    return [text for texts in answers for text in texts]


def _generated(base: BaseModel, prompt: str, rules: SelfEditRules, seed: int) -> list[str]:
    """Transformers' own sampling, which copies the prompt's row and prefills each copy."""
    torch.manual_seed(seed)
    ids = torch.tensor([encode_prompt(base.tokenizer, prompt)])
    with torch.inference_mode():
        out = base.model.generate(
            ids,
            temperature=rules.temperature,
            top_p=rules.top_p,
            max_new_tokens=rules.max_new_tokens,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            top_k=0,
            num_return_sequences=SAMPLES,
            use_cache=True,
            eos_token_id=sorted(stop_ids(base.tokenizer, base.model)),
            pad_token_id=base.tokenizer.pad_token_id,
        )
    return list(base.tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True))


def _turn(base: BaseModel, ways: dict[str, Callable[[int], list[str]]], number: int) -> dict[str, Turn]:
    names = list(ways)
    found: dict[str, Turn] = {}
    for name in names[number % len(names) :] + names[: number % len(names)]:
        begun = time.perf_counter()
        texts = ways[name](number)
        seconds = time.perf_counter() - begun
        found[name] = Turn(tokens=_tokens(base, texts), seconds=seconds)
    print(
        f"turn {number}: " + ", ".join(f"{name} {turn.rate:,.0f} tokens/s" for name, turn in found.items()), flush=True
    )
    return found


def _tokens(base: BaseModel, texts: Sequence[str]) -> int:
    return sum(len(base.tokenizer.encode(text, add_special_tokens=False)) for text in texts)


def _figures(turns: Sequence[dict[str, Turn]]) -> Iterator[Measured]:
    for name, versus in (("one call", "transformers"), ("one by one", "transformers"), ("one call", "one by one")):
        ratios = [turn[name].rate / turn[versus].rate for turn in turns]
        goal = f">= {GOAL:g}" if (name, versus) == ("one call", "transformers") else ""
        yield Measured(
            name=f"{name} / {versus}{_ranged(ratios)}",
            value=median(ratios),
            unit="x",
            goal=goal,
            n=len(ratios),
            interval=_interval(ratios),
            met=median(ratios) >= GOAL if goal else None,
        )
    for name in turns[0]:
        rates = [turn[name].rate for turn in turns]
        yield Measured(
            name=name + _ranged(rates), value=median(rates), unit="tokens/s", n=len(rates), interval=_interval(rates)
        )
    lengths = [turn["one call"].tokens / turn["transformers"].tokens for turn in turns]
    yield Measured(name="tokens written, one call / transformers", value=median(lengths), unit="x", n=len(lengths))


def _ranged(values: Sequence[float]) -> str:
    return " (range)" if len(values) < _FEWEST else ""


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """The median's distribution-free 95 % interval by order statistics; the whole range below six values."""
    ordered = sorted(values)
    cut = max(0, int(binom.ppf(0.025, len(ordered), 0.5)) - 1)
    return ordered[cut], ordered[-1 - cut]


def _same(base: BaseModel, prompts: Sequence[str], rules: SelfEditRules) -> Iterator[Measured]:
    from pipeline.engines import local

    first, again, other = (_sampled(base, prompts, rules, seed) for seed in (SEED, SEED, SEED + 1))
    rows, local._MAX_ROWS = local._MAX_ROWS, SAMPLES  # a prompt a batch
    batched = _sampled(base, prompts, rules, SEED)
    local._MAX_ROWS = rows
    for name, texts in (("same seed, same notes", again), ("same seed, same notes in other batches", batched)):
        share = sum(a == b for a, b in zip(first, texts, strict=True)) / len(first)
        yield Measured(name=name, value=share, unit="share", goal="= 1", n=len(first), met=share == 1.0)
    changed = sum(a != b for a, b in zip(first, other, strict=True)) / len(first)
    yield Measured(name="another seed, other notes", value=changed, unit="share", n=len(first))


if __name__ == "__main__":
    main()
