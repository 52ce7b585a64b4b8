"""The world is the same each time, and no service is two things."""

from random import Random

import pytest

from pipeline.errors import BadInput
from pipeline.sandbox.catalogue import (
    ATTRIBUTES,
    PER_RUN,
    RUNS,
    SEEDS,
    base_knowledge,
    body,
    changed,
    correctable_services,
    held_out_services,
    lesson_service,
    new_service,
    rehearsed_services,
)


def test_the_base_knowledge_falls_into_three_parts_without_overlap() -> None:
    parts = [rehearsed_services(), held_out_services(), correctable_services()]
    assert (
        sum(len(part) for part in parts) == len({one.name for part in parts for one in part}) == len(base_knowledge())
    )


def test_new_lesson_and_old_services_never_share_a_name() -> None:
    chance = Random(1)
    places = [(0, 1, 0), (SEEDS - 1, RUNS, PER_RUN - 1)]
    places += [(chance.randrange(SEEDS), chance.randint(1, RUNS), chance.randrange(PER_RUN)) for _ in range(2000)]
    new = {new_service(*place, lane).name for place in dict.fromkeys(places) for lane in range(4)}
    assert len(new) == 4 * len(dict.fromkeys(places))
    assert not new & {service.name for service in base_knowledge()}
    assert not new & {lesson_service(chance).name for _ in range(2000)}


@pytest.mark.parametrize("place", [(-1, 1, 0), (SEEDS, 1, 0), (0, 0, 0), (0, RUNS + 1, 0), (0, 1, PER_RUN)])
def test_beyond_the_names_is_bad_input(place: tuple[int, int, int]) -> None:
    with pytest.raises(BadInput, match="beyond the sandbox's names"):
        new_service(*place)


def test_a_document_states_each_fact_once_and_names_the_service_once() -> None:
    service = new_service(3, 1, 0)
    text = body(service, Random(0))
    assert text.count(service.name) == 1
    assert text.count(".") == len(ATTRIBUTES)
    assert all(value in text for value in service.facts.values())


def test_a_change_changes_what_it_names_and_nothing_else() -> None:
    service = new_service(3, 1, 0)
    other = changed(service, ["team", "year"], Random(0))
    assert {key for key in service.facts if service.facts[key] != other.facts[key]} == {"team", "year"}


def test_every_value_sentence_and_question_is_unlike_the_others() -> None:
    for attribute in ATTRIBUTES:
        assert len(set(attribute.values)) == len(attribute.values) >= 12
        assert len(set(attribute.questions)) == len(set(attribute.sentences)) == 3
        assert all("{v}" in sentence for sentence in attribute.sentences)
        assert all("{n}" in question for question in attribute.questions)
