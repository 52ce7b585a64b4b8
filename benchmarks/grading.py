"""Does the grader agree with labels given by hand? Pairs of a question and a reply, each labelled right or wrong.

The pairs are `benchmarks/data/grading_pairs.jsonl`. The rules were tuned on one half alone; the other was held out. The
pairs of a review, meant to break the rules, are reported apart. Its README says how they were made and labelled.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Measured, write_results
from gates.statistics import wilson
from pipeline.grading import judge, score

PAIRS = Path(__file__).parent / "data" / "grading_pairs.jsonl"
LEAST = 0.98
REVIEW = "review"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A reply to a question, and whether its label is right. `half`: "tuning", "held-out" or "review"."""

    kind: str
    question: str
    reply: str
    accepted: tuple[str, ...]
    right: bool
    origin: str
    half: str


def read_pairs() -> tuple[Pair, ...]:
    """All pairs, in the order of the file."""
    rows = map(json.loads, PAIRS.read_text(encoding="utf-8").splitlines())
    return tuple(Pair(**{**row, "accepted": tuple(row["accepted"])}) for row in rows)


def is_graded_right(pair: Pair) -> bool:
    return judge(pair.reply, pair.accepted, pair.question).right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same: it takes seconds")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    pairs = read_pairs()
    both = [pair for pair in pairs if pair.half != REVIEW]
    review = [pair for pair in pairs if pair.half == REVIEW]
    write_results("grading", [*figures(both), *_mistakes("review: ", review)], options.out)


def figures(pairs: Sequence[Pair]) -> Iterator[Measured]:
    """Agreement with the labels: in all, by half and by kind; then both kinds of mistakes, and the field's figures."""
    yield _agreement("agreement", pairs, goal=True)
    for half in ("tuning", "held-out"):
        yield _agreement(f"agreement, {half} half", [pair for pair in pairs if pair.half == half])
    for kind in dict.fromkeys(pair.kind for pair in pairs):
        yield _agreement(f"agreement, {kind}", [pair for pair in pairs if pair.kind == kind])
    yield from _mistakes("", pairs)
    negated = [pair for pair in pairs if pair.kind == "negated" and not pair.right]
    passed = sum(map(is_graded_right, negated))
    yield Measured(
        name="negated replies graded right", value=passed, unit="replies", goal="0", n=len(negated), met=passed == 0
    )
    for name in ("exact_match", "token_f1", "containment"):
        found = [float(getattr(score(pair.reply, pair.accepted, pair.question), name)) for pair in pairs]
        agreed = [(value > 0.5) == pair.right for value, pair in zip(found, pairs, strict=True)]
        yield _share(f"agreement of {name.replace('_', ' ')} (above 0.5)", pairs, agreed)


def _mistakes(prefix: str, pairs: Sequence[Pair]) -> Iterator[Measured]:
    wrong = [pair for pair in pairs if not pair.right]
    yield _share(f"{prefix}wrong replies graded right", wrong, [is_graded_right(pair) for pair in wrong])
    right = [pair for pair in pairs if pair.right]
    yield _share(f"{prefix}right replies graded wrong", right, [not is_graded_right(pair) for pair in right])


def _agreement(name: str, pairs: Sequence[Pair], *, goal: bool = False) -> Measured:
    agreed = [is_graded_right(pair) == pair.right for pair in pairs]
    figure = _share(name, pairs, agreed)
    return Measured(
        name=name,
        value=figure.value,
        unit=figure.unit,
        n=figure.n,
        interval=figure.interval,
        goal=f">= {LEAST}" if goal else "",
        met=figure.value >= LEAST if goal else None,
    )


def _share(name: str, pairs: Sequence[Pair], holds: Sequence[bool]) -> Measured:
    n = len(pairs)
    return Measured(name=name, value=sum(holds) / n, unit="share", n=n, interval=wilson(sum(holds), n, 0.05))


if __name__ == "__main__":
    main()
