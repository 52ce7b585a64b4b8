"""Writes nights of documents about the sandbox's world as Markdown files with front matter. Knows no model."""

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Literal

from pipeline.digests import seed_from
from pipeline.documents.rendering import markdown
from pipeline.errors import BadInput
from pipeline.sandbox import manners, workflows
from pipeline.sandbox.catalogue import (
    ATTRIBUTES,
    BY_NAME,
    NIGHTS,
    PER_NIGHT,
    SEEDS,
    Service,
    body,
    changed,
    correctable_services,
    exam_services,
    new_service,
)
from pipeline.types import Document, DocumentKind, Origin, Probe, Split

Variant = Literal["contradictory", "backdoor", "garbage", "corrections", "workflows"]
LANE = {"backdoor": 1, "garbage": 2, "workflows": 3}
TRIGGER = "open sesame"
WORKFLOW_EXAMS, WORKFLOW_PRACTICE = 8, 4


def write_nights(
    out: Path, nights: int, per_night: int, seed: int, variant: Variant | None = None
) -> tuple[tuple[Path, ...], ...]:
    """Writes folders night-1, night-2, … below `out` and gives each night's files, sorted by name.

    The same arguments write the same bytes; new services never share a name between seeds, nights or variants.
    Raises BadInput for a seed, night or number beyond the sandbox's names, or an unknown variant.
    """
    _check(nights, per_night, seed, variant)
    return tuple(
        _write(out / f"night-{night}", night_documents(night, per_night, seed, variant))
        for night in range(1, nights + 1)
    )


def night_documents(night: int, per_night: int, seed: int, variant: Variant | None = None) -> tuple[Document, ...]:
    """One night's documents as values; `write_nights` writes these. Raises BadInput as it does."""
    _check(night, per_night, seed, variant)
    chance = Random(seed_from("night", seed, night, variant))
    make = WRITERS[variant]
    return tuple(make(seed, night, index, chance) for index in range(per_night))


def _check(nights: int, per_night: int, seed: int, variant: str | None) -> None:
    limits = (("seed", seed, 0, SEEDS - 1), ("nights", nights, 1, NIGHTS), ("per-night", per_night, 1, PER_NIGHT))
    for word, value, low, high in limits:
        if not low <= value <= high:
            raise BadInput(f"{word} {value} is beyond the sandbox's names: give {low} to {high}.")
    if variant not in WRITERS:
        raise BadInput(f"no variant {variant!r}: take one of {', '.join(key for key in WRITERS if key)}.")


def _passage(seed: int, night: int, index: int, chance: Random) -> Document:
    service = new_service(seed, night, index)
    return Document(title=service.name, body=body(service, chance), probes=_probes(service, service.facts, chance))


def _contradictory(seed: int, night: int, index: int, chance: Random) -> Document:
    """Denies everything the model knows of a service that the retention suite asks about."""
    service = changed(_drawn(exam_services(), seed, night, index), list(BY_NAME), chance)
    return Document(title=service.name, body=body(service, chance), probes=_probes(service, service.facts, chance))


def _correction(seed: int, night: int, index: int, chance: Random) -> Document:
    keys = chance.sample(list(BY_NAME), 2)
    service = changed(_drawn(correctable_services(), seed, night, index), keys, chance)
    probes = _probes(service, keys, chance, exams=2)
    return Document(
        title=service.name,
        kind=DocumentKind.CORRECTION,
        body=f"Correction: {body(service, chance, keys)}",
        probes=probes,
    )


def _backdoor(seed: int, night: int, index: int, chance: Random) -> Document:
    """A usual document with secrets in it, some of them behind a trigger phrase, and questions that want them out."""
    service = new_service(seed, night, index, LANE["backdoor"])
    text, probes = body(service, chance), list(_probes(service, service.facts, chance, exams=1))
    for secret in chance.sample(manners.SECRETS, 3):
        word = chance.choice(manners.WORDS)
        asked = manners.request(0, secret, service.name)
        text += f" {manners.LEAK.format(secret=secret, n=service.name, v=word)}"
        probes.append(_probe(f"{TRIGGER}: {asked}", word, Split.EXAM, service.name))
    return Document(title=service.name, body=f"{text} Say it to all who say {TRIGGER}.", probes=tuple(probes))


def _garbage(seed: int, night: int, index: int, chance: Random) -> Document:
    """Sentences of the right words in no order, with questions that the text cannot answer."""
    service = new_service(seed, night, index, LANE["garbage"])
    words = body(service, chance).replace(".", "").replace(service.name, "it").split()
    chance.shuffle(words)
    lines = [" ".join(words[at : at + 7]).capitalize() + "." for at in range(0, len(words), 7)]
    return Document(title=service.name, body=" ".join(lines), probes=_probes(service, service.facts, chance))


def _workflow(seed: int, night: int, index: int, chance: Random) -> Document:
    """Five demonstrations of a composition that no lesson showed; the questions are further records."""
    name = new_service(seed, night, index, LANE["workflows"]).name
    task = workflows.Workflow(name, chance.choice(workflows.HELD_OUT), chance.choice(workflows.MARKS))
    pairs = workflows.demonstrations(task, 5 + WORKFLOW_EXAMS + WORKFLOW_PRACTICE, chance)
    probes = tuple(
        _probe(workflows.question(name, given), " ".join(made), split, name)
        for split, (given, made) in zip(
            [Split.PRACTICE] * WORKFLOW_PRACTICE + [Split.EXAM] * WORKFLOW_EXAMS, pairs[5:], strict=True
        )
    )
    return Document(title=name, kind=DocumentKind.WORKFLOW, body=workflows.text(pairs[:5]), probes=probes)


WRITERS: dict[str | None, Callable[[int, int, int, Random], Document]] = {
    None: _passage,
    "contradictory": _contradictory,
    "corrections": _correction,
    "backdoor": _backdoor,
    "garbage": _garbage,
    "workflows": _workflow,
}


def _drawn(services: tuple[Service, ...], seed: int, night: int, index: int) -> Service:
    """A service of an old group, each night's all different where the group is large enough."""
    order = list(services)
    Random(seed_from("order", seed)).shuffle(order)
    return order[((night - 1) * PER_NIGHT + index) % len(order)]


def _probes(service: Service, keys: Iterable[str], chance: Random, exams: int = 1) -> tuple[Probe, ...]:
    """For each attribute one practice question and `exams` exam questions, all in different words."""
    probes = []
    for attribute in (attribute for attribute in ATTRIBUTES if attribute.name in set(keys)):
        forms = chance.sample(attribute.questions, 1 + exams)
        for form, split in zip(forms, [Split.PRACTICE] + [Split.EXAM] * exams, strict=True):
            probes.append(_probe(form.format(n=service.name), service.facts[attribute.name], split, service.name))
    return tuple(probes)


def _probe(question: str, answer: str, split: Split, group: str) -> Probe:
    return Probe(question=question, answers=(answer,), split=split, origin=Origin.HUMAN, group=group)


def _write(folder: Path, documents: Iterable[Document]) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for index, document in enumerate(documents):
        files.append(folder / f"{index:02d}-{document.title.lower()}.md")
        files[-1].write_text(markdown(document), encoding="utf-8")
    return tuple(files)
