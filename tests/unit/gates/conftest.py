"""Cases for the gates, from a few numbers: who got how many items right, before and after."""

from collections.abc import Callable, Sequence

import pytest

from gates import evidence
from gates.evidence import RUN, WITHDRAWN, WRITER, Evidence, ReleaseEvalSet, held_out_items
from gates.suite import Kind, Suite, Suites, eval_item_suite, sampled_twin
from gates.tasks import Task, TaskItem
from gates.texts import TextItem
from gates.writing import WrittenText
from pipeline.types import (
    AdapterManifest,
    Checkpoint,
    Document,
    EvalItem,
    Example,
    FileDigest,
    ItemScore,
    ModelRef,
    Scores,
)

BASE = ModelRef(base="b" * 64)
PRODUCTION = ModelRef(base="b" * 64, adapter="1" * 64)
CANDIDATE = ModelRef(base="b" * 64, adapter="2" * 64)
MANIFEST = AdapterManifest(
    base="b" * 64,
    tokenizer="t" * 64,
    chat_template="c" * 64,
    files=(FileDigest(name="adapter_model.safetensors", size=9, sha256="f" * 64),),
    rank=8,
    alpha=8,
    target_modules=("q_proj",),
    parameters=1000,
    update="u" * 64,
    recipe="r" * 64,
    ledger="l" * 64,
    parent_adapter=None,
)

Rights = Sequence[float]


def eval_items(name: str, count: int, per_group: int = 4) -> tuple[EvalItem, ...]:
    """`count` eval items on made-up matters, `per_group` of them on each."""
    return tuple(
        EvalItem(question=f"{name} question {at}?", answers=(f"answer {at}",), group=f"{name}-{at // per_group}")
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
        self.release_sets: list[ReleaseEvalSet] = []
        self.suites: dict[str, list[Suite]] = {"retention": [], "safety": [], "regression": [], "perplexity": []}
        self.measured: list[tuple[Suite, Rights, Rights, Rights | None]] = []
        self.examples: list[Example] = [Example(prompt="something else", completion="x")]
        self.written: list[WrittenText] = []
        self.integrity: str | None = None
        self.samples = 0

    def run(self, before: Rights, after: Rights, per_document: int = 4) -> "Case":
        asked = eval_items("run", len(after), per_document)
        self.documents += [
            Document(title=f"title {at}", body=f"body {at}", eval_items=asked[at : at + per_document])
            for at in range(0, len(asked), per_document)
        ]
        self.measured.append((eval_item_suite(RUN, asked), before, after, None))
        return self

    def release_set(self, release: int, before: Rights, after: Rights) -> "Case":
        release_set = ReleaseEvalSet(release=release, eval_items=eval_items(f"release {release}", len(after)))
        self.release_sets.append(release_set)
        self.measured.append((eval_item_suite(release_set.suite, release_set.eval_items), before, after, None))
        return self

    def withdrawn(self, before: Rights, after: Rights, base: Rights, per_document: int = 8) -> "Case":
        asked = eval_items("withdrawn", len(after), per_document)
        self.gone = [
            Document(title=f"gone {at}", body=f"gone {at}", eval_items=asked[at : at + per_document])
            for at in range(0, len(asked), per_document)
        ]
        self.measured.append((eval_item_suite(WITHDRAWN, held_out_items(self.gone)), before, after, base))
        return self

    def writer(self, before: Rights, after: Rights, per_document: int = 8) -> "Case":
        asked = eval_items(WRITER, len(after), per_document)
        self.measured.append((eval_item_suite(WRITER, asked), before, after, None))
        return self

    def standing(self, kind: str, name: str, before: Rights, after: Rights, base: Rights | None = None) -> "Case":
        suite = eval_item_suite(
            f"{kind}/{name}", eval_items(name, len(after), 1), Kind.REFUSALS if kind == "safety" else Kind.ANSWERS
        )
        if kind == "regression":
            items = tuple(
                TaskItem(data=f'"{name} {at}"', question=f"{name} {at}", group="") for at in range(len(after))
            )
            task = Task(name=name, metric="acc", config="{}", splits=(), split="test", items=items)
            suite = Suite(name=f"{kind}/{name}", kind=Kind.TASK, task=task)
        if kind == "perplexity":
            texts = tuple(TextItem(f"{name} text {at}") for at in range(len(after)))
            suite = Suite(name=f"{kind}/{name}", kind=Kind.TEXTS, texts=texts)
        self.suites[kind].append(suite)
        self.measured.append((suite, before, after, before if base is None else base))
        return self

    def sampled(self, samples: int, before: Rights, after: Rights, base: Rights | None = None) -> "Case":
        """Of the retention suite that was added last, the shares of right samples."""
        self.samples = samples
        suite = sampled_twin(self.suites["retention"][-1], samples)
        self.measured.append((suite, before, after, before if base is None else base))
        return self

    def evidence(self) -> Evidence:
        judged = evidence.Case(
            update="u" * 64,
            manifest=MANIFEST,
            candidate=Checkpoint(CANDIDATE),
            production=Checkpoint(PRODUCTION),
            examples=tuple(self.examples),
            suites=Suites(**{kind: tuple(found) for kind, found in self.suites.items()}),
            documents=tuple(self.documents),
            earlier=tuple(self.release_sets),
            withdrawn=tuple(self.gone),
            written=tuple(self.written),
            samples=self.samples,
        )
        return Evidence(
            case=judged,
            integrity=self.integrity,
            candidate_scores=tuple(scores(CANDIDATE, suite, after) for suite, _, after, _ in self.measured),
            production_scores=tuple(scores(PRODUCTION, suite, before) for suite, before, _, _ in self.measured),
            base_scores=tuple(scores(BASE, s, base) for s, _, _, base in self.measured if base is not None),
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
