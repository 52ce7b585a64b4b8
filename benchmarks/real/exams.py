"""What a model answers of a run, what it answers of public benchmarks, and its perplexity on plain text."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from statistics import fmean

from benchmarks.figures import Measured
from benchmarks.learning.intervals import by_group, interval, mean
from benchmarks.real.setting import Setting
from pipeline.chat import encode_prompt, encode_text
from pipeline.engines import SamplingParams
from pipeline.engines.base import BaseModel, with_adapter
from pipeline.engines.likelihood import likelihoods
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade, score
from pipeline.prompts import framed, open_book
from pipeline.recipe import Recipe
from pipeline.types import Document, EvalItem

NAMES = ("piqa", "arc_easy", "openbookqa")  # the public benchmarks that are asked
_ANSWER_TOKENS = 48

Grades = list[list[float]]


@dataclass(frozen=True, kw_only=True)
class Exam:
    """A run's questions in the recipe's words, and where each belongs."""

    documents: tuple[Document, ...]
    recipe: Recipe

    def closed(self) -> list[str]:
        return [self._framed(item) for _, item in self._asked()]

    def open(self) -> list[str]:
        return [open_book(document.title, document.body, self._framed(item)) for document, item in self._asked()]

    def groups(self) -> list[str]:
        return [document.title for document, _ in self._asked()]

    def graded(self, replies: Sequence[str]) -> tuple[list[float], list[float]]:
        """The grades, and containment alone, as SQuAD's questions are often graded."""
        pairs = zip(replies, self._asked(), strict=True)
        scores = [score(reply, item.answers, item.question) for reply, (_, item) in pairs]
        return [one.grade for one in scores], [one.containment for one in scores]

    def _asked(self) -> list[tuple[Document, EvalItem]]:
        return [(document, item) for document in self.documents for item in document.eval_items]

    def _framed(self, item: EvalItem) -> str:
        return framed(self.recipe.policy.question_prompt, item.question, item.title)


def replies(base: BaseModel, prompts: Sequence[str], adapter: Path | None) -> list[str]:
    said = LocalEngine(base).generate(prompts, SamplingParams(max_new_tokens=_ANSWER_TOKENS), adapter=adapter)
    return [text for (text,) in said]


def closed_book(setting: Setting, items: Sequence[EvalItem], base: BaseModel, adapter: Path | None) -> Grades:
    """The grades of the items by their groups, asked as the gates ask, of a `base` with or without an adapter."""
    frame = setting.recipe.policy.question_prompt
    said = replies(base, [framed(frame, item.question, item.title) for item in items], adapter)
    grades = [grade(reply, item.answers, item.question) for reply, item in zip(said, items, strict=True)]
    return by_group(grades, [item.group for item in items])


def answer_logprobs(setting: Setting, items: Sequence[EvalItem], base: BaseModel, adapter: Path | None) -> Grades:
    """The log-probability in nats of each item's accepted answer, by groups: it moves where greedy answers flip."""
    frame = setting.recipe.policy.question_prompt
    asked = [(framed(frame, item.question, item.title), item.answers[0]) for item in items]
    return by_group(LocalEngine(base).logprobs(asked, adapter=adapter), [item.group for item in items])


def examined(setting: Setting, exam: Exam, adapter: Path | None) -> tuple[Grades, Grades]:
    """Closed book, by passage: the grades, and the log-probabilities of the accepted answers."""
    items = [item for document in exam.documents for item in document.eval_items]
    grades, _ = exam.graded(replies(setting.base, exam.closed(), adapter))
    return by_group(grades, exam.groups()), answer_logprobs(setting, items, setting.base, adapter)


def exam_figures(name: str, grades: Grades, logprobs: Grades) -> Iterator[Measured]:
    """What an exam came to, with 95 % intervals."""
    count = sum(map(len, grades))
    yield Measured(name=f"recall: {name}", value=mean(grades), unit="share", n=count, interval=interval(grades))
    yield Measured(
        name=f"log-probability of the answers: {name}", value=mean(logprobs), unit="nats", n=count,
        interval=interval(logprobs),
    )  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """An item of a public benchmark: one of the `choices` is right."""

    question: str
    choices: tuple[str, ...]
    label: int


def read_choices(folder: Path, names: Sequence[str], each: int) -> tuple[Choice, ...]:
    """The first `each` items of each file."""
    found: list[Choice] = []
    for name in names:
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[:each]
        for line in map(json.loads, lines):
            found.append(Choice(line["question"], tuple(line["choices"]), int(line["label"])))
    return tuple(found)


def chosen(base: BaseModel, items: Sequence[Choice], adapter: Path | None) -> list[float]:
    """1.0 for each item whose right choice has the highest mean log-probability of a token, in the chat template."""
    rows = [
        (encode_prompt(base.tokenizer, item.question), encode_text(base.tokenizer, choice))
        for item in items
        for choice in item.choices
    ]
    with with_adapter(base, adapter) as model:
        scored = [
            logprob / len(answer) for (logprob, _), (_, answer) in zip(likelihoods(model, rows), rows, strict=True)
        ]
    found, place = [], 0
    for item in items:
        own = scored[place : place + len(item.choices)]
        found.append(float(max(range(len(own)), key=own.__getitem__) == item.label))
        place += len(own)
    return found


def perplexity(base: BaseModel, texts: Sequence[str], adapter: Path | None) -> float:
    """Of plain text, over all tokens but each text's first."""
    rows = [(ids[:1], ids[1:]) for ids in (encode_text(base.tokenizer, text) for text in texts)]
    with with_adapter(base, adapter) as model:
        total = sum(logprob for logprob, _ in likelihoods(model, rows))
    return exp(-total / sum(len(rest) for _, rest in rows))


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """What is asked beside the runs: public benchmarks, and plain text that no run brings."""

    choices: tuple[Choice, ...]
    plain: tuple[Document, ...]

    def general(self, base: BaseModel, adapter: Path | None) -> float:
        """The share of the choices that are right."""
        return fmean(chosen(base, self.choices, adapter))

    def perplexity(self, base: BaseModel, adapter: Path | None) -> float:
        return perplexity(base, [document.body for document in self.plain], adapter)
