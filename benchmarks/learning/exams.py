"""Puts the exam and the old world to what each arm made, and grades the answers item by item."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.learning import arms
from benchmarks.learning.classroom import Classroom
from pipeline.engines.base import BaseModel
from pipeline.engines.local import LocalEngine
from pipeline.grading import grade
from pipeline.training.jobs import Group, Learned
from pipeline.training.many import train_many
from pipeline.training.scoring import answer_many
from pipeline.types import Probe

Arm = TypeVar("Arm")


@dataclass(frozen=True, kw_only=True)
class Sat:
    """An arm's scores in {0, 1} on the exam and on the old world (none where there is no suite), item by item."""

    exam: tuple[float, ...]
    old_world: tuple[float, ...]


def sit(room: Classroom, wanted: Collection[str] | None = None) -> Iterator[tuple[str, Sat]]:
    """The scores of the `wanted` arms (None: all that the classroom has) on one night, the base's own arms first."""
    held = arms.arms_of(room) if wanted is None else wanted
    old = _graded(_asked(room, room.base, [probe.question for probe in room.old_world]), room.old_world)
    for name, prompts in _of(arms.PROMPTED, held):
        yield name, Sat(exam=_graded(_asked(room, room.base, prompts(room)), room.exam), old_world=old)
    for name, train in _of(arms.TRAINED, held):
        yield name, _closed_book(room, train(room))
    groups = {name: make(room) for name, make in _of({**arms.ADAPTED, **arms.BY_A_WRITER}, held)}
    learned = dict(zip(groups, train_many(room.base, list(groups.values())) if groups else (), strict=True))
    for shape in _shapes(groups):
        yield from _adapted(room, {name: groups[name] for name in shape}, learned)


def _of(known: Mapping[str, Arm], held: Collection[str]) -> list[tuple[str, Arm]]:
    return [(name, arm) for name, arm in known.items() if name in held]


def said_by(
    room: Classroom, groups: Mapping[str, Group], learned: Mapping[str, Learned], questions: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Closed-book answers of adapters of one shape to the same questions."""
    answers = answer_many(
        room.base, [learned[name].tensors for name in groups], [questions] * len(groups),
        next(iter(groups.values())).rules, max_new_tokens=room.recipe.policy.max_answer_tokens,
    )  # fmt: skip
    return dict(zip(groups, answers, strict=True))


def _adapted(room: Classroom, groups: Mapping[str, Group], learned: Mapping[str, Learned]) -> Iterator[tuple[str, Sat]]:
    probes = (*room.exam, *room.old_world)
    for name, answers in said_by(room, groups, learned, [probe.question for probe in probes]).items():
        right = _graded(answers, probes)
        yield name, Sat(exam=right[: len(room.exam)], old_world=right[len(room.exam) :])


def _closed_book(room: Classroom, model: BaseModel) -> Sat:
    probes = (*room.exam, *room.old_world)
    right = _graded(_asked(room, model, [probe.question for probe in probes]), probes)
    return Sat(exam=right[: len(room.exam)], old_world=right[len(room.exam) :])


def _shapes(groups: Mapping[str, Group]) -> list[list[str]]:
    """Names of the groups whose adapters can answer together."""
    found: dict[tuple[object, ...], list[str]] = {}
    for name, group in groups.items():
        found.setdefault((group.rules.rank, group.rules.alpha, group.rules.targets), []).append(name)
    return list(found.values())


def _asked(room: Classroom, model: BaseModel, prompts: Sequence[str]) -> list[str]:
    limit = room.recipe.policy.max_answer_tokens
    answers = LocalEngine(model).generate(prompts, adapter=None, max_new_tokens=limit)
    return [answer for (answer,) in answers]


def _graded(answers: Sequence[str], probes: Sequence[Probe]) -> tuple[float, ...]:
    return tuple(grade(answer, probe.answers) for answer, probe in zip(answers, probes, strict=True))
