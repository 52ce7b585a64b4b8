"""An adapter counts as applied only where it changes what the model says, in numbers."""

import math

import pytest
import torch

from pipeline.errors import AdapterNotApplied
from registry.servers.proof import LEAST, prove_applied

BASE = torch.log_softmax(torch.arange(8.0).reshape(2, 4), -1)


def test_a_difference_in_one_answer_is_enough() -> None:
    adapted = BASE.clone()
    adapted[1, 2] += 0.5
    assert prove_applied(BASE, adapted, "rel-1") == pytest.approx(0.5)


@pytest.mark.parametrize("difference", [0.0, LEAST / 2])
def test_the_base_models_answers_prove_nothing(difference: float) -> None:
    with pytest.raises(AdapterNotApplied, match="rel-1 answers just as the base"):
        prove_applied(BASE, BASE + difference, "rel-1")


def test_a_difference_within_the_servers_own_noise_proves_nothing() -> None:
    with pytest.raises(AdapterNotApplied, match="answers just as the base"):
        prove_applied(BASE, BASE + 0.02, "rel-1", noise=0.01)
    assert prove_applied(BASE, BASE + 0.03, "rel-1", noise=0.01) == pytest.approx(0.03)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_answers_that_are_no_numbers_are_refused(value: float) -> None:
    adapted = BASE.clone()
    adapted[0, 0] = value
    with pytest.raises(AdapterNotApplied, match="not finite"):
        prove_applied(BASE, adapted, "rel-1")
