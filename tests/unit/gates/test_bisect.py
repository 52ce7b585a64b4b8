"""The search for culprits: found for every size and set, also where two fail only together, in few trainings."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from math import ceil, log2
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gates.bisect import (
    FACTORS,
    Change,
    CulpritSets,
    blamed_gates,
    change_of,
    failing_sentence,
    find_culprits,
    find_factor,
)
from gates.catalogue import checks
from gates.evaluation import report_on
from pipeline.recipe import AcquisitionPolicy, PolicyRules
from pipeline.types import GateReport, GateResult, ModelRef, Verdict

Fails = Callable[[frozenset[str]], bool]
PLENTY = 10_000


def names(count: int) -> tuple[str, ...]:
    return tuple(f"d{at:02d}" for at in range(count))


def fails_with(sets: Collection[Collection[str]]) -> Fails:
    return lambda subset: any(subset.issuperset(one) for one in sets)


def searched(documents: Sequence[str], fails: Fails, budget: int = PLENTY) -> tuple[CulpritSets, list[int]]:
    """What is found, and the sizes of the batches that were asked. No subset is asked twice."""
    search, sizes, seen = find_culprits(documents, budget), [], set[frozenset[str]]()
    try:
        batch = next(search)
        while True:
            asked = [frozenset(one) for one in batch]
            assert seen.isdisjoint(asked)
            assert len(set(asked)) == len(asked)
            assert all(list(one) == [name for name in documents if name in one] for one in batch)
            seen.update(asked)
            sizes.append(len(batch))
            batch = search.send(tuple(map(fails, asked)))
    except StopIteration as done:
        return done.value, sizes


def all_found(documents: Sequence[str], fails: Fails) -> tuple[list[tuple[str, ...]], int]:
    """The searches of a run that goes on with the rest, until that does not fail: what is found, and the trainings."""
    found, trainings, rest = list[tuple[str, ...]](), 0, tuple(documents)
    while fails(frozenset(rest)):
        culprits, _ = searched(rest, fails)
        assert culprits.complete
        assert culprits.sets, "a set that fails has a culprit"
        found += culprits.sets
        trainings += culprits.trainings
        gone = {one for together in culprits.sets for one in together}
        rest = tuple(one for one in rest if one not in gone)
    return found, trainings


@st.composite
def single_culprits(draw: st.DrawFn) -> tuple[tuple[str, ...], frozenset[str]]:
    documents = names(draw(st.integers(1, 64)))
    return documents, draw(st.frozensets(st.sampled_from(documents), min_size=1, max_size=len(documents)))


@given(single_culprits())
@settings(max_examples=60, deadline=None)
def test_each_culprit_is_found_in_one_search_and_nobody_else(
    case: tuple[tuple[str, ...], frozenset[str]],
) -> None:
    documents, culprits = case
    found, sizes = searched(documents, fails_with([{one} for one in culprits]))
    assert sorted(found.sets) == sorted((one,) for one in culprits)
    assert found.complete
    assert found.trainings == sum(sizes)
    levels = ceil(log2(len(documents))) if len(documents) > 1 else 0
    assert len(sizes) <= levels
    assert found.trainings <= 2 * len(culprits) * levels


@st.composite
def interactions(draw: st.DrawFn) -> tuple[tuple[str, ...], list[frozenset[str]]]:
    """Sets of one to three documents that fail only whole; they may share documents."""
    documents = names(draw(st.integers(3, 40)))
    one = st.frozensets(st.sampled_from(documents), min_size=1, max_size=3)
    return documents, draw(st.lists(one, min_size=1, max_size=4))


@given(interactions())
@settings(max_examples=60, deadline=None)
def test_what_fails_only_together_is_found_together_and_the_rest_is_good(
    case: tuple[tuple[str, ...], list[frozenset[str]]],
) -> None:
    documents, sets = case
    fails = fails_with(sets)
    found, trainings = all_found(documents, fails)
    for together in found:
        assert fails(frozenset(together))
        assert all(not fails(frozenset(together) - {one}) for one in together), "1-minimal"
    members = sum(map(len, found))
    assert len({one for together in found for one in together}) == members
    assert trainings <= 4 * members * (ceil(log2(len(documents))) + 1)


@given(st.integers(2, 64), st.data())
@settings(max_examples=60, deadline=None)
def test_a_pair_that_fails_only_together_is_found_within_4_log2_n(count: int, data: st.DataObject) -> None:
    documents = names(count)
    pair = data.draw(st.frozensets(st.sampled_from(documents), min_size=2, max_size=2))
    found, _ = searched(documents, fails_with([pair]))
    assert [frozenset(one) for one in found.sets] == [pair]
    assert found.trainings <= 4 * ceil(log2(count)) + 3


@given(single_culprits(), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_no_more_is_trained_than_allowed_and_what_is_named_was_seen_to_fail(
    case: tuple[tuple[str, ...], frozenset[str]], budget: int
) -> None:
    documents, culprits = case
    found, sizes = searched(documents, fails_with([{one} for one in culprits]), budget)
    assert found.trainings == sum(sizes) <= budget
    assert {one for together in found.sets for one in together} <= culprits
    assert found.complete == (len(found.sets) == len(culprits))


@given(st.integers(2, 12), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_verdicts_that_follow_no_rule_end_the_search_and_name_only_what_failed(count: int, draw: Any) -> None:
    verdicts = {frozenset(names(count)): True}

    def fails(subset: frozenset[str]) -> bool:
        return verdicts.setdefault(subset, draw.random() < 0.4)

    found, sizes = searched(names(count), fails)
    assert found.complete
    assert found.trainings == sum(sizes) < 2**count
    assert all(fails(frozenset(one)) for one in found.sets)


@given(st.integers(8, 64))
@settings(max_examples=30, deadline=None)
def test_harm_that_adds_up_is_given_up_soon_and_blames_nobody(count: int) -> None:
    found, _ = searched(names(count), lambda subset: len(subset) > 0.8 * count)
    assert (found.sets, found.complete) == ((), True)
    assert found.trainings <= 3 * ceil(log2(count))


def test_sixteen_documents_with_one_culprit_take_eight_trainings_in_four_batches() -> None:
    found, sizes = searched(names(16), fails_with([{"d11"}]))
    assert (found.sets, sizes) == ((("d11",),), [2, 2, 2, 2])


def test_three_culprits_are_looked_for_side_by_side() -> None:
    found, sizes = searched(names(16), fails_with([{"d01"}, {"d06"}, {"d11"}]))
    assert sorted(found.sets) == [("d01",), ("d06",), ("d11",)]
    assert sizes == [2, 4, 6, 6]


@pytest.mark.parametrize("largest", [None, *FACTORS])
def test_the_largest_factor_inside_the_budget_is_found_in_three_tries(largest: float | None) -> None:
    inside = frozenset(factor for factor in FACTORS if largest is not None and factor <= largest)
    search, tried, found = find_factor(), list[float](), None
    try:
        factor = next(search)
        while True:
            tried.append(factor)
            factor = search.send(Change.INSIDE if factor in inside else Change.TOO_MUCH)
    except StopIteration as done:
        found = done.value
    assert (found, len(tried)) == (largest, 3)


def test_a_factor_that_learns_too_little_is_followed_by_a_larger_one() -> None:
    search = find_factor()
    assert next(search) == 0.5
    assert search.send(Change.TOO_LITTLE) == 0.75
    assert search.send(Change.TOO_MUCH) == 0.625
    with pytest.raises(StopIteration) as done:
        search.send(Change.TOO_LITTLE)
    assert done.value.value is None


def report(**verdicts: Verdict) -> GateReport:
    results = tuple(GateResult(gate=gate, verdict=one, sentence=f"{gate}: {one}") for gate, one in verdicts.items())
    model = ModelRef(base="b" * 64)
    return GateReport(update="u", candidate=model, production=model, policy="p", results=results)


def test_only_a_fail_of_a_gate_that_judges_parts_is_a_reason_to_bisect() -> None:
    found = report(
        acquisition=Verdict.FAIL,
        retention=Verdict.FAIL,
        safety=Verdict.INCONCLUSIVE,
        integrity=Verdict.FAIL,
        serving=Verdict.FAIL,
    )
    assert blamed_gates(found) == ("retention",)
    assert failing_sentence(found, ("safety", "retention")) == "retention: FAIL"
    assert failing_sentence(found, ("safety",)) == ""
    informing = replace(found, results=tuple(replace(one, required=False) for one in found.results))
    assert blamed_gates(informing) == ()
    assert blamed_gates(report(acquisition=Verdict.FAIL)) == ()
    assert blamed_gates(report(serving=Verdict.FAIL)) == ()
    assert blamed_gates(report(retention=Verdict.INCONCLUSIVE)) == ()


def test_few_questions_of_a_small_part_are_inconclusive_and_blame_nobody(case: Any, rights: Any) -> None:
    policy = PolicyRules(acquisition=AcquisitionPolicy(min_items=40, min_documents=4))
    part = case().run(rights(8, 8), rights(8, 2)).standing("retention", "known", rights(400), rights(400, 4))
    found = report_on(part.evidence(), policy, checks(policy))
    verdicts = {one.gate: one.verdict for one in found.results}
    assert verdicts["acquisition"] is Verdict.INCONCLUSIVE
    assert verdicts["retention"] is Verdict.PASS
    assert failing_sentence(found, ("acquisition", "retention")) == ""


def test_a_scaled_adapter_is_inside_where_all_pass_and_learned_too_little_where_only_gains_are_missing() -> None:
    assert change_of(report(retention=Verdict.PASS, acquisition=Verdict.PASS)) is Change.INSIDE
    assert change_of(report(retention=Verdict.PASS, acquisition=Verdict.FAIL)) is Change.TOO_LITTLE
    assert change_of(report(retention=Verdict.INCONCLUSIVE, acquisition=Verdict.FAIL)) is Change.TOO_MUCH
