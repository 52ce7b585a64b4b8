"""One run of passages on a real pretrained model: every way of learning, over several seeds.

Usage: python -m benchmarks.real --data squad_passages.json --benchmarks DIR [--seeds 3] [--arms default ...]
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from benchmarks.figures import Measured, write_results
from benchmarks.learning.intervals import by_group, interval, mean
from benchmarks.real.arms import ARMS, Room, train
from benchmarks.real.exams import NAMES, Elsewhere, Exam, read_choices, replies
from benchmarks.real.passages import plain_of, run_of
from benchmarks.real.setting import Setting, read_setting
from benchmarks.real.writing import WritingScores, judged
from gates.statistics import mcnemar
from pipeline.types import Document

SEEDS = (71_001, 71_002, 71_003)
CLOSED, OPEN = "closed book", "open book"
PASSAGE_ONLY, DEFAULT = "passage only", "default"


@dataclass
class Arm:
    """An arm's scores over the seeds, passage by passage, and its costs elsewhere."""

    grades: list[list[float]] = field(default_factory=list)
    contained: list[float] = field(default_factory=list)
    general: list[float] = field(default_factory=list)
    perplexities: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    written: list[WritingScores] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class SeededRun:
    """What one seed draws: the run's documents, and what is measured elsewhere."""

    seed: int
    documents: tuple[Document, ...]
    elsewhere: Elsewhere


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON file of passages with questions")
    parser.add_argument("--benchmarks", type=Path, required=True, help="folder of multiple-choice files")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--each", type=int, default=200, help="items of each public benchmark")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    setting, choices = read_setting(options.model), read_choices(options.benchmarks, NAMES, options.each)
    arms: dict[str, Arm] = {}
    for seed in SEEDS[: options.seeds]:
        run = SeededRun(
            seed=seed,
            documents=run_of(options.data, seed),
            elsewhere=Elsewhere(choices=choices, plain=plain_of(options.data, seed)),
        )
        _one_seed(setting, run, options.arms, arms)
        write_results("real", list(_figures(arms)), options.out)


def _one_seed(setting: Setting, run: SeededRun, wanted: list[str], arms: dict[str, Arm]) -> None:
    exam = Exam(documents=run.documents, recipe=setting.recipe)
    for name, prompts in ((CLOSED, exam.closed()), (OPEN, exam.open())):
        _mark(arms, name, exam, replies(setting.base, prompts, None))
    _measure_elsewhere(setting, run, arms[CLOSED], None)
    with tempfile.TemporaryDirectory(prefix="sealed-real-") as folder:
        room = Room(
            base=setting.base,
            recipe=setting.recipe.model_copy(update={"seed": run.seed}),
            prompts=setting.prompts,
            documents=run.documents,
            cache=Path(folder),
        )
        for name in wanted:
            adapter = Path(folder) / name.replace(" ", "-")
            began = time.perf_counter()
            lesson = ARMS[name](room)
            written = time.perf_counter() - began
            tokens = train(setting.base, lesson, adapter, run.seed)
            spent = time.perf_counter() - began
            arm = _mark(arms, name, exam, replies(setting.base, exam.closed(), adapter))
            arm.tokens.append(tokens)
            arm.seconds.append(spent)
            if lesson.edits:
                arm.written.append(judged(run.documents, lesson.edits, lesson.dropped))
            _measure_elsewhere(setting, run, arm, adapter)
            dropped = ", ".join(f"{one.count} x {one.reason}" for one in lesson.dropped) or "nothing"
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(
                f"seed {run.seed}, {name}: recall {mean(arm.grades):.3f}, {len(lesson.examples)} examples, "
                f"{tokens} tokens, {written:.0f} s written, {spent:.0f} s in all, "
                f"perplexity {arm.perplexities[-1]:.2f}, general {arm.general[-1]:.3f}, {peak:.1f} GB; "
                f"dropped: {dropped}",
                flush=True,
            )


def _mark(arms: dict[str, Arm], name: str, exam: Exam, said: list[str]) -> Arm:
    arm = arms.setdefault(name, Arm())
    grades, contained = exam.graded(said)
    arm.grades += by_group(grades, exam.groups())
    arm.contained += contained
    return arm


def _measure_elsewhere(setting: Setting, run: SeededRun, arm: Arm, adapter: Path | None) -> None:
    arm.general.append(run.elsewhere.general(setting.base, adapter))
    arm.perplexities.append(run.elsewhere.perplexity(setting.base, adapter))


def _figures(arms: dict[str, Arm]) -> Iterator[Measured]:
    ceiling = mean(arms[OPEN].grades)
    before = arms[CLOSED]
    for name, arm in arms.items():
        goal, met = ("", None) if name != DEFAULT else (">= 0.85 of the open book", mean(arm.grades) >= 0.85 * ceiling)
        count = sum(map(len, arm.grades))
        yield Measured(
            name=f"recall: {name}", value=mean(arm.grades), unit="share", n=count, interval=interval(arm.grades),
            goal=goal, met=met,
        )  # fmt: skip
        yield Measured(name=f"containment: {name}", value=fmean(arm.contained), unit="share", n=count)
        yield Measured(name=f"share of the open book: {name}", value=mean(arm.grades) / ceiling, unit="share")
        if arm.tokens:
            yield Measured(name=f"tokens trained: {name}", value=fmean(arm.tokens), unit="tokens")
            yield Measured(name=f"seconds of writing and training: {name}", value=fmean(arm.seconds), unit="s")
            change = 100 * (fmean(arm.general) - fmean(before.general))
            yield Measured(
                name=f"public benchmarks: {name} over the base", value=change, unit="points", goal=">= -1",
                met=change >= -1,
            )  # fmt: skip
            worse = 100 * (fmean(arm.perplexities) / fmean(before.perplexities) - 1)
            yield Measured(
                name=f"perplexity of plain text: {name} over the base", value=worse, unit="%", goal="<= 2",
                met=worse <= 2,
            )  # fmt: skip
        if arm.written:
            yield from _of_writing(name, arm.written)
    if {PASSAGE_ONLY, DEFAULT} <= arms.keys():
        yield from _over_passages(arms[DEFAULT].grades, arms[PASSAGE_ONLY].grades)


def _over_passages(default: list[list[float]], passages: list[list[float]]) -> Iterator[Measured]:
    """What the default answers that the passages alone do not teach, question by question."""
    pairs = [pair for own, other in zip(default, passages, strict=True) for pair in zip(own, other, strict=True)]
    gained, lost = sum(own > other for own, other in pairs), sum(own < other for own, other in pairs)
    gain, chance = 100 * (gained - lost) / len(pairs), mcnemar(gained, lost)
    yield Measured(
        name="recall: default over passage only", value=gain, unit="points", n=len(pairs), goal=">= 15", met=gain >= 15
    )
    yield Measured(
        name="exact one-sided McNemar p: default over passage only", value=chance, unit="p", n=gained + lost,
        goal="< .01", met=chance < 0.01,
    )  # fmt: skip


def _of_writing(name: str, written: list[WritingScores]) -> Iterator[Measured]:
    examples = [count for one in written for count in one.examples]
    true = [right for one in written for right in one.true]
    covered = [found for one in written for found in one.covered]
    yield Measured(name=f"examples a passage: {name}", value=fmean(examples), unit="examples", n=len(examples))
    yield Measured(name=f"kept of what was written: {name}", value=fmean(one.kept for one in written), unit="share")
    if true:
        yield Measured(name=f"precision of written questions: {name}", value=fmean(true), unit="share", n=len(true))
    yield Measured(name=f"coverage of human answers: {name}", value=fmean(covered), unit="share", n=len(covered))


if __name__ == "__main__":
    main()
