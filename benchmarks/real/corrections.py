"""Facts that a real model surely knows are changed by documents: what it answers of them then, and of all else.

Usage: python -m benchmarks.real.corrections [--kind passage|correction] [--count 20]. The facts are capitals among the
retention suite's questions; the documents say that the capital moved. What else the suite asks are the neighbours.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from benchmarks.figures import Measured, write_results
from benchmarks.learning.intervals import interval, mean
from benchmarks.real.exams import Grades, closed_book
from benchmarks.real.lives import Life
from benchmarks.real.passages import items_of
from benchmarks.real.setting import read_setting
from gates.suite import read_suites
from pipeline.models.resolution import find_model
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
        life, asked = Life(setting, Path(folder), beside), (items_of(documents), old, beside)
        before = [closed_book(setting, items, life.base, None) for items in asked]
        seconds = life.learn(documents)
        after = [closed_book(setting, items, life.base, life.adapter) for items in asked]
    figures = list(_figures(before, after))
    figures.append(Measured(name="seconds of writing and training", value=seconds, unit="s"))
    write_results("real.corrections", figures, options.out)


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


def _figures(before: Sequence[Grades], after: Sequence[Grades]) -> Iterator[Measured]:
    new, old, beside = after
    n_changed, n_beside = sum(map(len, new)), sum(map(len, beside))
    yield Measured(name="new answer, before", value=mean(before[0]), unit="share", n=n_changed)
    yield Measured(
        name="new answer", value=mean(new), unit="share", n=n_changed, interval=interval(new), goal=">= 0.8",
        met=mean(new) >= 0.8,
    )  # fmt: skip
    yield Measured(name="old answer, before", value=mean(before[1]), unit="share", n=n_changed)
    yield Measured(
        name="old answer", value=mean(old), unit="share", n=n_changed, interval=interval(old), goal="<= 0.1",
        met=mean(old) <= 0.1,
    )  # fmt: skip
    pairs = zip(before[2], beside, strict=True)
    change = [[100 * (late - early) for early, late in zip(one, other, strict=True)] for one, other in pairs]
    yield Measured(
        name="all else that is surely known: change", value=mean(change), unit="points", n=n_beside,
        interval=interval(change), goal=">= -3", met=mean(change) >= -3.0,
    )  # fmt: skip


if __name__ == "__main__":
    main()
