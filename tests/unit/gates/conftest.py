"""Cases for the gates, from a few numbers: who got how many items right, before and after."""

from collections.abc import Callable, Sequence

import pytest

from gates.evidence import NIGHT, WITHDRAWN, WRITING, Evidence, Lesson, exam_probes
from gates.suite import Kind, Suite, Suites, probe_suite
from gates.tasks import Task, TaskItem
from pipeline.types import (
    AdapterManifest,
    Document,
    Example,
    FileDigest,
    ItemScore,
    ModelRef,
    Probe,
    Scores,
)

BASE = ModelRef(base="b" * 64)
LIVE = ModelRef(base="b" * 64, adapter="1" * 64)
CANDIDATE = ModelRef(base="b" * 64, adapter="2" * 64)
MANIFEST = AdapterManifest(
    base="b" * 64, tokenizer="t" * 64, chat_template="c" * 64,
    files=(FileDigest(name="adapter_model.safetensors", size=9, sha256="f" * 64),),
    rank=8, alpha=8, target_modules=("q_proj",), parameters=1000, update="u" * 64, recipe="r" * 64, ledger="l" * 64,
    parent_adapter=None,
)  # fmt: skip

Rights = Sequence[float]


def probes(name: str, count: int, per_group: int = 4) -> tuple[Probe, ...]:
    """`count` probes on made-up matters, `per_group` of them on each."""
    return tuple(
        Probe(question=f"{name} question {at}?", answers=(f"answer {at}",), group=f"{name}-{at // per_group}")
        for at in range(count)
    )


def scores(model: ModelRef, suite: Suite, rights: Rights) -> Scores:
    items = tuple(
        ItemScore(item=item.id, score=float(right), answer="said", group=item.group)
        for item, right in zip(suite.items, rights, strict=True)
    )
    return Scores(model=model, suite=suite.name, items=items)


class Case:
    """Builds Evidence piece by piece; each `rights` is one score per item."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.gone: list[Document] = []
        self.lessons: list[Lesson] = []
        self.suites: dict[str, list[Suite]] = {"retention": [], "safety": [], "regression": []}
        self.measured: list[tuple[Suite, Rights, Rights, Rights | None]] = []
        self.examples: list[Example] = [Example(prompt="something else", completion="x")]
        self.integrity: str | None = None

    def night(self, before: Rights, after: Rights, per_document: int = 4) -> "Case":
        asked = probes("night", len(after), per_document)
        self.documents += [
            Document(title=f"title {at}", body=f"body {at}", probes=asked[at : at + per_document])
            for at in range(0, len(asked), per_document)
        ]
        self.measured.append((probe_suite(NIGHT, asked), before, after, None))
        return self

    def lesson(self, release: int, before: Rights, after: Rights) -> "Case":
        lesson = Lesson(release=release, probes=probes(f"release {release}", len(after)))
        self.lessons.append(lesson)
        self.measured.append((probe_suite(lesson.suite, lesson.probes), before, after, None))
        return self

    def withdrawn(self, before: Rights, after: Rights, base: Rights, per_document: int = 8) -> "Case":
        asked = probes("withdrawn", len(after), per_document)
        self.gone = [
            Document(title=f"gone {at}", body=f"gone {at}", probes=asked[at : at + per_document])
            for at in range(0, len(asked), per_document)
        ]
        self.measured.append((probe_suite(WITHDRAWN, exam_probes(self.gone)), before, after, base))
        return self

    def writing(self, before: Rights, after: Rights, per_document: int = 8) -> "Case":
        asked = probes(WRITING, len(after), per_document)
        self.measured.append((probe_suite(WRITING, asked), before, after, None))
        return self

    def standing(self, kind: str, name: str, before: Rights, after: Rights, base: Rights | None = None) -> "Case":
        suite = probe_suite(
            f"{kind}/{name}", probes(name, len(after), 1), Kind.REFUSALS if kind == "safety" else Kind.ANSWERS
        )
        if kind == "regression":
            items = tuple(
                TaskItem(data=f'"{name} {at}"', question=f"{name} {at}", group="") for at in range(len(after))
            )
            task = Task(name=name, metric="acc", config="{}", splits=(), split="test", items=items)
            suite = Suite(name=f"{kind}/{name}", kind=Kind.TASK, task=task)
        self.suites[kind].append(suite)
        self.measured.append((suite, before, after, before if base is None else base))
        return self

    def evidence(self) -> Evidence:
        return Evidence(
            update="u" * 64,
            candidate=CANDIDATE,
            incumbent=LIVE,
            manifest=MANIFEST,
            integrity=self.integrity,
            examples=tuple(self.examples),
            night=tuple(self.documents),
            earlier=tuple(self.lessons),
            withdrawn=tuple(self.gone),
            suites=Suites(**{kind: tuple(found) for kind, found in self.suites.items()}),
            candidate_scores=tuple(scores(CANDIDATE, suite, after) for suite, _, after, _ in self.measured),
            incumbent_scores=tuple(scores(LIVE, suite, before) for suite, before, _, _ in self.measured),
            anchor_scores=tuple(scores(BASE, s, anchor) for s, _, _, anchor in self.measured if anchor is not None),
        )


def right(n: int, wrong: int = 0) -> list[float]:
    """n scores of which the first `wrong` are 0."""
    return [0.0] * wrong + [1.0] * (n - wrong)


@pytest.fixture
def case() -> Callable[[], Case]:
    return Case


@pytest.fixture
def rights() -> Callable[..., list[float]]:
    return right
