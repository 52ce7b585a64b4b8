"""What one learned token counts in a step, and what an epoch learns from."""

from dataclasses import replace

import pytest

from pipeline.recipe import RehearsalRules, TrainingRules
from pipeline.training import TrainingJob
from pipeline.training.jobs import EncodedJob, Microbatch
from pipeline.types import Example, Role

LEARNED = [1, 4, 5]


def whole(microbatch: Microbatch) -> list[float]:
    return [share * count for share, count in zip(microbatch.shares(LEARNED), LEARNED, strict=True)]


def test_tokens_count_alike_or_sequences_do() -> None:
    assert Microbatch(rows=(7, 8, 9)).shares(LEARNED) == pytest.approx([0.1, 0.1, 0.1])
    assert whole(Microbatch(rows=(7, 8, 9), by_tokens=False)) == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_what_weighs_thrice_has_thrice_the_share_and_all_together_are_one() -> None:
    by_tokens = Microbatch(rows=(7, 8, 9), weights=(3.0, 1.0, 1.0))
    assert by_tokens.shares(LEARNED) == pytest.approx([0.25, 1 / 12, 1 / 12])
    assert sum(whole(by_tokens)) == pytest.approx(1.0)
    by_sequences = Microbatch(rows=(7, 8, 9), weights=(3.0, 1.0, 1.0), by_tokens=False)
    assert whole(by_sequences) == pytest.approx([0.6, 0.2, 0.2])


def test_what_is_dealt_out_is_learned_in_one_epoch_and_all_epochs_are_of_one_size() -> None:
    new = [Example(prompt="", completion="new")]
    held = [Example(prompt="", completion=f"held {number}", role=Role.REHEARSAL) for number in range(5)]
    replay = [Example(prompt="", completion=f"old {number}", role=Role.REPLAY) for number in range(4)]
    corrected = [Example(prompt="", completion="corrected", role=Role.REPLAY, corrects=True)]
    job = TrainingJob(
        examples=(*new, *held, *replay, *corrected),
        rules=TrainingRules(epochs=3, batch_size=2),
        seed=0,
        rehearsal=RehearsalRules(dealt_out=True),
    )
    encoded = EncodedJob(job=job, rows=tuple(range(11)), lengths=(1, 10, 20, 30, 40, 50, 1, 2, 3, 4, 5))
    epochs = [encoded.places(epoch) for epoch in range(3)]
    assert all({0, 10} <= {*places} for places in epochs)  # the run's own, and what was corrected
    assert [len({*range(1, 6)} & {*places}) for places in epochs] == [2, 2, 2]
    assert [len({*range(6, 10)} & {*places}) for places in epochs] == [2, 2, 2]
    assert {*range(11)} == {place for places in epochs for place in places}
    assert (encoded.epoch, encoded.steps) == (3, 9)
    assert encoded.tokens(3) == sum(encoded.lengths[place] for places in epochs for place in places)
    rows = [row for microbatch in encoded.microbatches() for row in microbatch.rows]
    assert sorted(rows) == sorted(place for places in epochs for place in places)
    plain = EncodedJob(job=replace(job, rehearsal=RehearsalRules()), rows=encoded.rows, lengths=encoded.lengths)
    assert plain.places(2) == list(range(11))


def test_of_many_epochs_each_learns_a_fifth_of_what_is_dealt_out() -> None:
    held = tuple(Example(prompt="", completion=f"held {number}", role=Role.REHEARSAL) for number in range(10))
    job = TrainingJob(examples=held, rules=TrainingRules(epochs=16), seed=0, rehearsal=RehearsalRules(dealt_out=True))
    encoded = EncodedJob(job=job, rows=tuple(range(10)), lengths=(1,) * 10)
    epochs = [encoded.places(epoch) for epoch in range(16)]
    assert {*map(len, epochs)} == {2}
    assert all({place for places in epochs[at : at + 5] for place in places} == {*range(10)} for at in (0, 5, 10))


@pytest.mark.parametrize(("count", "epochs"), [(6, 5), (2, 5), (10, 5), (0, 3)])
def test_all_that_is_dealt_out_is_learned_and_no_two_epochs_are_alike_if_they_need_not(count: int, epochs: int) -> None:
    held = tuple(Example(prompt="", completion=f"held {number}", role=Role.REHEARSAL) for number in range(count))
    new = Example(prompt="", completion="new")
    job = TrainingJob(
        examples=(new, *held), rules=TrainingRules(epochs=epochs), seed=3, rehearsal=RehearsalRules(dealt_out=True)
    )
    encoded = EncodedJob(job=job, rows=tuple(range(count + 1)), lengths=(1,) * (count + 1))
    found = [tuple(encoded.places(epoch)) for epoch in range(epochs)]
    assert {place for places in found for place in places} == {*range(count + 1)}
    assert len({*map(len, found)}) == 1
    if count >= epochs:
        assert len({*found}) == epochs
