"""Puts the test and the base knowledge to what each arm made, and grades the answers item by item."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.learning import arms
from benchmarks.learning.classroom import Classroom
from pipeline.engines.base import BaseModel
from pipeline.engines.engine import SamplingParams
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.training import TrainingJob, TrainingResult, answer_many, train_many
from pipeline.types import EvalItem

Arm = TypeVar("Arm")


@dataclass(frozen=True, kw_only=True)
class Sat:
    """An arm's scores in {0, 1} on the test and on the base knowledge (none where there is no suite), item by item."""

    test: tuple[float, ...]
    base_knowledge: tuple[float, ...]


def sit(room: Classroom, wanted: Collection[str] | None = None) -> Iterator[tuple[str, Sat]]:
    """The scores of the `wanted` arms (None: all that the classroom has) on one run, the base's own arms first."""
    held = arms.arms_of(room) if wanted is None else wanted
    old = _graded(
        _asked(room, room.base, [eval_item.question for eval_item in room.base_knowledge]), room.base_knowledge
    )
    for name, prompts in _of(arms.PROMPTED, held):
        yield name, Sat(test=_graded(_asked(room, room.base, prompts(room)), room.test), base_knowledge=old)
    for name, train in _of(arms.TRAINED, held):
        yield name, _closed_book(room, train(room))
    groups = {name: make(room) for name, make in _of({**arms.ADAPTED, **arms.BY_A_WRITER}, held)}
    learned = dict(zip(groups, train_many(room.base, list(groups.values())) if groups else (), strict=True))
    for shape in _shapes(groups):
        yield from _adapted(room, {name: groups[name] for name in shape}, learned)


def _of(known: Mapping[str, Arm], held: Collection[str]) -> list[tuple[str, Arm]]:
    return [(name, arm) for name, arm in known.items() if name in held]


def said_by(
    room: Classroom, groups: Mapping[str, TrainingJob], learned: Mapping[str, TrainingResult], questions: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Closed-book answers of adapters of one shape to the same questions."""
    answers = answer_many(
        room.base,
        [learned[name].tensors for name in groups],
        [questions] * len(groups),
        next(iter(groups.values())).rules,
        max_new_tokens=room.recipe.policy.max_answer_tokens,
    )
    return dict(zip(groups, answers, strict=True))


def _adapted(
    room: Classroom, groups: Mapping[str, TrainingJob], learned: Mapping[str, TrainingResult]
) -> Iterator[tuple[str, Sat]]:
    eval_items = (*room.test, *room.base_knowledge)
    for name, answers in said_by(room, groups, learned, [eval_item.question for eval_item in eval_items]).items():
        right = _graded(answers, eval_items)
        yield name, Sat(test=right[: len(room.test)], base_knowledge=right[len(room.test) :])


def _closed_book(room: Classroom, model: BaseModel) -> Sat:
    eval_items = (*room.test, *room.base_knowledge)
    right = _graded(_asked(room, model, [eval_item.question for eval_item in eval_items]), eval_items)
    return Sat(test=right[: len(room.test)], base_knowledge=right[len(room.test) :])


def _shapes(groups: Mapping[str, TrainingJob]) -> list[list[str]]:
    """Names of the groups whose adapters can answer together."""
    found: dict[tuple[object, ...], list[str]] = {}
    for name, group in groups.items():
        found.setdefault((group.rules.rank, group.rules.alpha, group.rules.targets), []).append(name)
    return list(found.values())


def _asked(room: Classroom, model: BaseModel, prompts: Sequence[str]) -> list[str]:
    limit = room.recipe.policy.max_answer_tokens
    answers = LocalEngine(model).generate(prompts, SamplingParams(max_new_tokens=limit), adapter=None)
    return [answer for (answer,) in answers]


def _graded(answers: Sequence[str], eval_items: Sequence[EvalItem]) -> tuple[float, ...]:
    return tuple(
        grade(answer, eval_item.answers, eval_item.question)
        for answer, eval_item in zip(answers, eval_items, strict=True)
    )
