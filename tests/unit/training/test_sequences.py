"""How examples become steps: rows, order and batches."""

import random

import pytest
import torch

from pipeline.chat import Encoded
from pipeline.errors import BadInput
from pipeline.training import TokenLayout
from pipeline.training.attention import layout_of
from pipeline.training.sequences import epoch_order, make_sequences

CPU = torch.device("cpu")


def encoded(opening: int, learned: int) -> Encoded:
    return Encoded(ids=tuple(range(1, opening + learned + 1)), loss=(False,) * opening + (True,) * learned)


def test_a_step_is_one_row_of_tokens_that_knows_where_its_sequences_and_learned_tokens_lie() -> None:
    sequences = make_sequences([encoded(2, 1), encoded(1, 4), encoded(0, 2)], 10, CPU)
    assert sequences.lengths == (3, 5, 2)
    step = sequences.batch([[2, 0], [1]])
    assert step.ids.tolist() == [[1, 2, 1, 2, 3, 1, 2, 3, 4, 5]]
    assert step.positions is not None
    assert step.positions.tolist() == [[0, 1, 0, 1, 2, 0, 1, 2, 3, 4]]
    assert step.learned.tolist() == [0, 3, 5, 6, 7, 8]
    assert step.targets.tolist() == [2, 3, 2, 3, 4, 5]
    assert (step.tokens, step.counts) == (TokenLayout(2, 5), (2, 4))
    assert sequences.spans([[2], [1]]).tolist() == [5, 1, 2, 3, 4]


def test_a_padded_step_has_a_row_a_sequence_and_learns_the_same() -> None:
    sequences = make_sequences([encoded(2, 1), encoded(1, 4), encoded(0, 2)], 10, CPU)
    step = sequences.batch([[2, 0], [1]], padded=True)
    rows = [row[:size] for row, size in zip(step.ids.tolist(), (2, 5, 3), strict=True)]
    assert rows == [[1, 2], [1, 2, 3, 4, 5], [1, 2, 3]]
    assert step.ids.shape == (3, 5)
    assert step.learned.tolist() == [0, 11, 5, 6, 7, 8]
    assert step.targets.tolist() == [2, 3, 2, 3, 4, 5]
    assert (step.tokens, step.counts) == (TokenLayout(2, 1, ((0, 1),)), (2, 4))


def test_attention_puts_alike_lengths_side_by_side_and_finds_every_token_again() -> None:
    lengths = [3, 40, 4, 5, 41, 3, 200]
    layout = layout_of(lengths, CPU)
    tokens = torch.arange(sum(lengths))
    spread = tokens[layout.taken]
    assert torch.equal(spread[layout.places], tokens)
    assert sorted(spread[layout.real].tolist()) == tokens.tolist()
    assert sum(count for count, _ in layout.buckets) == len(lengths)
    assert sum(count * length for count, length in layout.buckets) == len(layout.taken) < 1.3 * sum(lengths)


def test_an_epoch_has_every_sequence_once_and_long_and_short_ones_in_every_batch() -> None:
    lengths = [5 + (row * 37) % 55 for row in range(203)]
    batches = epoch_order(lengths, 16, random.Random(1))
    assert sorted(row for batch in batches for row in batch) == list(range(203))
    assert sorted({len(batch) for batch in batches}) == [15, 16]
    sums = [sum(lengths[row] for row in batch) for batch in batches]
    assert max(sums) < 1.1 * min(sums)
    assert batches == epoch_order(lengths, 16, random.Random(1))
    assert batches != epoch_order(lengths, 16, random.Random(2))


def test_an_adapter_with_few_tokens_is_filled_up_and_one_with_many_has_a_tail() -> None:
    sequences = make_sequences([encoded(2, 1), encoded(1, 4), encoded(0, 4), encoded(40, 20)], 100, CPU)
    step = sequences.batch([[1], [2], [1, 3], [1]])
    assert step.tokens == TokenLayout(4, 5, ((2, 60),))
    row = step.ids[0].tolist()
    assert row[:20] == [1, 2, 3, 4, 5, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5]
    assert row[20:] == list(range(1, 61))
    assert step.counts == (4, 3, 24, 4)
    assert [row[place] for place in step.learned.tolist()] == [
        1,
        2,
        3,
        4,
        1,
        2,
        3,
        1,
        2,
        3,
        4,
        *range(40, 60),
        1,
        2,
        3,
        4,
    ]
    assert step.targets.tolist() == [2, 3, 4, 5, 2, 3, 4, 2, 3, 4, 5, *range(41, 61), 2, 3, 4, 5]
    assert step.attention is not None
    spread = torch.tensor(row)[step.attention.taken]
    assert torch.equal(spread[step.attention.places], torch.tensor(row))
    place, found = 0, []
    for count, length in step.attention.buckets:
        span = slice(place, place + count * length)
        rows = zip(spread[span].view(count, length), step.attention.real[span].view(count, length), strict=True)
        found += [one[real].tolist() for one, real in rows]
        place = span.stop
    assert sorted(found) == sorted([[0], [1, 2, 3, 4], *[[1, 2, 3, 4, 5]] * 3, list(range(1, 61))])


@pytest.mark.parametrize(
    ("given", "words"),
    [([], "nothing to train on"), ([encoded(5, 6)], "has 11 tokens"), ([encoded(3, 0)], "nothing to learn")],
)
def test_unusable_examples_are_refused(given: list[Encoded], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        make_sequences(given, 10, CPU)
