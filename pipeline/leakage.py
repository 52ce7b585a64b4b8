"""Says whether a training example puts an test question, or is about what one asks. Knows no gate and no source.

One definition for the two that need it: what drops such examples before training, and the gate that checks it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.documents.demonstrations import demonstrations
from pipeline.grading import normalise
from pipeline.lookalikes import lookalikes
from pipeline.types import EvalItem, Example, Role

_SPEAKER = re.compile(r"^\s*(?:q|question|user|prompt|input)\s*:\s*", re.IGNORECASE)
_UNTAUGHT = frozenset({Role.REHEARSAL, Role.GENERATIVE})
_SENTENCE = re.compile(r"(?<=[.?!])\s+")


@dataclass(frozen=True, kw_only=True)
class TrainingGuard:
    """What no training example of a run may hold; made once a run, and handed on as one value.

    `questions`: keys of held-out questions, as `held_out_keys` gives them. `subjects`: normalised names that nothing
    rehearsed for its own sake may name. `refusals`: openings by which the model refuses; no self-edit answers those.
    """

    questions: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    refusals: frozenset[str] = frozenset()


def held_out_keys(eval_items: Iterable[EvalItem]) -> frozenset[str]:
    """Every eval item's question, and its question with each answer, normalised; a workflow's also without its text."""
    keys: set[str] = set()
    for eval_item in eval_items:
        for question in _alone(eval_item.question):
            keys.add(normalise(question))
            keys.update(normalise(f"{question} {answer}") for answer in eval_item.answers)
    return frozenset(keys - {""})


def _alone(question: str) -> tuple[str, ...]:
    """The question as it is; where demonstrations stand above it, its last line as well."""
    shown, _, last = question.rpartition("\n")
    return (question, last) if demonstrations(shown) else (question,)


def leaked(example: Example, keys: frozenset[str]) -> str | None:
    """The test question that stands in the example as a whole text, line or sentence (normalised), or None."""
    pieces = _pieces(example.prompt, example.completion)
    return next((piece for piece in pieces if piece in keys), None)


def asked_by(examples: Iterable[Example], keys: frozenset[str]) -> frozenset[str]:
    """Those of the questions that any of the examples puts, as `leaked` finds them."""
    return frozenset(
        piece for example in examples for piece in _pieces(example.prompt, example.completion) if piece in keys
    )


def without_leaks(examples: Sequence[Example], keys: frozenset[str]) -> tuple[Example, ...]:
    """The examples that put no test question, in their order."""
    return tuple(example for example in examples if leaked(example, keys) is None)


def subjects(eval_items: Iterable[EvalItem]) -> frozenset[str]:
    """Whom or what the eval items are about (normalised): groups whose name stands in each of their questions."""
    asked: dict[str, list[str]] = {}
    for eval_item in eval_items:
        asked.setdefault(normalise(eval_item.group), []).append(f" {normalise(eval_item.question)} ")
    return frozenset(
        group for group, questions in asked.items() if group and all(f" {group} " in question for question in questions)
    )


def rehearsable(examples: Sequence[Example], known: frozenset[str]) -> tuple[Example, ...]:
    """The examples that name none of the subjects `known`, in their order; see `subject_named`."""
    named = {example.id for example, _ in subject_named(examples, known)}
    return tuple(example for example in examples if example.id not in named)


def subject_named(examples: Iterable[Example], known: frozenset[str]) -> tuple[tuple[Example, str], ...]:
    """The examples that name one of the subjects `known`, in their order, each with what it calls it (normalised).

    Examples of documents that were taught may, and are none of them. What the base wrote itself (generative replay)
    names a subject also where it garbles the name (`pipeline.lookalikes`).
    """
    untaught = [
        (one, f" {normalise(one.prompt)} {normalise(one.completion)} ") for one in examples if one.role in _UNTAUGHT
    ]
    written = [text for one, text in untaught if one.role is Role.GENERATIVE]
    names = {Role.REHEARSAL: _padded(known), Role.GENERATIVE: _padded(lookalikes(written, known))}
    named = ((one, next((name for name in names[one.role] if name in text), "")) for one, text in untaught)
    return tuple((one, name.strip()) for one, name in named if name)


def _padded(names: frozenset[str]) -> list[str]:
    return [f" {name} " for name in sorted(names)]


def _pieces(*texts: str) -> Iterator[str]:
    for text in texts:
        yield normalise(text)
        for line in text.splitlines():
            bare = _SPEAKER.sub("", line)
            yield normalise(bare)
            yield from (normalise(sentence) for sentence in _SENTENCE.split(bare))
