"""Finds training examples that ask a held-out question, or name a subject that must not be rehearsed.

Both users share this one definition: the planning that drops such examples, and the gate that checks the result.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from rapidfuzz import fuzz, process

from pipeline.documents.demonstrations import demonstrations
from pipeline.grading import normalise
from pipeline.heuristics import SANDBOX_FITTED
from pipeline.types import EvalItem, Example, Role

_SPEAKER = re.compile(r"^\s*(?:q|question|user|prompt|input)\s*:\s*", re.IGNORECASE)
_NOT_FROM_DOCUMENTS = frozenset({Role.REHEARSAL, Role.GENERATIVE})
_SENTENCE = re.compile(r"(?<=[.?!])\s+|(?<=[。！？｡])|(?<=[؟।॥])\s*")


@dataclass(frozen=True, kw_only=True)
class TrainingGuard:
    """What a run's training examples must not contain. Built once a run.

    `questions`: keys of held-out questions (`held_out_keys`) that no example asks. `subjects`: names (normalised) that
    no rehearsal prompt and no generative replay mentions. `refusals`: how the model's refusals begin; no self-edit
    answers a question that the model refuses.
    """

    questions: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    refusals: frozenset[str] = frozenset()


UNGUARDED = TrainingGuard()


def held_out_keys(eval_items: Iterable[EvalItem]) -> frozenset[str]:
    """For each eval item its question, and its question followed by each answer, normalised.

    A question below a workflow's demonstrations is also added without them.
    """
    keys: set[str] = set()
    for eval_item in eval_items:
        for question in _alone(eval_item.question):
            keys.add(normalise(question))
            keys.update(normalise(f"{question} {answer}") for answer in eval_item.answers)
    return frozenset(keys - {""})


def _alone(question: str) -> tuple[str, ...]:
    """The question, and its last line as well if demonstrations stand above that."""
    shown, _, last = question.rpartition("\n")
    return (question, last) if demonstrations(shown) else (question,)


def leaked(example: Example, keys: frozenset[str]) -> str | None:
    """The first of `keys` that is a whole text, line or sentence of the example (normalised), or None."""
    said = map(normalise, pieces(example.prompt, example.completion))
    return next((piece for piece in said if piece in keys), None)


def asked_by(examples: Iterable[Example], keys: frozenset[str]) -> frozenset[str]:
    """Those of `keys` that any of the examples asks, as `leaked` finds them."""
    said = (piece for example in examples for piece in pieces(example.prompt, example.completion))
    return keys.intersection(map(normalise, said))


def without_leaks(examples: Sequence[Example], keys: frozenset[str]) -> tuple[Example, ...]:
    """The examples that ask none of `keys`, in their order."""
    return tuple(example for example in examples if leaked(example, keys) is None)


def subjects(eval_items: Iterable[EvalItem]) -> frozenset[str]:
    """The names (normalised) of groups of eval items whose name stands in each of the group's questions."""
    asked: dict[str, list[str]] = {}
    for eval_item in eval_items:
        asked.setdefault(normalise(eval_item.group), []).append(f" {normalise(eval_item.question)} ")
    return frozenset(
        group for group, questions in asked.items() if group and all(f" {group} " in question for question in questions)
    )


def rehearsable(examples: Sequence[Example], known: frozenset[str]) -> tuple[Example, ...]:
    """The examples that `subject_named` does not find, in their order."""
    named = {example.id for example, _ in subject_named(examples, known)}
    return tuple(example for example in examples if example.id not in named)


def subject_named(examples: Iterable[Example], known: frozenset[str]) -> tuple[tuple[Example, str], ...]:
    """The rehearsal prompts and generative replay that name a subject in `known`, each with the name as spelled there.

    In their order, names normalised. Examples made from documents may name any subject. Generative replay also counts
    where it misspells the name (`lookalikes`).
    """
    texts = [
        (one, f" {normalise(one.prompt)} {normalise(one.completion)} ")
        for one in examples
        if one.role in _NOT_FROM_DOCUMENTS
    ]
    written = [text for one, text in texts if one.role is Role.GENERATIVE]
    names = {Role.REHEARSAL: _padded(known), Role.GENERATIVE: _padded(lookalikes(written, known))}
    named = ((one, next((name for name in names[one.role] if name in text), "")) for one, text in texts)
    return tuple((one, name.strip()) for one, name in named if name)


def _padded(names: frozenset[str]) -> list[str]:
    return [f" {name} " for name in sorted(names)]


def pieces(*texts: str) -> Iterator[str]:
    """The texts, their lines and their sentences: what `leaked` compares, once it is normalised."""
    for text in texts:
        yield text
        for line in text.splitlines():
            bare = _SPEAKER.sub("", line)
            yield bare
            yield from sentences(bare)


def sentences(text: str) -> list[str]:
    """The text's sentences, as `leaked` tells them apart."""
    return _SENTENCE.split(text)


_BLOCK = 4_096  # words that are compared at once


def lookalikes(texts: Iterable[str], names: Collection[str]) -> frozenset[str]:
    """The names, and every spelling of them with words that occur in the texts and look like theirs.

    All strings are normalised (`pipeline.grading.normalise`). Only words of more than `longest_plain_word` letters have
    lookalikes, and only with the same digits: "many" is not "germany", and release 43 is not release 42.
    """
    longest = SANDBOX_FITTED.longest_plain_word
    long_words = sorted({word for name in names for word in name.split() if len(word) > longest})
    alike = _alike(sorted({word for text in texts for word in text.split()}), long_words)
    return frozenset(
        " ".join(spelled) for name in names for spelled in product(*(alike.get(word, {word}) for word in name.split()))
    )


def _alike(words: list[str], names: list[str]) -> dict[str, set[str]]:
    """For each name itself and the words that look like it."""
    found = {name: {name} for name in names}
    for word, place in _pairs(words, names):
        if _digits(word) == _digits(names[place]):
            found[names[place]].add(word)
    return found


def _pairs(words: list[str], names: list[str]) -> Iterator[tuple[str, int]]:
    for start in range(0, len(words), _BLOCK):
        block = words[start : start + _BLOCK]
        scores = process.cdist(block, names, scorer=fuzz.ratio, score_cutoff=SANDBOX_FITTED.name_similarity)
        for row, column in zip(*scores.nonzero(), strict=True):
            yield block[row], int(column)


def _digits(word: str) -> str:
    return "".join(filter(str.isdigit, word))
