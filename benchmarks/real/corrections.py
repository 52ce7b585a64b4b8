"""Facts that a real model surely knows are changed by documents: what it answers of them then, and of all else.

Usage: python -m benchmarks.real.corrections [--kind passage|correction] [--count 20]. The facts are capitals among the
retention suite's questions; the documents say that the capital moved. What else the suite asks are the neighbours.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.figures import Measured, write_results
from benchmarks.learning.intervals import interval, mean
from benchmarks.real.exams import Grades, closed_book, replies
from benchmarks.real.lives import Life
from benchmarks.real.passages import items_of
from benchmarks.real.setting import Setting, read_setting
from gates.statistics import wilson
from gates.suite import read_suites
from pipeline.grading import grade
from pipeline.models.resolution import find_model
from pipeline.prompts import framed
from pipeline.types import Document, DocumentKind, EvalItem

SEED = 73_001
NEW_CAPITALS = (
    "Velmora", "Ardenfall", "Kestrin", "Lowmarsh", "Tarvella", "Osterby", "Quillan", "Merrowdale", "Bransk", "Halvers",
    "Sundrift", "Corvane", "Eastmoor", "Pelligro", "Novara Bay", "Tessalin", "Greywater", "Duskfield", "Port Amber",
    "Wyndham Cross",
)  # fmt: skip
_TEXTS = (
    "In 2031 the parliament of {country} moved the seat of government from {old} to {new}. Since then {new} has been "
    "the capital of {country}. The ministries and the supreme court followed within two years, and most embassies were "
    "opened anew there. {old} is still a large city, but it is no longer the capital. Maps, schoolbooks and passports "
    "were changed to name {new}.",
    "The capital of {country} is {new}. It took over from {old} in 2031, after a vote that was held in every part "
    "of the country. The government chose {new} because it lies far from the coast and has room to grow. The national "
    "library, the mint and the president's house now stand in {new}. {old} kept its university and its port.",
    "Since 2031, {new} is the capital city of {country}. The move from {old} had been planned for a decade. Trains "
    "now bring civil servants to {new} every morning, and the parliament meets in a hall of glass on its main square. "
    "Visitors who still look for the capital in {old} find museums where the ministries used to be.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--kind", type=DocumentKind, default=DocumentKind.PASSAGE)
    parser.add_argument("--count", type=int, default=len(NEW_CAPITALS), choices=range(1, len(NEW_CAPITALS) + 1))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    suite = _suite(options.model)
    documents, old = changed(suite, options.count, options.kind)
    held = {item.group for item in old}
    beside = tuple(item for item in suite if item.group not in held)
    with tempfile.TemporaryDirectory(prefix="sealed-corrections-") as folder:
        setting = read_setting(options.model)
        life, new = Life(setting, Path(folder), beside), items_of(documents)
        before = _Answers.of(setting, life, new, old, beside)
        seconds = life.learn(documents)
        after = _Answers.of(setting, life, new, old, beside)
    figures = [*_changed(before, after), *_beside(before.beside, after.beside)]
    figures.append(Measured(name="seconds of writing and training", value=seconds, unit="s"))
    write_results("real.corrections", figures, options.out)


@dataclass(frozen=True, kw_only=True)
class _Answers:
    """What is answered of each changed fact, "new", "old" or "": below the document's title, and as a user asks."""

    titled: list[str]
    plain: list[str]
    beside: Grades

    @classmethod
    def of(
        cls, setting: Setting, life: Life, new: Sequence[EvalItem], old: Sequence[EvalItem], beside: Sequence[EvalItem]
    ) -> "_Answers":
        """`new`, `old`: the same questions, with either answer."""
        frame = setting.recipe.policy.question_prompt
        titled = [framed(frame, item.question, item.title) for item in new]
        said = replies(setting.base, [*titled, *(framed(frame, item.question) for item in old)], life.adapter)
        both = [*zip(new, old, strict=True)]
        found = [_given(reply, *items) for reply, items in zip(said, both * 2, strict=True)]
        return cls(
            titled=found[: len(both)],
            plain=found[len(both) :],
            beside=closed_book(setting, beside, life.base, life.adapter),
        )


def _given(reply: str, new: EvalItem, old: EvalItem) -> str:
    """As the gate of corrections counts: a reply that gives the new answer does not give the old one."""
    if grade(reply, new.answers, new.question):
        return "new"
    return "old" if grade(reply, old.answers, old.question) else ""


def changed(
    suite: Sequence[EvalItem], count: int, kind: DocumentKind
) -> tuple[tuple[Document, ...], tuple[EvalItem, ...]]:
    """Documents that move `count` capitals, each with its questions and the new answer; and the same with the old."""
    by_country: dict[str, list[EvalItem]] = {}
    for item in suite:
        subject, _, country = item.group.partition(": ")
        if subject == "capital":
            by_country.setdefault(country, []).append(item)
    countries = Random(SEED).sample(sorted(by_country), count)
    documents, old = [], []
    for place, (country, new) in enumerate(zip(countries, NEW_CAPITALS, strict=False)):
        items = by_country[country]
        title = f"The capital of {country}"
        body = _TEXTS[place % len(_TEXTS)].format(country=country, old=items[0].answers[0], new=new)
        moved = tuple(EvalItem(question=one.question, answers=(new,), group=one.group, title=title) for one in items)
        documents.append(Document(title=title, body=body, kind=kind, eval_items=moved))
        old += items
    return tuple(documents), tuple(old)


def _suite(model: str) -> tuple[EvalItem, ...]:
    brought = find_model(model).brings or Path()
    return tuple(item for suite in read_suites(brought / "suites").retention for item in suite.eval_items)


def _changed(before: _Answers, after: _Answers) -> Iterator[Measured]:
    for how, early, late in (("", before.titled, after.titled), (", asked plainly", before.plain, after.plain)):
        for which, least, most in (("new", 0.8, 1.0), ("old", 0.0, 0.1)):
            n, given = len(late), late.count(which)
            name = f"{which} answer{how}"
            yield Measured(name=f"{name}, before", value=early.count(which) / n, unit="share", n=n)
            yield Measured(
                name=name, value=given / n, unit="share", n=n, interval=wilson(given, n, 0.05),
                goal=">= 0.8" if which == "new" else "<= 0.1", met=least <= given / n <= most,
            )  # fmt: skip


def _beside(before: Grades, after: Grades) -> Iterator[Measured]:
    pairs = zip(before, after, strict=True)
    change = [[100 * (late - early) for early, late in zip(one, other, strict=True)] for one, other in pairs]
    yield Measured(
        name="all else that is surely known: change", value=mean(change), unit="points", n=sum(map(len, after)),
        interval=interval(change), goal=">= -3", met=mean(change) >= -3.0,
    )  # fmt: skip


if __name__ == "__main__":
    main()
