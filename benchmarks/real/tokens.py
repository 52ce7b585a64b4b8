"""How recall grows with the tokens trained on a real pretrained model: one run's self-edits, by several epochs.

Usage: python -m benchmarks.real.tokens --data squad_passages.json [--epochs 3 5 10 20] [--seeds 1]

The recipe's epochs are one point of the curve. What is dealt out comes once in up to five epochs.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from benchmarks.figures import RESULTS, Measured, write_results
from benchmarks.learning.intervals import mean
from benchmarks.plots import draw_tokens
from benchmarks.real.__main__ import SEEDS
from benchmarks.real.arms import Room, default, train
from benchmarks.real.exams import Exam, Grades, exam_figures, examined, perplexity
from benchmarks.real.passages import plain_of, run_of
from benchmarks.real.setting import Setting, read_setting


@dataclass
class Point:
    """One number of epochs over the seeds. `logprobs`: of the accepted answers, which are steadier than grades."""

    tokens: list[int] = field(default_factory=list)
    grades: Grades = field(default_factory=list)
    logprobs: Grades = field(default_factory=list)
    perplexities: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON file of passages with questions")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--epochs", type=int, nargs="+", default=[3, 5, 10, 20])
    parser.add_argument("--seeds", type=int, default=1, choices=range(1, len(SEEDS) + 1))
    parser.add_argument("--out", type=Path, default=RESULTS / "real-tokens.json")
    options = parser.parse_args()
    setting, points = read_setting(options.model), {epochs: Point() for epochs in (0, *options.epochs)}
    for seed in SEEDS[: options.seeds]:
        _one_seed(setting, options.data, seed, points)
        write_results("real.tokens", list(_figures(points)), options.out)
    draw_tokens(options.out, options.out.with_suffix(".png"))


def _one_seed(setting: Setting, data: Path, seed: int, points: dict[int, Point]) -> None:
    """One lesson, trained from the base by each number of epochs; 0: the base as it is."""
    documents, plain = run_of(data, seed), [document.body for document in plain_of(data, seed)]
    exam = Exam(documents=documents, recipe=setting.recipe)
    with tempfile.TemporaryDirectory(prefix="sealed-tokens-") as folder:
        room = Room(
            base=setting.base,
            recipe=setting.recipe.model_copy(update={"seed": seed}),
            prompts=setting.prompts,
            documents=documents,
            cache=Path(folder),
        )
        lesson = default(room)
        for epochs, point in points.items():
            adapter = Path(folder) / f"epochs-{epochs}" if epochs else None
            rules = lesson.rules.model_copy(update={"epochs": epochs})
            point.tokens.append(train(setting.base, replace(lesson, rules=rules), adapter, seed) if adapter else 0)
            grades, logprobs = examined(setting, exam, adapter)
            point.grades += grades
            point.logprobs += logprobs
            point.perplexities.append(perplexity(setting.base, plain, adapter))
            print(
                f"seed {seed}, {epochs} epochs: {point.tokens[-1]} tokens, recall {mean(point.grades):.3f}, "
                f"log-probability {mean(point.logprobs):.3f}, perplexity {point.perplexities[-1]:.2f}",
                flush=True,
            )


def _figures(points: dict[int, Point]) -> Iterator[Measured]:
    base = fmean(points[0].perplexities)
    for epochs, point in points.items():
        name = f"{epochs} epochs"
        yield Measured(name=f"tokens trained: {name}", value=fmean(point.tokens), unit="tokens")
        yield from exam_figures(name, point.grades, point.logprobs)
        worse = 100 * (fmean(point.perplexities) / base - 1)
        yield Measured(name=f"perplexity of plain text over the base: {name}", value=worse, unit="%")


if __name__ == "__main__":
    main()
