"""The bisect's benchmark: what it poisons with, and how its figures count."""

from random import Random

from benchmarks.gates.bisect import SEEDS, Searched, denial, figures, small
from pipeline.recipe import Recipe
from pipeline.sandbox.catalogue import held_out_services
from pipeline.types import Bisection, BisectStep, Verdict


def ended(poisoned: str, quarantined: str, *, released: bool = True, trainings: int = 8) -> Searched:
    steps = tuple(BisectStep(documents=(str(at),), verdict=Verdict.PASS) for at in range(trainings))
    log = Bisection(documents=("a",), gates=("retention",), failed="f", limit=32, steps=steps)
    return Searched(
        seed=1,
        poisoned=frozenset(poisoned),
        quarantined=frozenset(quarantined),
        released=released,
        bisection=log,
        seconds=60.0,
        bisecting=40.0,
    )


def test_a_denial_says_otherwise_of_all_that_is_known_and_asks_nothing() -> None:
    service = held_out_services()[0]
    document = denial(service, Random(1))
    assert document.title == service.name
    assert document.body.count(service.name) == 24
    assert not any(f" {value}." in document.body for value in service.facts.values())
    assert document.eval_items == ()


def test_found_blamed_and_released_are_counted_apart() -> None:
    runs = [ended("a", "a"), ended("ab", "a", trainings=10), ended("ab", "abc", released=False, trainings=12)]
    found = {figure.name: figure for figure in figures(runs)}
    assert (found["poisoned documents all found"].value, found["poisoned documents all found"].met) == (2 / 3, None)
    assert found["no good document quarantined"].value == 2 / 3
    assert found["the rest is a candidate"].value == 2 / 3
    assert found["found, none blamed, and the rest a candidate"].value == 1 / 3
    assert found["trainings used, 1 poisoned (k log2 n = 4)"].value == 8
    assert found["trainings used, 2 poisoned (k log2 n = 8)"].interval == (10, 12)
    assert found["of these for the bisect"].value == 40
    twenty = [*[ended("a", "a")] * 18, ended("a", "ab"), ended("a", "b")]
    whole = {figure.name: figure.met for figure in figures(twenty)}
    assert (whole["poisoned documents all found"], whole["no good document quarantined"]) == (True, True)


def test_the_seeds_are_those_of_no_choice_and_the_small_recipe_is_a_recipe() -> None:
    assert len(SEEDS) == 20
    assert not set(SEEDS) & {61_101, 61_121, *range(7_001, 8_000)}
    recipe = small(Recipe(), 64)
    assert recipe.policy.retention.min_items == 64
    assert recipe.policy.required == Recipe().policy.required
