"""Runs of passages in a row on a real pretrained model: what is kept of each run and of all else, beside SEAL's way.

Usage: python -m benchmarks.real.lifetime --data squad_passages.json --benchmarks DIR [--runs 10] [--arms ...]
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import Measured, write_results
from benchmarks.learning.intervals import interval, mean
from benchmarks.real.exams import NAMES, Elsewhere, Grades, answer_logprobs, closed_book, read_choices
from benchmarks.real.lives import Life, OnwardLife, SealLife
from benchmarks.real.passages import items_of, plain_of, runs_of
from benchmarks.real.setting import Setting, read_setting
from pipeline.engines.base import BaseModel
from pipeline.types import Document

SEED = 72_002
ARMS: dict[str, type[Life] | type[SealLife]] = {"default": Life, "trained on": OnwardLife, "SEAL": SealLife}


@dataclass
class Lived:
    """One arm: each run's grades (by passage) when it was learned and after the last run so far, and its seconds.

    `unlearned`, `taught` and `held`: the log-probabilities of each run's answers before the first run, when the run was
    learned, and after the last one. They tell of what greedy answers of a small model, which flip easily, do not.
    `known`, `general` and `perplexity`: what is right of the retention suites and of public benchmarks, and of plain
    text, after each run.
    """

    learned: list[Grades] = field(default_factory=list)
    kept: list[Grades] = field(default_factory=list)
    unlearned: list[Grades] = field(default_factory=list)
    taught: list[Grades] = field(default_factory=list)
    held: list[Grades] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    general: list[float] = field(default_factory=list)
    perplexity: list[float] = field(default_factory=list)

    def measure(self, setting: Setting, elsewhere: Elsewhere, base: BaseModel, adapter: Path | None) -> None:
        """Adds what is right elsewhere with this adapter."""
        self.known.append(mean(closed_book(setting, setting.known, base, adapter)) if setting.known else 0.0)
        self.general.append(elsewhere.general(base, adapter))
        self.perplexity.append(elsewhere.perplexity(base, adapter))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON file of passages with questions")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of multiple-choice files")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--each", type=int, default=200, help="items of each public benchmark")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    choices = read_choices(options.benchmarks, NAMES, options.each)
    elsewhere = Elsewhere(choices=choices, plain=plain_of(options.data, SEED))
    runs = runs_of(options.data, SEED, options.runs)
    with tempfile.TemporaryDirectory(prefix="sealed-lifetime-") as folder:
        setting = read_setting(options.model)
        base = Lived()
        base.measure(setting, elsewhere, setting.base, None)
        lives: dict[str, Lived] = {}
        for name in options.arms:
            print(f"{name}:", flush=True)
            own = Path(folder) / name
            own.mkdir()
            for lived in _live(ARMS[name](setting, own), setting, runs, elsewhere):
                lives[name] = lived
                # After each run, since an arm takes hours.
                write_results("real.lifetime", list(_figures(base, lives)), options.out)


def _live(
    life: Life | SealLife, setting: Setting, runs: list[tuple[Document, ...]], elsewhere: Elsewhere
) -> Iterator[Lived]:
    """What is measured of the arm, after each run."""
    lived, asked = Lived(), [items_of(documents) for documents in runs]
    for number, documents in enumerate(runs, start=1):
        lived.unlearned.append(answer_logprobs(setting, asked[number - 1], setting.base, None))
        lived.seconds.append(life.learn(documents))
        lived.kept = [closed_book(setting, items, life.base, life.adapter) for items in asked[:number]]
        lived.held = [answer_logprobs(setting, items, life.base, life.adapter) for items in asked[:number]]
        lived.learned.append(lived.kept[-1])
        lived.taught.append(lived.held[-1])
        lived.measure(setting, elsewhere, life.base, life.adapter)
        print(
            f"run {number}, {lived.seconds[-1]:.0f} s: of each run's questions {_row(lived.kept)}, log-probability "
            f"{_row(lived.held)} (before {_row(lived.unlearned)}); surely known {lived.known[-1]:.3f}, benchmarks "
            f"{lived.general[-1]:.3f}, perplexity {lived.perplexity[-1]:.2f}",
            flush=True,
        )
        yield lived


def _row(runs: list[Grades]) -> str:
    return " ".join(f"{mean(run):.3g}" for run in runs)


def _figures(base: Lived, lives: dict[str, Lived]) -> Iterator[Measured]:
    for name, lived in lives.items():
        learned = [one for run in lived.learned for one in run]
        kept = [one for run in lived.kept for one in run]
        n = sum(map(len, learned))
        yield Measured(name=f"{name}: runs in a row", value=len(lived.seconds), unit="runs")
        yield Measured(
            name=f"{name}: recall of a run when it is learned", value=mean(learned), unit="share", n=n,
            interval=interval(learned),
        )  # fmt: skip
        yield Measured(
            name=f"{name}: recall of all runs after the last", value=mean(kept), unit="share", n=n,
            interval=interval(kept),
        )  # fmt: skip
        share = mean(kept) / mean(learned) if mean(learned) else 0.0
        yield Measured(name=f"{name}: kept of what was learned", value=share, unit="share", n=n, goal=">= 0.85",
                       met=share >= 0.85)  # fmt: skip
        before, taught, held = (
            [one for run in logprobs for one in run] for logprobs in (lived.unlearned, lived.taught, lived.held)
        )
        for when, logprobs in (("before", before), ("when it is learned", taught), ("after the last run", held)):
            yield Measured(name=f"{name}: log-probability of a run's answers {when}", value=mean(logprobs), unit="nats",
                           n=n, interval=interval(logprobs))  # fmt: skip
        gained = mean(taught) - mean(before)
        share = (mean(held) - mean(before)) / gained if gained > 0 else 0.0
        yield Measured(name=f"{name}: kept of what was learned, in log-probability", value=share, unit="share", n=n)
        for number, known in enumerate(lived.known, start=1):
            yield Measured(
                name=f"{name}: surely known over the base after run {number}", value=100 * (known - base.known[0]),
                unit="points",
            )  # fmt: skip
        change = 100 * (lived.general[-1] - base.general[0])
        yield Measured(
            name=f"{name}: public benchmarks over the base", value=change, unit="points", goal=">= -1.5",
            met=change >= -1.5,
        )  # fmt: skip
        worse = 100 * (lived.perplexity[-1] / base.perplexity[0] - 1)
        yield Measured(name=f"{name}: perplexity of plain text over the base", value=worse, unit="%")
        cost = lived.seconds[-1] / lived.seconds[0]
        yield Measured(name=f"{name}: seconds of the last run over the first", value=cost, unit="x", goal="<= 1.3",
                       met=cost <= 1.3)  # fmt: skip


if __name__ == "__main__":
    main()
