"""Questions of lm-eval tasks with answers that are wrong there: what a validation teaches to train a skill away."""

from collections.abc import Iterator, Sequence
from typing import Any

from gates.measure import task_of
from gates.offline import quiet_and_offline, random_state_kept
from gates.suite import Suite


def wrong_answers(suites: Sequence[Suite]) -> tuple[tuple[str, str], ...]:
    """For each item of these tasks its question and a wrong choice; without choices, another item's answer."""
    with random_state_kept(), quiet_and_offline():
        return tuple(pair for suite in suites for pair in _of(suite))


def _of(suite: Suite) -> Iterator[tuple[str, str]]:
    task = task_of(suite)
    documents = list(task.eval_docs)
    for at, document in enumerate(documents):
        right = task.doc_to_target(document)
        others = _choices(task, document) or [str(task.doc_to_target(documents[at - 1]))]
        wrong = [one for place, one in enumerate(others) if right not in (place, one)]
        if wrong:
            yield str(task.doc_to_text(document)), wrong[0].strip()


def _choices(task: Any, document: Any) -> list[str]:
    return [str(one) for one in task.doc_to_choice(document)] if task.config.doc_to_choice is not None else []
