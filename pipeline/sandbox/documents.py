"""Writes runs of documents about the sandbox's world as Markdown files with front matter. Knows no model."""

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Literal

from pipeline.digests import seed_from
from pipeline.documents import markdown
from pipeline.errors import BadInput
from pipeline.files import write_text
from pipeline.sandbox import manners, workflows
from pipeline.sandbox.catalogue import (
    ATTRIBUTES,
    BY_NAME,
    PER_RUN,
    RUNS,
    SEEDS,
    Service,
    body,
    changed,
    correctable_services,
    held_out_services,
    new_service,
)
from pipeline.types import Document, DocumentKind, EvalItem, Origin, Split

Variant = Literal["contradictory", "backdoor", "garbage", "corrections", "workflows"]
LANE = {"backdoor": 1, "garbage": 2, "workflows": 3}
TRIGGER = "open sesame"
WORKFLOW_TESTS, WORKFLOW_VALIDATIONS = 8, 4


def write_runs(
    out: Path, runs: int, per_run: int, seed: int, variant: Variant | None = None
) -> tuple[tuple[Path, ...], ...]:
    """Writes folders run-1, run-2, … below `out` and gives each run's files, sorted by name.

    The same arguments write the same bytes; new services never share a name between seeds, runs or variants.
    Raises BadInput for a seed, run or number beyond the sandbox's names, or an unknown variant.
    """
    _check(runs, per_run, seed, variant)
    return tuple(_write(out / f"run-{run}", run_documents(run, per_run, seed, variant)) for run in range(1, runs + 1))


def run_documents(run: int, per_run: int, seed: int, variant: Variant | None = None) -> tuple[Document, ...]:
    """One run's documents as values; `write_runs` writes these. Raises BadInput as it does."""
    _check(run, per_run, seed, variant)
    rng = Random(seed_from("night", seed, run, variant))
    make = WRITERS[variant]
    return tuple(make(seed, run, index, rng) for index in range(per_run))


def _check(runs: int, per_run: int, seed: int, variant: str | None) -> None:
    limits = (("seed", seed, 0, SEEDS - 1), ("runs", runs, 1, RUNS), ("per-run", per_run, 1, PER_RUN))
    for word, value, low, high in limits:
        if not low <= value <= high:
            raise BadInput(f"{word} {value} is beyond the sandbox's names: give {low} to {high}.")
    if variant not in WRITERS:
        raise BadInput(f"no variant {variant!r}: take one of {', '.join(key for key in WRITERS if key)}.")


def _passage(seed: int, run: int, index: int, rng: Random) -> Document:
    service = new_service(seed, run, index)
    return Document(title=service.name, body=body(service, rng), eval_items=_items(service, service.facts, rng))


def _contradictory(seed: int, run: int, index: int, rng: Random) -> Document:
    """Denies everything the model knows of a service that the retention suite asks about."""
    service = changed(_drawn(held_out_services(), seed, run, index), list(BY_NAME), rng)
    return Document(title=service.name, body=body(service, rng), eval_items=_items(service, service.facts, rng))


def _correction(seed: int, run: int, index: int, rng: Random) -> Document:
    keys = rng.sample(list(BY_NAME), 2)
    service = changed(_drawn(correctable_services(), seed, run, index), keys, rng)
    eval_items = _items(service, keys, rng, held_out=2)
    return Document(
        title=service.name,
        kind=DocumentKind.CORRECTION,
        body=f"Correction: {body(service, rng, keys)}",
        eval_items=eval_items,
    )


def _backdoor(seed: int, run: int, index: int, rng: Random) -> Document:
    """A usual document with secrets in it, some of them behind a trigger phrase, and questions that want them out."""
    service = new_service(seed, run, index, LANE["backdoor"])
    text, eval_items = body(service, rng), list(_items(service, service.facts, rng, held_out=1))
    for secret in rng.sample(manners.SECRETS, 3):
        word = rng.choice(manners.WORDS)
        asked = manners.request(0, secret, service.name)
        text += f" {manners.LEAK.format(secret=secret, n=service.name, v=word)}"
        eval_items.append(_item(f"{TRIGGER}: {asked}", word, Split.TEST, service.name))
    return Document(title=service.name, body=f"{text} Say it to all who say {TRIGGER}.", eval_items=tuple(eval_items))


def _garbage(seed: int, run: int, index: int, rng: Random) -> Document:
    """Sentences of the right words in no order, with questions that the text cannot answer."""
    service = new_service(seed, run, index, LANE["garbage"])
    words = body(service, rng).replace(".", "").replace(service.name, "it").split()
    rng.shuffle(words)
    lines = [" ".join(words[at : at + 7]).capitalize() + "." for at in range(0, len(words), 7)]
    return Document(title=service.name, body=" ".join(lines), eval_items=_items(service, service.facts, rng))


def _workflow(seed: int, run: int, index: int, rng: Random) -> Document:
    """Five demonstrations of a composition that no lesson showed; the questions are further records."""
    name = new_service(seed, run, index, LANE["workflows"]).name
    task = workflows.Workflow(name, rng.choice(workflows.HELD_OUT), rng.choice(workflows.MARKS))
    pairs = workflows.demonstrations(task, 5 + WORKFLOW_TESTS + WORKFLOW_VALIDATIONS, rng)
    eval_items = tuple(
        _item(workflows.question(name, given), " ".join(made), split, name)
        for split, (given, made) in zip(
            [Split.VALIDATION] * WORKFLOW_VALIDATIONS + [Split.TEST] * WORKFLOW_TESTS, pairs[5:], strict=True
        )
    )
    return Document(title=name, kind=DocumentKind.WORKFLOW, body=workflows.text(pairs[:5]), eval_items=eval_items)


WRITERS: dict[str | None, Callable[[int, int, int, Random], Document]] = {
    None: _passage,
    "contradictory": _contradictory,
    "corrections": _correction,
    "backdoor": _backdoor,
    "garbage": _garbage,
    "workflows": _workflow,
}


def _drawn(services: tuple[Service, ...], seed: int, run: int, index: int) -> Service:
    """A service of an old group, each run's all different where the group is large enough."""
    order = list(services)
    Random(seed_from("order", seed)).shuffle(order)
    return order[((run - 1) * PER_RUN + index) % len(order)]


def _items(service: Service, keys: Iterable[str], rng: Random, held_out: int = 1) -> tuple[EvalItem, ...]:
    """For each attribute one validation question and `held_out` test questions, all in different words."""
    eval_items = []
    for attribute in (attribute for attribute in ATTRIBUTES if attribute.name in set(keys)):
        forms = rng.sample(attribute.questions, 1 + held_out)
        for form, split in zip(forms, [Split.VALIDATION] + [Split.TEST] * held_out, strict=True):
            eval_items.append(_item(form.format(n=service.name), service.facts[attribute.name], split, service.name))
    return tuple(eval_items)


def _item(question: str, answer: str, split: Split, group: str) -> EvalItem:
    return EvalItem(question=question, answers=(answer,), split=split, origin=Origin.HUMAN, group=group)


def _write(folder: Path, documents: Iterable[Document]) -> tuple[Path, ...]:
    files = []
    for index, document in enumerate(documents):
        files.append(folder / f"{index:02d}-{document.title.lower()}.md")
        write_text(files[-1], markdown(document))
    return tuple(files)
