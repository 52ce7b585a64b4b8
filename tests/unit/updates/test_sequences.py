import random

import pytest
import torch

from pipeline.chat import Encoded
from pipeline.errors import BadInput
from pipeline.updates.sequences import epoch_order, make_sequences

CPU = torch.device("cpu")


def encoded(opening: int, learned: int) -> Encoded:
    return Encoded(ids=tuple(range(1, opening + learned + 1)), loss=(False,) * opening + (True,) * learned)


def test_sequences_are_padded_and_know_where_their_learned_tokens_lie() -> None:
    sequences = make_sequences([encoded(2, 1), encoded(1, 4), encoded(0, 2)], 10, CPU)
    ids, places = sequences.batch([[2, 0]])
    assert ids.tolist() == [[1, 2, 0], [1, 2, 3]]
    assert places.tolist() == [0, 4]
    assert sequences.starts == (0, 1, 5, 6)
    assert sequences.spans([[2], [1]]).tolist() == [5, 1, 2, 3, 4]
    assert [sequences.learned_in(rows) for rows in ([0], [1, 2])] == [1, 5]


def test_every_adapter_of_a_batch_has_as_many_rows_and_padding_teaches_nothing() -> None:
    sequences = make_sequences([encoded(2, 1), encoded(1, 4)], 10, CPU)
    ids, places = sequences.batch([[0], [1, 0]])
    assert ids.tolist() == [[1, 2, 3, 0, 0], [0] * 5, [1, 2, 3, 4, 5], [1, 2, 3, 0, 0]]
    assert places.tolist() == [1, 10, 11, 12, 13, 16]


def test_an_epoch_has_every_sequence_once_and_alike_lengths_together() -> None:
    lengths = [random.Random(0).randrange(5, 60) for _ in range(203)]
    batches = epoch_order(lengths, 16, random.Random(1))
    assert sorted(row for batch in batches for row in batch) == list(range(203))
    assert len(batches) == 13
    padded = sum(len(batch) * max(lengths[row] for row in batch) for batch in batches)
    assert padded < 1.2 * sum(lengths)
    assert batches == epoch_order(lengths, 16, random.Random(1))
    assert batches != epoch_order(lengths, 16, random.Random(2))


@pytest.mark.parametrize(
    ("given", "words"),
    [([], "nothing to train on"), ([encoded(5, 6)], "has 11 tokens"), ([encoded(3, 0)], "nothing to learn")],
)
def test_unusable_examples_are_refused(given: list[Encoded], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        make_sequences(given, 10, CPU)
