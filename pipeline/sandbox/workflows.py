"""Record-rewriting tasks: operations on a record's fields, and what they make of it in turn. Knows no model."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from random import Random

from pipeline.prompts import workflow_question
from pipeline.sandbox.catalogue import BY_NAME

Record = tuple[str, ...]
OPERATIONS: dict[str, Callable[[Record, str], Record]] = {
    "reverse": lambda record, mark: record[::-1],
    "drop first": lambda record, mark: record[1:],
    "drop last": lambda record, mark: record[:-1],
    "swap first": lambda record, mark: (record[1], record[0], *record[2:]) if len(record) > 1 else record,
    "rotate": lambda record, mark: record[1:] + record[:1],
    "repeat last": lambda record, mark: (*record, record[-1]),
    "repeat first": lambda record, mark: (record[0], *record),
    "prefix": lambda record, mark: (mark, *record),
    "suffix": lambda record, mark: (*record, mark),
    "blank first": lambda record, mark: (mark, *record[1:]),
    "blank last": lambda record, mark: (*record[:-1], mark),
}
# No lesson has any of these.
UNSEEN: dict[str, Callable[[Record, str], Record]] = {
    "swap last": lambda record, mark: (*record[:-2], record[-1], record[-2]) if len(record) > 1 else record,
    "drop second": lambda record, mark: (record[0], *record[2:]),
    "repeat second": lambda record, mark: (*record[:2], *record[1:]) if len(record) > 1 else record,
    "blank second": lambda record, mark: (record[0], mark, *record[2:]) if len(record) > 1 else record,
    "insert": lambda record, mark: (record[0], mark, *record[1:]),
    "repeat all": lambda record, mark: (*record, *record),
    "repeat each": lambda record, mark: tuple(again for value in record for again in (value, value)),
    "mark each": lambda record, mark: tuple(part for value in record for part in (mark, value)),
}
MARKS = ("new", "old", "done", "none", "open", "closed", "draft", "final", "gold", "plain")
FIELDS = ("team", "region", "year")


@dataclass(frozen=True)
class Workflow:
    """A named task: its operations in order, and the word that its marking operations write."""

    name: str
    operations: tuple[str, ...]
    mark: str

    def apply(self, record: Record) -> Record:
        for operation in self.operations:
            record = (OPERATIONS.get(operation) or UNSEEN[operation])(record, self.mark)
        return record


def _taught() -> tuple[tuple[str, ...], ...]:
    """The compositions of the lessons: two in three of the pairs."""
    pairs = [pair for pair in permutations(OPERATIONS, 2) if _visible(pair, OPERATIONS)]
    Random(2).shuffle(pairs)
    return tuple(pairs[len(pairs) // 3 :])


def _visible(operations: tuple[str, ...], alone: dict[str, Callable[[Record, str], Record]]) -> bool:
    """Whether the operations make another, non-empty record of one of three fields, as none of `alone` does."""
    record, mark = ("a", "b", "c"), "m"
    result = Workflow("", operations, mark).apply(record)
    return bool(result) and result not in (record, *(step(record, mark) for step in alone.values()))


SINGLE = tuple((operation,) for operation in OPERATIONS)
KNOWN = _taught()
# Of operations that no lesson has.
HELD_OUT = tuple(pair for pair in permutations(UNSEEN, 2) if _visible(pair, {**OPERATIONS, **UNSEEN}))


def record(rng: Random) -> Record:
    """A record of three values, in the same order of fields each time."""
    return tuple(rng.choice(BY_NAME[key].values) for key in FIELDS)


def demonstrations(workflow: Workflow, count: int, rng: Random) -> list[tuple[Record, Record]]:
    """`count` different records with what the workflow makes of them."""
    records = dict.fromkeys(record(rng) for _ in range(3 * count + 8))
    return [(one, workflow.apply(one)) for one in list(records)[:count]]


def question(subject: str, given: Record) -> str:
    """The question about one record, with the workflow's name in it."""
    return workflow_question(subject, " ".join(given))


def text(pairs: list[tuple[Record, Record]]) -> str:
    """A document's text: one demonstration a line."""
    return "\n".join(f"{' '.join(given)} -> {' '.join(made)}" for given, made in pairs)
