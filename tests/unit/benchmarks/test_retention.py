"""The arms of the retention benchmark differ as they say, and its figures judge each run as well as their mean."""

from dataclasses import replace

import pytest

from benchmarks.lifetime import Asked, Lived
from benchmarks.peers import seal
from benchmarks.retention import _figures, long_lives, main, sweep
from pipeline.recipe import NO_DISTILLATION, Recipe

RECIPE = Recipe()


def test_each_swept_arm_differs_from_half_the_defaults_amounts() -> None:
    half, *others = sweep(RECIPE)
    assert half.recipe.rehearsal.replay == RECIPE.rehearsal.replay // 2
    assert len({arm.name for arm in (half, *others)}) == len(others) + 1
    assert all((arm.recipe, arm.rebuilds) != (half.recipe, half.rebuilds) for arm in others)
    assert others[-1].recipe == RECIPE


def test_the_life_by_seals_procedure_has_its_constants_and_rehearses_nothing() -> None:
    default, by_seal, plain = long_lives(RECIPE)
    assert default.recipe == RECIPE
    assert (by_seal.by_seal, by_seal.recipe.training, by_seal.recipe.rehearsal) == (True, seal.RULES, NO_DISTILLATION)
    assert (by_seal.recipe.self_edits.styles, by_seal.recipe.self_edits.samples) == (("implications",), 5)
    assert plain.recipe.rehearsal.generative == 0


def test_an_earlier_run_that_fades_is_told_beside_the_mean() -> None:
    untouched = Lived(run=0, examples=0, seconds=0.0, asked=Asked(runs=(), **_standing()))
    first = Lived(run=1, examples=9, seconds=1.0, asked=Asked(runs=((True,) * 4,)))
    second = replace(first, run=2, asked=Asked(runs=((), (True,) * 4)))
    marks = ((True, True, False, False), (True,) * 4, (True,) * 4)
    last = replace(first, run=3, asked=Asked(runs=marks, **_standing()))
    found = {figure.name: figure.value for figure in _figures("arm", [untouched, first, second, last])}
    assert found["arm: earlier releases kept after run 3"] == 0.75
    assert found["arm: the earlier run that was kept least"] == 0.5
    assert found["arm: earlier releases kept below 0.95"] == 1


def _standing() -> dict[str, tuple[bool, ...]]:
    return dict.fromkeys(("base_knowledge", "skills", "reading", "writing"), (True, False))


def test_an_unknown_arm_is_named_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--arms", "nobody"])
    assert "no arm 'nobody': there are default, seal" in capsys.readouterr().err
