"""How probably a gate passes, compared with gates that judge simulated answers."""

import numpy as np
import pytest

from gates.power import chance_to_pass, gain_seen, loss_seen, margin_held
from gates.statistics import mcnemar, tango_lower

ALPHA, ROUNDS = 0.05, 4000


def simulated(n: int, margin: float, loss: float, changed: float) -> float:
    """The share of rounds in which n answers, drawn item by item, pass."""
    draws = np.random.default_rng(7).multinomial(
        n, [(changed - loss) / 2, (changed + loss) / 2, 1 - changed], size=ROUNDS
    )
    seen, counts = np.unique(draws[:, :2], axis=0, return_counts=True)
    passed = [tango_lower(int(gained), int(lost), n, ALPHA) >= -margin for gained, lost in seen]
    return float(counts[passed].sum() / ROUNDS)


@pytest.mark.parametrize(
    ("n", "margin", "loss", "changed"),
    [(100, 0.10, 0.0, 0.05), (350, 0.05, 0.02, 0.05), (500, 0.03, 0.03, 0.10), (60, 0.2, 0.05, 0.2)],
)
def test_the_chance_to_pass_is_that_of_simulated_answers(n: int, margin: float, loss: float, changed: float) -> None:
    error = 3 * (0.25 / ROUNDS) ** 0.5
    assert chance_to_pass(n, margin, ALPHA, loss=loss, changed=changed) == pytest.approx(
        simulated(n, margin, loss, changed), abs=error
    )


@pytest.mark.parametrize("n", [100, 350, 2000])
@pytest.mark.parametrize("changed", [0.05, 0.1, 0.2])
def test_a_loss_of_the_margin_passes_hardly_more_often_than_alpha(n: int, changed: float) -> None:
    assert chance_to_pass(n, 0.05, ALPHA, loss=0.05, changed=changed) <= 1.2 * ALPHA


def test_the_loss_that_is_seen_is_the_smallest_one() -> None:
    seen = loss_seen(350, 0.05, ALPHA, 0.05)
    assert seen is not None
    assert seen <= 0.05
    assert chance_to_pass(350, 0.05, ALPHA, loss=seen, changed=0.05) <= 0.1
    assert chance_to_pass(350, 0.05, ALPHA, loss=seen - 0.001, changed=0.05) > 0.1


def test_the_margin_that_is_held_is_the_smallest_one() -> None:
    held = margin_held(373, ALPHA, 0.05)
    assert held == pytest.approx((8.56 * 0.05 / 373) ** 0.5, abs=0.003)
    assert chance_to_pass(373, held, ALPHA, loss=0.0, changed=0.05) >= 0.9
    assert chance_to_pass(373, held - 0.001, ALPHA, loss=0.0, changed=0.05) < 0.9


def test_few_items_hold_a_wide_margin_only() -> None:
    assert margin_held(5, ALPHA, 0.5) > 0.5


def test_the_gain_that_is_seen_passes_in_nine_cases_of_ten() -> None:
    seen = gain_seen(50, 0.05, ALPHA)
    assert seen is not None
    gained = np.random.default_rng(3).binomial(50, seen, size=ROUNDS)
    assert np.mean([mcnemar(int(one), 0) < ALPHA and one >= 2.5 for one in gained]) == pytest.approx(0.9, abs=0.02)


def test_so_few_questions_show_no_gain_at_all() -> None:
    assert gain_seen(4, 0.05, ALPHA) is None


def test_more_lost_than_changed_is_impossible() -> None:
    with pytest.raises(ValueError, match="impossible"):
        chance_to_pass(100, 0.05, ALPHA, loss=0.1, changed=0.05)
