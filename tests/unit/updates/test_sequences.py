import random

import pytest
import torch

from pipeline.chat import Encoded
from pipeline.errors import BadInput
from pipeline.updates.batch import layout_of
from pipeline.updates.sequences import epoch_order, make_sequences

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
    assert (step.parts, step.counts) == ((5, 5), (2, 4))
    assert sequences.spans([[2], [1]]).tolist() == [5, 1, 2, 3, 4]


def test_a_padded_step_has_a_row_a_sequence_and_learns_the_same() -> None:
    sequences = make_sequences([encoded(2, 1), encoded(1, 4), encoded(0, 2)], 10, CPU)
    step = sequences.batch([[2, 0], [1]], padded=True)
    rows = [row[:size] for row, size in zip(step.ids.tolist(), (2, 3, 5), strict=True)]
    assert rows == [[1, 2], [1, 2, 3], [1, 2, 3, 4, 5]]
    assert step.ids.shape == (3, 5)
    assert step.learned.tolist() == [0, 6, 10, 11, 12, 13]
    assert step.targets.tolist() == [2, 3, 2, 3, 4, 5]
    assert (step.parts, step.counts) == ((2, 1), (2, 4))


def test_attention_puts_alike_lengths_side_by_side_and_finds_every_token_again() -> None:
    lengths = [3, 40, 4, 5, 41, 3, 200]
    layout = layout_of(lengths, CPU)
    tokens = torch.arange(sum(lengths))
    spread = tokens[layout.taken]
    assert torch.equal(spread[layout.places], tokens)
    assert sorted(spread[layout.real].tolist()) == tokens.tolist()
    assert sum(count for count, _ in layout.buckets) == len(lengths)
    assert sum(count * length for count, length in layout.buckets) == len(layout.taken) < 1.3 * sum(lengths)


def test_an_epoch_has_every_sequence_once_in_an_order_of_chance() -> None:
    batches = epoch_order(203, 16, random.Random(1))
    assert sorted(row for batch in batches for row in batch) == list(range(203))
    assert [len(batch) for batch in batches] == [16] * 12 + [11]
    assert batches == epoch_order(203, 16, random.Random(1))
    assert batches != epoch_order(203, 16, random.Random(2))


@pytest.mark.parametrize(
    ("given", "words"),
    [([], "nothing to train on"), ([encoded(5, 6)], "has 11 tokens"), ([encoded(3, 0)], "nothing to learn")],
)
def test_unusable_examples_are_refused(given: list[Encoded], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        make_sequences(given, 10, CPU)
