"""Randomised answers and noisy sums: exact moments, OpenDP's own account, Welch without noise."""

import math
from fractions import Fraction

import numpy as np
import pytest

from causalbook import mean_of
from causalbook.potential_outcomes import ab_test
from causalbook.project import PrivateSums, debias, private_sums, randomised_response
from causalbook.project.private_release import _measurement

BOUNDS = {"low": 0.0, "high": 10.0}


def experiment(n=400, seed=1):
    rng = np.random.default_rng(seed)
    a = rng.permutation(np.repeat([0, 1], [n - n // 4, n // 4]))
    return rng.exponential(3.0, size=n) + a, a


def test_scores_are_unbiased_and_have_warners_variance_exactly():
    p = Fraction(3, 4)  # an epsilon of ln 3
    for truth in (0, 1):
        chance = {truth: p, 1 - truth: 1 - p}
        score = {r: (r - (1 - p)) / (2 * p - 1) for r in (0, 1)}
        mean = sum(chance[r] * score[r] for r in (0, 1))
        variance = sum(chance[r] * (score[r] - mean) ** 2 for r in (0, 1))
        assert mean == truth
        assert variance == p * (1 - p) / (2 * p - 1) ** 2 == Fraction(3, 4)
    given = debias([0, 1], epsilon=math.log(3))
    np.testing.assert_allclose(given, [float(score[0]), float(score[1])], rtol=1e-12)


def test_answers_are_true_with_the_chance_that_epsilon_says():
    n, epsilon = 400_000, 0.8
    for truth in (0.0, 1.0):
        said = randomised_response(np.full(n, truth), epsilon=epsilon, seed=5)
        p = math.exp(epsilon) / (1 + math.exp(epsilon))
        assert abs((said == truth).mean() - p) < 5 * math.sqrt(p * (1 - p) / n)
    np.testing.assert_array_equal(said, randomised_response(np.ones(n), epsilon=epsilon, seed=5))
    assert (said != randomised_response(np.ones(n), epsilon=epsilon, seed=6)).any()


def test_the_error_of_the_mean_counts_the_sampling_and_the_lies():
    y = np.repeat([0.0, 1.0], [9_000, 1_000])
    found = mean_of(
        debias(randomised_response(y, epsilon=1.0, seed=2), epsilon=1.0), estimand="", method=""
    )
    p = math.e / (1 + math.e)
    by_hand = math.sqrt((0.1 * 0.9 + p * (1 - p) / (2 * p - 1) ** 2) / len(y))
    assert abs(found.se / by_hand - 1) < 0.02
    assert abs(found.value - 0.1) < 4 * found.se


def test_without_noise_the_release_is_welchs_on_the_bounded_outcome():
    y, a = experiment()
    found = private_sums(y, a, low=1.0, high=9.0, epsilon=1e9).effect()
    plain = ab_test(np.clip(y, 1, 9), a)
    assert y.min() < 1
    assert y.max() > 9
    assert abs(found.value - plain.value) < 1e-6
    assert abs(found.se - plain.se) < 1e-6


def test_the_noise_has_the_scales_that_it_says():
    y, a = np.array([-2.0, 2.0, 6.0, 8.0]), np.array([0, 0, 1, 1])
    drawn = [private_sums(y, a, low=-2.0, high=8.0, epsilon=0.5) for _ in range(400)]
    b, b_squares = 10 / (0.8 * 0.5), 25 / (0.2 * 0.5)
    for scale, noise in (
        (b, [s.total - [-6.0, 8.0] for s in drawn]),  # less the middle, 3
        (b_squares, [s.squares - [26.0, 34.0] for s in drawn]),
    ):
        sizes = np.abs(noise).ravel() / scale  # exponential with mean 1, deviation 1
        assert abs(sizes.mean() - 1) < 6 / math.sqrt(len(sizes))
        assert abs(np.mean(noise) / scale) < 6 * math.sqrt(2 / len(sizes))
    assert drawn[0].scales == pytest.approx((b, b_squares), rel=1e-12)


@pytest.mark.parametrize("n", [50, 1_000_000])
def test_opendp_counts_the_same_loss(n):
    sums = PrivateSums(np.array([n, n]), np.zeros(2), np.zeros(2), 0.0, 10.0, 0.5)
    bounds = (-5.0, 5.0), (0.0, 25.0)
    for (low, high), scale, epsilon in zip(bounds, sums.scales, (0.4, 0.1), strict=True):
        spent = _measurement(n, low, high, scale).map(2)  # one outcome changed: one out, one in
        # By rounding, sums of a million floats differ by more: without more noise it is 4e-9 more.
        assert spent == pytest.approx(epsilon, rel=1e-13)


def test_one_user_moves_the_sums_by_no_more_than_the_noise_is_made_for():
    y, a = experiment()
    exact = [private_sums(y, a, **BOUNDS, epsilon=1e9)]
    for other in (-1e6, 0.0, 5.0, 1e6):
        changed = y.copy()
        changed[7] = other
        exact.append(private_sums(changed, a, **BOUNDS, epsilon=1e9))
    b, b_squares = (0.8e9 * exact[0].scales[0], 0.2e9 * exact[0].scales[1])
    for s in exact[1:]:
        assert np.abs(s.total - exact[0].total).sum() < b + 1e-3
        assert np.abs(s.squares - exact[0].squares).sum() < b_squares + 1e-3


def test_the_squared_error_is_right_on_average():
    rng = np.random.default_rng(3)
    size, low, high, epsilon = np.array([300.0, 200.0]), 0.0, 10.0, 1.0
    z = [rng.uniform(-5, 5, int(n)) for n in size]
    b, b_squares = 10 / (0.8 * epsilon), 25 / (0.2 * epsilon)
    squared = []
    for _ in range(4_000):
        total = np.array([x.sum() for x in z]) + rng.laplace(0, b, 2)
        squares = np.array([(x**2).sum() for x in z]) + rng.laplace(0, b_squares, 2)
        squared.append(PrivateSums(size, total, squares, low, high, epsilon).effect().se ** 2)
    noise = 2 * b**2 * (1 / size**2).sum()
    right = sum(x.var(ddof=1) / len(x) for x in z) + noise
    assert abs(np.mean(squared) - right) < 5 * np.std(squared) / math.sqrt(len(squared))


def test_the_estimate_carries_nothing_of_the_rows():
    y, a = experiment()
    found = private_sums(y, a, **BOUNDS, epsilon=1.0).effect()
    assert found.sample is None
    assert np.isnan(found.influence).all()
    assert found.notes[0].startswith("released with noise")
    assert "epsilon 1 for a change of one user's outcome" in found.notes[1]
    with pytest.raises(ValueError, match="standard error without influence values"):
        found - found


def test_refuses_what_is_no_experiment_and_no_promise():
    y, a = experiment()
    with pytest.raises(ValueError, match="epsilon is 0"):
        private_sums(y, a, **BOUNDS, epsilon=0)
    with pytest.raises(ValueError, match=r"low is 10\.0 and high 0\.0"):
        private_sums(y, a, low=10.0, high=0.0, epsilon=1)
    with pytest.raises(ValueError, match="low is -inf"):
        private_sums(y, a, low=-math.inf, high=0.0, epsilon=1)
    with pytest.raises(ValueError, match="y is NaN"):
        private_sums(np.where(a, np.nan, y), a, **BOUNDS, epsilon=1)
    with pytest.raises(ValueError, match="unequal lengths"):
        private_sums(y[1:], a, **BOUNDS, epsilon=1)
    with pytest.raises(ValueError, match="arm with one user"):
        private_sums([1.0, 2.0, 3.0], [0, 0, 1], **BOUNDS, epsilon=1)
    drowned = PrivateSums(np.array([9.0, 9.0]), np.zeros(2), np.array([-1e3, 9.0]), 0.0, 10.0, 1.0)
    with pytest.raises(ValueError, match="noise is larger than the variance"):
        drowned.effect()


@pytest.mark.parametrize("epsilon", [0, -1, math.inf, math.nan])
def test_refuses_an_epsilon_that_promises_nothing(epsilon):
    with pytest.raises(ValueError, match="epsilon is"):
        randomised_response([0, 1], epsilon=epsilon, seed=1)
    with pytest.raises(ValueError, match="epsilon is"):
        debias([0, 1], epsilon=epsilon)


def test_refuses_answers_other_than_yes_and_no():
    with pytest.raises(ValueError, match=r"y is neither 0 nor 1 in 1 of 3 rows \(first: 2\)"):
        randomised_response([0, 1, 2], epsilon=1, seed=1)
    with pytest.raises(ValueError, match="reports is neither 0 nor 1"):
        debias([0.5, 1], epsilon=1)
