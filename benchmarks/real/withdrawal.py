"""Two passages are withdrawn after a run on a real model, and a rebuild forgets them: what is left, what is kept.

Usage: python -m benchmarks.real.withdrawal --data squad_passages.json
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figures import Measured, write_results
from benchmarks.learning.intervals import interval, mean
from benchmarks.real.exams import Grades, closed_book
from benchmarks.real.lives import Life
from benchmarks.real.passages import items_of, runs_of
from benchmarks.real.setting import read_setting

SEED, WITHDRAWN = 74_001, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSON file of passages with questions")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    (documents,) = runs_of(options.data, SEED, 1)
    with tempfile.TemporaryDirectory(prefix="sealed-withdrawal-") as folder:
        setting = read_setting(options.model)
        life, asked = Life(setting, Path(folder)), (setting, items_of(documents), setting.base)
        base = closed_book(*asked, None)
        life.learn(documents)
        learned = closed_book(*asked, life.adapter)
        # Withdrawn are the passages of which most was learned: of the others there is nothing to forget.
        order = sorted(range(len(documents)), key=lambda at: -sum(learned[at]))
        leaving = order[:WITHDRAWN]
        rebuilt = closed_book(*asked, life.rebuild(frozenset(documents[at].id for at in leaving)))
        write_results("real.withdrawal", list(_figures(leaving, base, learned, rebuilt)), options.out)


def _figures(leaving: Sequence[int], base: Grades, learned: Grades, rebuilt: Grades) -> Iterator[Measured]:
    staying = [at for at in range(len(base)) if at not in leaving]
    for what, places in (("withdrawn", leaving), ("kept", staying)):
        for when, scores in (("base", base), ("before", learned), ("rebuilt", rebuilt)):
            own = [scores[at] for at in places]
            yield Measured(
                name=f"{what}: {when}", value=mean(own), unit="share", n=sum(map(len, own)), interval=interval(own)
            )
    above = 100 * (mean([rebuilt[at] for at in leaving]) - mean([base[at] for at in leaving]))
    yield Measured(name="withdrawn: rebuilt above the base", value=above, unit="points", goal="<= 5", met=above <= 5)


if __name__ == "__main__":
    main()
