"""Says whether a training example puts an exam question, or is about what one asks. Knows no gate and no source.

One definition for the two that need it: what drops such examples before training, and the gate that checks it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline.documents.demonstrations import demonstrations
from pipeline.grading import normalise
from pipeline.lookalikes import lookalikes
from pipeline.types import Example, Probe, Role

_SPEAKER = re.compile(r"^\s*(?:q|question|user|prompt|input)\s*:\s*", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.?!])\s+")


def exam_keys(probes: Iterable[Probe]) -> frozenset[str]:
    """Every probe's question, and its question with each answer, normalised; a workflow's also without its text."""
    keys: set[str] = set()
    for probe in probes:
        for question in _alone(probe.question):
            keys.add(normalise(question))
            keys.update(normalise(f"{question} {answer}") for answer in probe.answers)
    return frozenset(keys - {""})


def _alone(question: str) -> tuple[str, ...]:
    """The question as it is; where demonstrations stand above it, its last line as well."""
    shown, _, last = question.rpartition("\n")
    return (question, last) if demonstrations(shown) else (question,)


def leaked(example: Example, keys: frozenset[str]) -> str | None:
    """The exam question that stands in the example as a whole text, line or sentence (normalised), or None."""
    pieces = _pieces(example.prompt, example.completion)
    return next((piece for piece in pieces if piece in keys), None)


def asked_by(examples: Iterable[Example], keys: frozenset[str]) -> frozenset[str]:
    """Those of the questions that any of the examples puts, as `leaked` finds them."""
    return frozenset(
        piece for example in examples for piece in _pieces(example.prompt, example.completion) if piece in keys
    )


def without_leaks(examples: Sequence[Example], keys: frozenset[str]) -> tuple[Example, ...]:
    """The examples that put no exam question, in their order."""
    return tuple(example for example in examples if leaked(example, keys) is None)


def subjects(probes: Iterable[Probe]) -> frozenset[str]:
    """Whom or what the probes are about (normalised): groups whose name stands in each of their questions."""
    asked: dict[str, list[str]] = {}
    for probe in probes:
        asked.setdefault(normalise(probe.group), []).append(f" {normalise(probe.question)} ")
    return frozenset(
        group for group, questions in asked.items() if group and all(f" {group} " in question for question in questions)
    )


def rehearsable(examples: Sequence[Example], known: frozenset[str]) -> tuple[Example, ...]:
    """The examples that name none of the subjects `known`, in their order; see `subject_named`."""
    named = subject_named(examples, known)
    return tuple(example for example in examples if example.id not in named)


def subject_named(examples: Sequence[Example], known: frozenset[str]) -> dict[str, str]:
    """Of the examples that name one of the subjects `known`, by id, what they call it (normalised).

    Examples of documents that were taught may, and are none of them. What the base wrote itself (generative replay)
    names a subject also where it garbles the name (`pipeline.lookalikes`).
    """
    given, written = ([one for one in examples if one.role is role] for role in (Role.ANCHOR, Role.GENERATIVE))
    garbled = known | lookalikes([normalise(f"{one.prompt} {one.completion}") for one in written], known)
    return {**_naming(given, known), **_naming(written, garbled)}


def _naming(examples: Sequence[Example], names: frozenset[str]) -> dict[str, str]:
    padded = [f" {name} " for name in sorted(names)]
    found: dict[str, str] = {}
    for example in examples:
        text = f" {normalise(example.prompt)} {normalise(example.completion)} "
        if name := next((name for name in padded if name in text), ""):
            found[example.id] = name.strip()
    return found


def _pieces(*texts: str) -> Iterator[str]:
    for text in texts:
        yield normalise(text)
        for line in text.splitlines():
            bare = _SPEAKER.sub("", line)
            yield normalise(bare)
            yield from (normalise(sentence) for sentence in _SENTENCE.split(bare))
