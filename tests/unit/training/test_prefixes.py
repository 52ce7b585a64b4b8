"""What the sequences of a step begin with in common is computed once, and all is learned as if it were not."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.chat import Encoded
from pipeline.training import objective
from pipeline.training.jobs import Hold
from pipeline.training.objective import Objective
from pipeline.training.sequences import Sequences, make_sequences
from tests.unit.training.architectures import RAGGED, adapters, model_of, step

CPU = torch.device("cpu")
TEMPLATE, DOCUMENT = (7, 8, 9, 10, 11, 12), (21, 22, 23, 24, 25, 26, 27, 28)
HELD = Hold(kl=0.7, hidden_states=0.3)


def encoded_row(prompt: Sequence[int], completion: Sequence[int]) -> Encoded:
    return Encoded(ids=(*prompt, *completion), loss=(False,) * len(prompt) + (True,) * len(completion))


ROWS = [
    encoded_row((*TEMPLATE, 40), (50, 51)),
    encoded_row((*TEMPLATE, *DOCUMENT, 41), (52, 53, 2)),
    encoded_row((*TEMPLATE, *DOCUMENT, 42, 43), (54, 55, 2)),
    encoded_row((*TEMPLATE, *DOCUMENT, 42, 43), (56, 2)),
    encoded_row((), (*TEMPLATE, 44, 45)),  # plain text, all learned, whatever it begins with
    encoded_row((60, 61), (62, 63, 2)),
    encoded_row((*TEMPLATE, 46, 47, 48), (57,)),
]
BATCHES = {
    "one adapter": [[4, 2, 0, 3, 1]],
    "three adapters": [[0, 4, 1], [3, 2, 6, 1], [5]],
    "the same row twice": [[2, 3, 2], [1, 1]],
    "nothing to share": [[4, 5], [1, 5]],
}
CASES = [(kind, "three adapters") for kind in RAGGED] + [
    (kind, case) for kind in ("llama", "mistral") for case in BATCHES
]


def sequences() -> Sequences:
    return make_sequences(ROWS, 64, CPU)


def computed(model: Any, name: str) -> list[int]:
    """To which the tokens that a linear layer sees are added, call by call."""
    seen: list[int] = []
    model.get_submodule(name).register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-2]))
    return seen


@pytest.mark.parametrize(("kind", "case"), dict.fromkeys(CASES))
def test_a_step_that_shares_has_the_losses_and_gradients_of_each_sequence_alone(kind: str, case: str) -> None:
    model, batch, count = model_of(RAGGED[kind]), BATCHES[case], len(BATCHES[case])
    own, learned = Objective(model, sequences()), [sum(row.loss[1:]) for row in ROWS]
    assert own.ragged
    sharing, apart, alone = (adapters(model, count) for _ in range(3))
    losses = step(model, own, batch, sharing)
    assert torch.allclose(step(model, own, batch, apart, shared=False), losses, atol=1e-5)
    for adapter, rows in enumerate(batch):
        whole, loss = sum(learned[row] for row in rows), torch.zeros(())
        for row in rows:
            one = adapters(model, count).keep([adapter])
            loss += step(model, own, [[row]], one)[0] * learned[row] / whole
            alone.gradients[adapter] += one.gradients[0] * learned[row] / whole
        assert torch.allclose(loss, losses[adapter], atol=1e-4)
    for name, gradient in sharing.grads.items():
        assert gradient.abs().max() > 1e-4
        for expected in (apart.grads[name], alone.grads[name]):
            assert (gradient - expected).norm() < 1e-4 * expected.norm()


def test_what_is_shared_runs_through_a_layer_once_and_never_for_two_adapters() -> None:
    model = model_of(RAGGED["llama"])
    own = Objective(model, sequences())
    seen = computed(model, "model.layers.1.mlp.up_proj")
    for batch in ([[4, 2, 0, 3, 1]], [[1], [2]], [[4, 5]]):
        step(model, own, batch, adapters(model, len(batch)))
    one = len(TEMPLATE) + len(DOCUMENT) + len([40, 50, 51]) + len([41, 52, 53, 2])
    fork = len([42]) + len([43, 54, 55, 2]) + len([43, 56, 2])  # 43 is where the first learned token comes from
    plain = len(ROWS[4].ids)
    assert seen == [one + fork + plain, 2 * len(ROWS[2].ids), plain + len(ROWS[5].ids)]


def test_a_token_is_computed_for_all_that_begin_alike_up_to_it_and_for_no_other() -> None:
    draw = random.Random(2)
    for _ in range(200):
        sizes = [draw.randint(2, 9) for _ in range(8)]
        rows = [[draw.choice((3, 4)) for _ in range(size)] for size in sizes]
        first = [draw.randint(1, size - 1) for size in sizes]  # learned token; the state before it is its own
        made = make_sequences([encoded_row(row[:at], row[at:]) for row, at in zip(rows, first, strict=True)], 64, CPU)
        rows_of = [draw.choices(range(8), k=draw.randint(1, 6)) for _ in range(2)]
        tokens = [
            (adapter, place, tuple(rows[row][: step + 1]), step < first[row] - 1)
            for adapter, own in enumerate(rows_of)
            for place, row in enumerate(own)
            for step in range(sizes[row])
        ]
        starts = np.cumsum([0, *(sizes[row] for own in rows_of for row in own)])
        owners = made.prefixes.owners(rows_of, starts)
        for (adapter, _, before, free), owner in zip(tokens, owners, strict=True):
            assert (adapter, before, free) == (tokens[owner][0], *tokens[owner][2:])
        assert all(owner == at for at, owner in enumerate(owners) if not tokens[at][3])
        shared = {(adapter, before) for adapter, _, before, free in tokens if free}
        assert len(set(owners)) == len(shared) + sum(not free for *_, free in tokens)


def test_sequences_that_begin_alike_come_in_one_piece_as_far_as_they_go() -> None:
    made, rows = sequences(), [6, 1, 5, 2, 0, 4, 3]
    alone, sharing = [8, 9], 18 - 6 + 19 - 14 + 18 - 15  # rows 4 and 0, then those with the document
    assert list(made.pieces(rows, sum(alone) + sharing, 1_000)) == [[4, 0, 1, 2, 3], [6, 5]]
    assert list(made.pieces(rows, sum(alone) + sharing - 1, 1_000)) == [[4, 0, 1, 2], [3, 6, 5]]
    assert list(made.pieces(rows, 1_000, sum(alone) + 18)) == [[4, 0, 1], [2], [3, 6, 5]]
    assert [len(piece) for piece in made.pieces(rows, 1, 1)] == [1] * len(rows)
    assert made.batch([[4, 0, 1, 2, 3]], shared=True).tokens.items == sum(alone) + sharing


@pytest.mark.parametrize("kind", ["llama", "mistral"])
def test_the_teacher_says_of_lessons_that_share_a_document_what_it_says_of_each_alone(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows, own, batch = model_of(RAGGED[kind]), [0, 3, 5], [6, 1, 2], [[0, 3, 6, 5], [1, 2, 4]]
    lessons = [encoded_row((*TEMPLATE, *DOCUMENT, 30 + row), ROWS[row].ids[-2:]) for row in rows]
    seen = computed(model, "model.layers.1.mlp.up_proj")

    def learned_from(order: Sequence[int]) -> tuple[int, torch.Tensor, torch.Tensor]:
        taught, stack = Objective(model, sequences()), adapters(model, 2)
        seen.clear()
        taught.cache_teacher([own[place] for place in order], answered={1})
        taught.cache_lessons([rows[place] for place in order], make_sequences([lessons[one] for one in order], 64, CPU))
        tokens = sum(seen)
        return tokens, step(model, taught, batch, stack, hold=HELD), stack.gradients

    (tokens, *together), (_, *other) = learned_from([0, 1, 2]), learned_from([2, 0, 1])
    monkeypatch.setattr(objective, "_TEACHER_TOKENS", 1)
    every, *alone = learned_from([0, 1, 2])
    for found in (other, alone):
        assert torch.allclose(found[0], together[0], atol=1e-5)
        assert torch.allclose(found[1], together[1], atol=1e-5, rtol=1e-3)
    assert tokens < 0.7 * every == 0.7 * sum(len(one.ids) for one in (*lessons, *(ROWS[row] for row in own)))
    untaught = step(model, Objective(model, sequences()), batch, adapters(model, 2), hold=HELD)
    assert ((together[0] - untaught).abs() > 0.01).all()
