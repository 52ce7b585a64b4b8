"""The statistics against published values, other formulas, brute force and scipy."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from gates.statistics import (
    clustered_bounds,
    holm,
    items_needed,
    mcnemar,
    skewed_bounds,
    tango_lower,
    tango_upper,
    wilson,
)


def test_tango_gives_the_published_interval_of_the_airway_data() -> None:
    # Fagerland, Lydersen, Laake (Statistics in Medicine 33, 2014): 1 and 7 discordant of 21 pairs: -0.517 to -0.026.
    assert tango_lower(1, 7, 21, 0.025) == pytest.approx(-0.517, abs=5e-4)
    assert tango_upper(1, 7, 21, 0.025) == pytest.approx(-0.026, abs=5e-4)


def _closed_form(gained: int, lost: int, n: int, alpha: float) -> list[float]:
    """Bounds as roots of the quartic of Yang, Sun, Hardin (Statistics in Medicine 32, 2013), not by search."""
    g, d, s = stats.norm.ppf(1 - alpha) ** 2, gained - lost, gained + lost
    quartic = [
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * (s / g + 1),
        n * d * (2 * s / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - s) / g,
    ]
    roots = np.roots(quartic)
    return [float(root.real) for root in roots if abs(root.imag) < 1e-6]


@pytest.mark.parametrize(("gained", "lost", "n"), [(40, 20, 160), (3, 9, 50), (12, 0, 400), (0, 7, 412), (5, 5, 60)])
def test_tango_agrees_with_the_closed_form(gained: int, lost: int, n: int) -> None:
    roots = _closed_form(gained, lost, n, 0.05)
    assert min(abs(tango_lower(gained, lost, n, 0.05) - root) for root in roots) < 1e-6
    assert min(abs(tango_upper(gained, lost, n, 0.05) - root) for root in roots) < 1e-6


def test_tango_without_discordant_pairs_still_doubts() -> None:
    z = stats.norm.ppf(0.95)
    assert tango_lower(0, 0, 400, 0.05) == pytest.approx(-(z**2) / (400 + z**2), abs=1e-9)
    assert tango_lower(0, 400, 400, 0.05) == -1.0


def test_tango_lower_bounds_hold_the_level_where_wald_does_not() -> None:
    """Exact coverage, by adding up the trinomial: the bound is above the truth in about alpha of all cases."""
    n, alpha, p_gain, p_loss = 60, 0.05, 0.02, 0.07
    missed = 0.0
    for gained, lost in itertools.product(range(15), range(25)):
        p = math.comb(n, gained) * math.comb(n - gained, lost) * p_gain**gained * p_loss**lost
        p *= (1 - p_gain - p_loss) ** (n - gained - lost)
        missed += p * (tango_lower(gained, lost, n, alpha) > p_gain - p_loss)
    assert 0.5 * alpha < missed < 1.3 * alpha


@pytest.mark.parametrize("counts", [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_impossible_counts_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="impossible"):
        tango_lower(*counts, 0.05)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (5, 0), (10, 3), (3, 10), (60, 41)])
def test_mcnemar_counts_the_ways_that_are_as_extreme(gained: int, lost: int) -> None:
    both = gained + lost
    expected = sum(math.comb(both, k) for k in range(gained, both + 1)) / 2**both
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-12)


def test_holm_agrees_with_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()


@pytest.mark.parametrize(("successes", "n", "alpha"), [(7, 50, 0.05), (0, 12, 0.1), (40, 40, 0.1), (999, 1344, 0.01)])
def test_wilson_is_the_closed_form_of_the_score_interval(successes: int, n: int, alpha: float) -> None:
    z = stats.norm.ppf(1 - alpha / 2)
    middle = (successes + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(successes * (n - successes) / n + z**2 / 4)
    assert wilson(successes, n, alpha) == pytest.approx((middle - half, middle + half), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        wilson(successes, n, 0.05)


def test_items_needed_are_those_of_the_design() -> None:
    assert [items_needed(0.05, 0.03, 0.05), items_needed(0.10, 0.03, 0.05)] == [476, 952]
    assert [items_needed(0.05, 0.05, 0.05), items_needed(0.10, 0.05, 0.05)] == [172, 343]


def test_the_bootstrap_of_single_items_is_close_to_students_bound() -> None:
    values = np.random.default_rng(3).normal(0.1, 0.3, 300)
    student = values.mean() - stats.t.ppf(0.95, 299) * values.std(ddof=1) / math.sqrt(300)
    assert clustered_bounds(list(values), [""] * 300, 0.05, 1)[0] == pytest.approx(student, abs=0.004)


def test_items_that_share_a_source_count_for_less() -> None:
    lost = [-1.0] * 6 + [0.0] * 94
    together = [f"source {at // 6}" for at in range(100)]
    assert clustered_bounds(lost, together, 0.05, 1)[0] < clustered_bounds(lost, [""] * 100, 0.05, 1)[0]
    assert clustered_bounds(lost, ["one source"] * 100, 0.05, 1) == (-1.0, 1.0)


def test_the_bootstrap_is_the_same_each_time() -> None:
    values, groups = [0.0, 1.0, -1.0, 0.0] * 20, [str(at // 3) for at in range(80)]
    assert clustered_bounds(values, groups, 0.05, 7) == clustered_bounds(values, groups, 0.05, 7)


def test_the_clustered_bound_holds_its_level_with_few_groups() -> None:
    rng, missed = np.random.default_rng(11), 0
    for at in range(300):
        effects = np.repeat(rng.normal(0, 0.2, 12), 5)
        values = list(effects + rng.normal(0, 0.2, 60))
        missed += clustered_bounds(values, [str(i // 5) for i in range(60)], 0.05, at)[0] > 0
    assert missed <= 27  # 9 %: three standard errors above 5 %


def test_the_bound_of_even_losses_is_students() -> None:
    values = [0.5, -0.5] * 40
    student = -stats.t.ppf(0.95, 79) * np.std(values, ddof=1) / 80**0.5
    assert skewed_bounds(values, [""] * 80, 0.05) == pytest.approx((student, -student))
    groups = [f"{at // 3}" for at in range(80)]  # of three and of two, alike in each
    apart = [values[at // 3] for at in range(80)]
    assert skewed_bounds(apart, groups, 0.05)[0] < skewed_bounds(apart, [""] * 80, 0.05)[0]


def test_a_few_answers_that_are_lost_as_a_whole_widen_the_lower_bound() -> None:
    values = [-1.0] * 8 + [0.0] * 142
    student = np.mean(values) - stats.t.ppf(0.95, 149) * np.std(values, ddof=1) / 150**0.5
    lower, upper = skewed_bounds(values, [""] * 150, 0.05)
    assert lower < student - 0.004
    assert upper < 0


def test_few_items_show_little_however_alike_they_are() -> None:
    assert skewed_bounds([0.5, -0.5], ["one source"] * 2, 0.05) == (-1.0, 1.0)
    doubt = tango_lower(0, 0, 20, 0.05)
    assert skewed_bounds([0.0] * 20, [""] * 20, 0.05) == pytest.approx((doubt, -doubt))
    assert skewed_bounds([-0.125] + [0.0] * 19, [""] * 20, 0.05)[0] == pytest.approx(doubt - 0.125 / 20)
    with pytest.raises(ValueError, match="no differences"):
        skewed_bounds([], [], 0.05)


def test_the_skewed_bound_holds_its_level_where_some_answers_are_lost_as_a_whole() -> None:
    random, trials, passed = np.random.default_rng(3), 4000, 0
    for _ in range(trials):
        known = random.beta(3.4, 0.6, size=150)
        after = known * (random.random(150) >= 0.05 / 0.85)
        lost = (random.binomial(8, after) - random.binomial(8, known)) / 8
        passed += skewed_bounds(list(lost), [""] * 150, 0.05)[0] >= -0.05
    assert passed / trials < 0.06
