"""One run, every arm: what the base answers, what each way of learning teaches, and what it erases.

Also on another base and other passages (`--model`, `--data`): then base knowledge is measured only where the model
brings a suite of it.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Measured
from benchmarks.learning import arms
from benchmarks.learning.classroom import Classroom
from benchmarks.learning.exams import Sat, sit
from benchmarks.learning.intervals import by_group, interval, mean
from benchmarks.learning.plots import Bar, bar_panels
from benchmarks.learning.task import Task
from benchmarks.learning.writer import trained_writer
from pipeline.documents import clean_text
from pipeline.engines.base import load_base
from pipeline.sandbox import model_path
from pipeline.sandbox.documents import run_documents
from pipeline.types import Document, EvalItem

SEEDS = (61_020, 61_021, 61_022)  # of no test, demo or choice; what was chosen was chosen on 1001 and 1002
DOCUMENTS = 16
BEFORE, CEILING_SHARE = 0.10, 0.90  # the goals: at most, and at least of the open book

Clusters = list[list[float]]


class Marks:
    """Every arm's scores over the runs, document by document and old fact by old fact."""

    def __init__(self) -> None:
        self.test: dict[str, Clusters] = {}
        self.base_knowledge: dict[str, Clusters] = {}

    def add(self, room: Classroom, name: str, sat: Sat) -> None:
        self.test.setdefault(name, []).extend(by_group(sat.test, [eval_item.group for eval_item in room.test]))
        old = by_group(sat.base_knowledge, [eval_item.group or eval_item.id for eval_item in room.base_knowledge])
        self.base_knowledge.setdefault(name, []).extend(old)


def run(task: Task) -> None:
    part = "passages" if task.data else "one_run"
    marks = Marks()
    with tempfile.TemporaryDirectory(prefix="sealed-learning-") as folder:
        for room in _rooms(task, Path(folder)):
            began = time.perf_counter()
            for name, sat in sit(room, (arms.CLOSED, *task.arms) if task.arms else arms.arms_of(room)):
                marks.add(room, name, sat)
                print(f"seed {room.recipe.seed}, {name}: {mean(by_group(sat.test, ['all'] * len(sat.test))):.3f}")
            print(f"seed {room.recipe.seed}: {time.perf_counter() - began:.0f} s", flush=True)
    task.write(part, list(figures(marks, goals=not task.data)))
    _draw(marks, task, part)


def _rooms(task: Task, folder: Path) -> Iterator[Classroom]:
    base = load_base(task.model or str(model_path()), device="auto" if task.model else "cpu")
    if task.data:
        yield Classroom.of(base, read_passages(task.data, task.count), seed=SEEDS[0], cache=folder)
        return
    seeds, count = (SEEDS[:1], 4) if task.quick else (SEEDS, DOCUMENTS)
    practises = not task.arms or arms.WRITER_TRAINING in task.arms
    trained = trained_writer(base, folder / "writers", quick=task.quick) if practises else None
    for seed in seeds:
        yield Classroom.of(base, run_documents(1, count, seed), seed=seed, cache=folder, trained=trained)


def read_passages(data: Path, count: int) -> tuple[Document, ...]:
    """The first `count` passages with all their questions as held_out."""
    return tuple(
        Document(
            title=clean_text(passage["title"]),
            body=clean_text(passage["context"]),
            eval_items=tuple(
                EvalItem(question=clean_text(one["question"]), answers=(clean_text(one["answer"]),))
                for one in passage["questions"]
            ),
        )
        for passage in json.loads(data.read_text(encoding="utf-8"))[:count]
    )


def figures(marks: Marks, *, goals: bool) -> Iterator[Measured]:
    """Recall and base knowledge of every arm, each paired with the default recipe, and both writers of implications."""
    shares = {name: mean(clusters) for name, clusters in marks.test.items()}
    for name, clusters in marks.test.items():
        goal, met = "", None
        if goals and name == arms.CLOSED:
            goal, met = f"<= {BEFORE:.2f}", shares[name] <= BEFORE
        if goals and name == arms.DEFAULT and arms.OPEN in shares:
            ceiling = CEILING_SHARE * shares[arms.OPEN]
            goal, met = f">= {CEILING_SHARE:.2f} x open book = {ceiling:.3f}", shares[name] >= ceiling
        yield Measured(
            name=f"recall: {name}",
            value=shares[name],
            unit="share",
            n=sum(map(len, clusters)),
            interval=interval(clusters),
            goal=goal,
            met=met,
        )
    for name, clusters in marks.test.items():
        if name != arms.DEFAULT and arms.DEFAULT in shares:
            yield _paired(f"recall: {arms.DEFAULT} over {name}", clusters, marks.test[arms.DEFAULT])
    if {arms.IMPLICATIONS, arms.WRITER_TRAINING} <= shares.keys():
        usual, practised = marks.test[arms.IMPLICATIONS], marks.test[arms.WRITER_TRAINING]
        yield _paired(f"recall: {arms.WRITER_TRAINING} over {arms.IMPLICATIONS}", usual, practised)
    if any(marks.base_knowledge.values()):
        for name, clusters in marks.base_knowledge.items():
            yield Measured(
                name=f"base knowledge: {name}",
                value=mean(clusters),
                unit="share",
                n=sum(map(len, clusters)),
                interval=interval(clusters),
            )
        for name in (name for name in marks.base_knowledge if name not in arms.PROMPTED):
            yield _paired(
                f"base knowledge: {name} over the base", marks.base_knowledge[arms.CLOSED], marks.base_knowledge[name]
            )


def _paired(name: str, before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> Measured:
    """The change in points, item by item, resampled by document."""
    changes = [
        [100 * (late - early) for early, late in zip(one, other, strict=True)]
        for one, other in zip(before, after, strict=True)
    ]
    return Measured(name=name, value=mean(changes), unit="points", n=sum(map(len, changes)), interval=interval(changes))


def _draw(marks: Marks, task: Task, part: str) -> None:
    kinds = [marks.test, *([marks.base_knowledge] if any(marks.base_knowledge.values()) else [])]
    panels = ["the run's test", "base knowledge, unrehearsed"][: len(kinds)]
    bars = [
        Bar(
            label=name,
            shares=tuple(mean(kind[name]) for kind in kinds),
            intervals=tuple(interval(kind[name]) for kind in kinds),
        )
        for name in marks.test
    ]
    bar_panels(panels, bars, "One run, closed-book after each arm (%)", task.plot(part))
