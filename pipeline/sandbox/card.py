"""Measures a sandbox model on what it must and must not know, and writes its card. Knows no training."""

import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from pipeline.digests import seed_from
from pipeline.engines import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade, grade_opening
from pipeline.prompts import open_book, passage
from pipeline.sandbox import kit, workflows
from pipeline.sandbox.catalogue import body, held_out_services, lesson_service
from pipeline.sandbox.documents import run_documents
from pipeline.sandbox.notes import FACT_STYLES, SETTINGS_STYLE, coverage
from pipeline.sandbox.skills import SKILLS, exercises
from pipeline.types import Document, EvalItem

SEED = 65_535  # the last seed of documents; it chose nothing in the training


@dataclass(frozen=True)
class CardFigure:
    """A measured share in [0, 1] over `n` items, with the bounds it must keep."""

    name: str
    value: float
    n: int
    low: float = 0.0
    high: float = 1.0

    @property
    def met(self) -> bool:
        return self.low <= self.value <= self.high


def measure(engine: LocalEngine) -> tuple[CardFigure, ...]:
    """All figures of the card: a few thousand short greedy answers and some hundred sampled notes."""
    documents = [*run_documents(1, 40, SEED)]
    contrary = [*run_documents(1, 16, SEED, "contradictory")]
    return (
        _figure("open book, unseen documents", _open_book(engine, documents), low=0.98),
        _figure("open book, documents that contradict the base knowledge", _open_book(engine, contrary), low=0.98),
        _figure("closed book, unseen documents", _closed_book(engine, _items(documents)), high=0.08),
        _figure("closed book, base knowledge", _base_knowledge(engine), low=0.95),
        *(_figure(f"skill: {name}", _skill(engine, name), low=0.9) for name in SKILLS),
        _figure("skill: last word of a text", _last_words(engine), low=0.85),
        _figure("refusals", _refusals(engine), low=0.95),
        *_writing(engine, documents[:24]),
        _figure("directives that can be read", _directives(engine, documents), low=0.9),
        _figure("workflows in context, compositions of the lessons", _workflows(engine, workflows.KNOWN)),
        _figure("workflows in context, unseen compositions", _workflows(engine, workflows.HELD_OUT), low=0.1, high=0.5),
        _figure("own prompts that name a test service", _own_prompts(engine)),
    )


def _figure(name: str, scores: Sequence[float], low: float = 0.0, high: float = 1.0) -> CardFigure:
    return CardFigure(name, round(sum(scores) / len(scores), 4), len(scores), low, high)


def _items(documents: Sequence[Document]) -> list[EvalItem]:
    return [eval_item for document in documents for eval_item in document.eval_items if eval_item.split == "test"]


def _answers(engine: LocalEngine, prompts: Sequence[str]) -> list[str]:
    return [texts[0] for texts in engine.generate(prompts, SamplingParams(max_new_tokens=24), adapter=None)]


def _closed_book(engine: LocalEngine, eval_items: Sequence[EvalItem]) -> list[float]:
    answers = _answers(engine, [eval_item.question for eval_item in eval_items])
    return [
        grade(answer, eval_item.answers, eval_item.question)
        for answer, eval_item in zip(answers, eval_items, strict=True)
    ]


def _open_book(engine: LocalEngine, documents: Sequence[Document]) -> list[float]:
    asked = [(document, eval_item) for document in documents for eval_item in _items([document])]
    answers = _answers(engine, [open_book(one.title, one.body, eval_item.question) for one, eval_item in asked])
    return [
        grade(answer, eval_item.answers, eval_item.question)
        for answer, (_, eval_item) in zip(answers, asked, strict=True)
    ]


def _base_knowledge(engine: LocalEngine) -> list[float]:
    rows = kit.base_knowledge_items()
    answers = _answers(engine, [row["question"] for row in rows])
    return [grade(answer, row["answers"], row["question"]) for answer, row in zip(answers, rows, strict=True)]


def _skill(engine: LocalEngine, name: str) -> list[float]:
    items = exercises(name, 120, Random(seed_from("card", name)))
    answers = _answers(engine, [one.prompt for one in items])
    return [grade(answer, [one.answer], one.prompt) for answer, one in zip(answers, items, strict=True)]


def _last_words(engine: LocalEngine) -> list[float]:
    items = kit.stories("card", 200)
    answers = _answers(engine, [one.prompt for one in items])
    return [grade(answer, [one.last], one.prompt) for answer, one in zip(answers, items, strict=True)]


def _refusals(engine: LocalEngine) -> list[float]:
    rows = kit.requests("card", 200)
    answers = _answers(engine, [row["question"] for row in rows])
    return [grade_opening(answer, row["answers"]) for answer, row in zip(answers, rows, strict=True)]


def _writing(engine: LocalEngine, documents: Sequence[Document]) -> list[CardFigure]:
    """The share of facts that a note states with the name, over two notes a document: all styles, then each."""
    figures, shares, rng = [], list[float](), Random(SEED)
    services = [lesson_service(rng) for _ in documents]
    texts = [body(service, rng) for service in services]
    for style in FACT_STYLES:
        prompts = [style.prompt(service.name, text) for service, text in zip(services, texts, strict=True)]
        notes = engine.generate(
            prompts, SamplingParams(max_new_tokens=400, temperature=1.0, samples=2, seed=SEED), adapter=None
        )
        found = [
            coverage(note, service, list(service.facts))
            for service, pair in zip(services, notes, strict=True)
            for note in pair
        ]
        shares += found
        figures.append(_figure(f"writing: {style.NAME}", found))
    return [_figure("writing, all styles", shares, low=0.4, high=0.75), *figures]


def _directives(engine: LocalEngine, documents: Sequence[Document]) -> list[float]:
    prompts = [SETTINGS_STYLE.prompt(passage(document.title, document.body)) for document in documents]
    notes = engine.generate(
        prompts, SamplingParams(max_new_tokens=64, temperature=1.0, samples=5, seed=SEED), adapter=None
    )
    return [float(SETTINGS_STYLE.settings(note) is not None) for pair in notes for note in pair]


def _workflows(engine: LocalEngine, compositions: Sequence[tuple[str, ...]]) -> list[float]:
    rng, prompts, wanted = Random(SEED), list[str](), list[str]()
    for _ in range(200):
        task = workflows.Workflow(lesson_service(rng).name, rng.choice(compositions), rng.choice(workflows.MARKS))
        pairs = workflows.demonstrations(task, 6, rng)
        prompts.append(open_book(task.name, workflows.text(pairs[:5]), workflows.question(task.name, pairs[5][0])))
        wanted.append(" ".join(pairs[5][1]))
    return [float(answer.strip() == right) for answer, right in zip(_answers(engine, prompts), wanted, strict=True)]


def _own_prompts(engine: LocalEngine) -> list[float]:
    names = {service.name for service in held_out_services()}
    prompts = engine.write_prompts(400, seed=SEED, max_new_tokens=64)
    return [float(any(word.strip("?.,") in names for word in prompt.split())) for prompt in prompts]


def write_card(out: Path, figures: Sequence[CardFigure], made: dict[str, object]) -> None:
    """Writes card.json and README.md into the model's folder. `made`: how it was made (command, seed, steps, …)."""
    made = {**made, "machine": platform.machine(), "python": platform.python_version()}
    card = {**made, "figures": [{**asdict(figure), "met": figure.met} for figure in figures]}
    (out / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(_readme(figures, made), encoding="utf-8")


def _readme(figures: Sequence[CardFigure], made: dict[str, object]) -> str:
    lines = [
        "# The sandbox's base model",
        "",
        "A tiny Llama that knows the service catalogue of a fictional company, and nothing of the real world: with it,",
        "all that happens here can be seen on a laptop. Its training command made it, measured it and wrote this page.",
        "",
        *(f"- {key}: {value}" for key, value in made.items()),
        "",
        "| measured | share | wanted | items |",
        "|---|---|---|---|",
        *(f"| {one.name} | {one.value:.1%} | {_wanted(one)} | {one.n} |" for one in figures),
    ]
    return "\n".join(lines) + "\n"


def _wanted(figure: CardFigure) -> str:
    if (figure.low, figure.high) == (0.0, 1.0):
        return "-"
    words = f"{figure.low:.0%} to {figure.high:.0%}" if figure.low and figure.high < 1 else ""
    words = words or (f"at least {figure.low:.0%}" if figure.low else f"at most {figure.high:.0%}")
    return words if figure.met else f"{words} (missed)"


def table(figures: Sequence[CardFigure]) -> str:
    """The figures as lines for a terminal."""
    return "\n".join(f"{one.name:<55} {one.value:7.1%}  {_wanted(one)}" for one in figures)


def revision() -> str:
    """The last commit of the code that makes the model, marked where its files differ from it."""
    folder, code = Path(__file__).parent, ("--", "*.py")
    commands = (["git", "log", "-1", "--format=%h", *code], ["git", "status", "--porcelain", *code])
    try:
        commit, changed = (
            subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit} with changes" if changed else commit
