"""Corrections through the whole product: a run that changes known facts, and a run after it.

Eight corrections and eight new documents a run, by the nightly flow with its gates and an approval; then eight more
new documents, because later rehearsal could bring the old answers back. The base knows the old facts by heart.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Measured
from benchmarks.learning.intervals import by_group, interval, mean
from benchmarks.learning.plots import Bar, bar_panels
from benchmarks.learning.task import Task
from benchmarks.shortened import shorten
from flows.cli.runs import run_nightly
from flows.services import review
from flows.services.initialisation import init_workspace
from flows.wiring import Workspace
from gates.evidence import held_out_items
from gates.suite import read_suites
from pipeline.engines.engine import SamplingParams
from pipeline.grading import grade
from pipeline.sandbox import model_path
from pipeline.sandbox.catalogue import ATTRIBUTES, Attribute, Service, correctable_services
from pipeline.sandbox.documents import run_documents, write_runs
from pipeline.types import Document, EvalItem, Verdict

SEEDS = (64_061, 64_062, 64_063)  # of no test, demo or choice
PER_RUN = 8
NEW, OLD, SUBJECT, SIMILAR, WORLD = "new answer", "old answer", "same subject", "similar subjects", "base knowledge"
STAGES = ("before", "after the corrections", "a run later")

Questions = Mapping[str, tuple[EvalItem, ...]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One seed: each kind's scores at each stage, item by item, and what the gate said of the corrections."""

    seed: int
    questions: Questions
    scores: tuple[Mapping[str, tuple[float, ...]], ...]
    verdict: Verdict
    sentence: str


def run(task: Task) -> None:
    runs = [_run(seed, task.quick) for seed in (SEEDS[:1] if task.quick else SEEDS)]
    task.write("corrections", list(figures(runs)))
    _draw(runs, task)


def _run(seed: int, quick: bool) -> Run:
    with tempfile.TemporaryDirectory(prefix="sealed-corrections-") as name:
        folder = Path(name)
        workspace = init_workspace(folder / "workspace", str(model_path()), actor="benchmark")
        if quick:
            shorten(folder / "workspace")
        questions = questions_of(run_documents(1, PER_RUN, seed, "corrections"), workspace)
        scores = [_asked(workspace, None, questions)]
        first = _write(folder, seed)
        for number, documents in enumerate((first, folder / "new" / "run-2"), start=1):
            outcome = run_nightly(folder / "workspace", documents)
            print(f"seed {seed}, run {number}: {outcome.sentence}", flush=True)
            update = workspace.ledger.runs.get(outcome.run or number).update
            scores.append(_asked(workspace, workspace.folder_of(update or ""), questions))
            if outcome.release is None:
                break
            review.approve(workspace, outcome.release, actor="benchmark-reviewer", note="measured")
        report = workspace.ledger.reports.get(workspace.ledger.runs.get(1).report or "")
        workspace.ledger.close()
    gate = next(result for result in report.results if result.gate == "corrections")
    print(gate.sentence, flush=True)
    return Run(seed=seed, questions=questions, scores=tuple(scores), verdict=gate.verdict, sentence=gate.sentence)


def _write(folder: Path, seed: int) -> Path:
    """Two runs of new documents below "new", the first with the corrections beside them; the first's folder."""
    write_runs(folder / "new", runs=2, per_run=PER_RUN, seed=seed, variant=None)
    (corrections,) = write_runs(folder / "corrections", runs=1, per_run=PER_RUN, seed=seed, variant="corrections")
    for file in corrections:
        shutil.copy(file, folder / "new" / "run-1" / f"correction-{file.name}")
    return folder / "new" / "run-1"


def questions_of(corrections: Sequence[Document], workspace: Workspace) -> Questions:
    """The test of the corrections with new and with old answers, and what lies beside and around them."""
    services = {service.name: service for service in correctable_services()}
    test = held_out_items(corrections)
    titles = {document.title for document in corrections}
    return {
        NEW: test,
        OLD: tuple(_with_old_answer(eval_item, services[eval_item.group]) for eval_item in test),
        SUBJECT: tuple(
            eval_item for document in corrections for eval_item in _beside(document, services[document.title])
        ),
        SIMILAR: tuple(
            _item(one.questions[0], one, service)
            for service in services.values()
            if service.name not in titles
            for one in ATTRIBUTES
        ),
        WORLD: tuple(
            eval_item for suite in read_suites(workspace.settings.suites).retention for eval_item in suite.eval_items
        ),
    }


def _with_old_answer(eval_item: EvalItem, service: Service) -> EvalItem:
    form, attribute = next(
        (form, one) for one in ATTRIBUTES for form in one.questions if form.format(n=service.name) == eval_item.question
    )
    return _item(form, attribute, service)


def _beside(document: Document, service: Service) -> Iterator[EvalItem]:
    """Every wording of the subject's facts that the correction leaves alone."""
    corrected = {eval_item.question for eval_item in document.eval_items}
    for one in ATTRIBUTES:
        own = [_item(form, one, service) for form in one.questions]
        if corrected.isdisjoint(eval_item.question for eval_item in own):
            yield from own


def _item(form: str, attribute: Attribute, service: Service) -> EvalItem:
    answer = service.facts[attribute.name]
    return EvalItem(question=form.format(n=service.name), answers=(answer,), group=service.name)


def _asked(workspace: Workspace, adapter: Path | None, questions: Questions) -> dict[str, tuple[float, ...]]:
    limit = workspace.recipe.policy.max_answer_tokens
    found = {}
    for kind, eval_items in questions.items():
        texts = [eval_item.question for eval_item in eval_items]
        answers = workspace.engine.generate(texts, SamplingParams(max_new_tokens=limit), adapter=adapter)
        found[kind] = tuple(
            grade(answer, eval_item.answers, eval_item.question)
            for (answer,), eval_item in zip(answers, eval_items, strict=True)
        )
    return found


def figures(runs: Sequence[Run]) -> Iterator[Measured]:
    """Shares at each stage, and the neighbours' changes since the base, paired."""
    for stage, name in enumerate(STAGES):
        known = [run for run in runs if len(run.scores) > stage]
        for kind in (NEW, OLD) if known else ():
            clusters = _clusters(known, kind, stage)
            share, goal, met = mean(clusters), "", None
            if stage == 1:
                goal, met = (">= 0.95", share >= 0.95) if kind == NEW else ("<= 0.02", share <= 0.02)
            yield Measured(
                name=f"{kind}, {name}",
                value=share,
                unit="share",
                n=sum(map(len, clusters)),
                interval=interval(clusters),
                goal=goal,
                met=met,
            )
        for kind in (SUBJECT, SIMILAR, WORLD) if known and stage else ():
            yield _change(known, kind, stage, name)
    passed = [run.verdict is Verdict.PASS for run in runs]
    yield Measured(
        name="runs whose corrections passed the gate", value=sum(passed) / len(runs), unit="share", n=len(runs)
    )


def _change(runs: Sequence[Run], kind: str, stage: int, name: str) -> Measured:
    before, after = _clusters(runs, kind, 0), _clusters(runs, kind, stage)
    changes = [
        [100 * (late - early) for early, late in zip(one, other, strict=True)]
        for one, other in zip(before, after, strict=True)
    ]
    goal, met = (">= -1", mean(changes) >= -1.0) if stage == 1 and kind != WORLD else ("", None)
    return Measured(
        name=f"{kind}, {name}, change",
        value=mean(changes),
        unit="points",
        n=sum(map(len, changes)),
        interval=interval(changes),
        goal=goal,
        met=met,
    )


def _clusters(runs: Sequence[Run], kind: str, stage: int) -> list[list[float]]:
    return [
        scores
        for run in runs
        for scores in by_group(run.scores[stage][kind], [eval_item.group for eval_item in run.questions[kind]])
    ]


def _draw(runs: Sequence[Run], task: Task) -> None:
    kinds = (NEW, OLD, SUBJECT, SIMILAR, WORLD)
    stages = [stage for stage in range(len(STAGES)) if all(len(run.scores) > stage for run in runs)]
    bars = []
    for kind in kinds:
        found = [_clusters(runs, kind, stage) for stage in stages]
        bars.append(Bar(label=kind, shares=tuple(map(mean, found)), intervals=tuple(interval(one) for one in found)))
    bar_panels([STAGES[stage] for stage in stages], bars, "Corrections, closed-book (%)", task.plot("corrections"))
