"""Which eval items a canary and the stable release are both asked, and how their answers are graded. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from gates.evidence import held_out_items
from gates.suite import Suites
from pipeline.digests import digest_of
from pipeline.grading import judge, normalise
from pipeline.types import Document, EvalItem, Outcome

Learned = Sequence[tuple[int, Sequence[Document]]]


def items_for_both(suites: Suites, learned: Learned, release: int, epoch: int) -> tuple[EvalItem, ...]:
    """What both releases should know: the retention suites, and what was learned before `release`.

    learned: by release its documents. One item of each group, since answers about one document stand and fall together;
    none whose question has two different answers, since a correction may have changed it. `epoch` draws the order.
    """
    in_suites = [item for suite in suites.retention for item in suite.eval_items]
    known = {number: held_out_items(documents) for number, documents in learned}
    everything = [*in_suites, *(item for items in known.values() for item in items)]
    answers: dict[str, set[frozenset[str]]] = {}
    for item in everything:
        answers.setdefault(normalise(item.question), set()).add(frozenset(map(normalise, item.answers)))
    earlier = [*in_suites, *(item for number, items in known.items() if number < release for item in items)]
    settled = [item for item in earlier if len(answers[normalise(item.question)]) == 1]
    drawn = sorted(settled, key=lambda item: digest_of("canary item", epoch, item.id))
    return tuple({key_of(item): item for item in reversed(drawn)}.values())[::-1]


def key_of(item: EvalItem) -> str:
    """By what an item counts once: its group, or itself where it stands alone."""
    return item.group or item.id


def graded(asked: Iterable[tuple[EvalItem, str, str]], epoch: int, at: datetime) -> tuple[Outcome, ...]:
    """The outcomes of items with the answers of the canary and of the stable release."""
    return tuple(
        Outcome(
            epoch=epoch,
            key=key_of(item),
            at=at,
            canary_failed=not judge(canary, item.answers, item.question).right,
            stable_failed=not judge(stable, item.answers, item.question).right,
        )
        for item, canary, stable in asked
    )
