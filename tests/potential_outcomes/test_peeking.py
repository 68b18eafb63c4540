"""The confidence sequence: its formula, what it owes to each prefix, its error under peeking."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

from causalbook.potential_outcomes import ab_test, confidence_sequence

REPLICATIONS = 1000
BAND = scipy.stats.binom.interval(0.999, REPLICATIONS, 0.05)


def margin(t, rho2, alpha):
    """Half-width for unit variance, as std_conjmix_margin in the authors' R package drconfseq."""
    return np.sqrt(2 * (t * rho2 + 1) * np.log(np.sqrt(t * rho2 + 1) / alpha) / (t**2 * rho2))


def rho2_for(t, alpha):
    """The minimum over rho^2 by Lambert's function: u + 1 = -W(-alpha^2 / e), u = t rho^2."""
    return (-scipy.special.lambertw(-(alpha**2) / np.e, -1).real - 1) / t


def arrivals(seed, n=400):
    rng = np.random.default_rng(seed)
    a = (rng.random(n) < 0.3).astype(int)
    return np.where(a == 1, rng.normal(1, 3, n), rng.exponential(size=n)), a


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_at_each_row_it_is_welchs_error_times_the_margin_of_the_mixture(level):
    y, a = arrivals(1)
    sequence = confidence_sequence(y, a, level=level)
    for row in sequence.iloc[[0, 10, 100, -1]].itertuples():
        test = ab_test(y[: row.n], a[: row.n])
        sigma = np.sqrt(row.n) * test.se
        half = sigma * margin(row.n, rho2_for(10_000, 1 - level), 1 - level)
        assert row.estimate == pytest.approx(test.value, rel=1e-10)
        assert (row.low, row.high) == pytest.approx((test.value - half, test.value + half))


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01])
def test_lamberts_rho_is_the_best_one(alpha):
    best = scipy.optimize.minimize_scalar(
        lambda log_rho2: margin(10_000, np.exp(log_rho2), alpha), bounds=(-15, 0), method="bounded"
    )
    assert np.exp(best.x) == pytest.approx(rho2_for(10_000, alpha), rel=1e-3)


def test_it_costs_half_a_width_at_ten_thousand_rows_and_at_most_one_more_from_1e3_to_1e6():
    n = np.array([1_000, 10_000, 1_000_000])
    times = margin(n, rho2_for(10_000, 0.05), 0.05) * np.sqrt(n) / scipy.stats.norm.ppf(0.975)
    assert times[1] == pytest.approx(1.55, abs=0.01)
    assert times.max() < 2
    n = np.geomspace(1_000, 1_000_000, 50)
    assert (
        margin(n, rho2_for(10_000, 0.05), 0.05) < 1.3 * margin(n, rho2_for(n, 0.05), 0.05)
    ).all()


def test_what_was_shown_is_not_changed_by_what_arrives():
    y, a = arrivals(2)
    early, late = confidence_sequence(y[:250], a[:250]), confidence_sequence(y, a)
    assert np.array_equal(early, late.iloc[: len(early)])


def test_it_starts_where_both_arms_have_varied():
    y = [1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    a = [1, 1, 0, 0, 1, 0, 1]
    assert list(confidence_sequence(y, a)["n"]) == [6, 7]


def test_shift_and_unit_of_the_outcome_carry_over():
    y, a = arrivals(3)
    one, other = confidence_sequence(y, a), confidence_sequence(1e6 + 4 * y, a)
    assert np.allclose(4 * one[["estimate", "low", "high"]], other[["estimate", "low", "high"]])


# Worlds, sizes and seeds fixed before looking: (outcomes of the two arms, effect, rows, share of a)
WORLDS = {
    "normal, no effect": (lambda r, n: r.normal(size=(2, n)), 0.0, 2_000, 0.5),
    "clicks, no effect": (lambda r, n: r.random((2, n)) < 0.05, 0.0, 2_000, 0.5),
    "clicks, an effect": (
        lambda r, n: r.random((2, n)) < np.array([[0.05], [0.08]]),
        0.03,
        2_000,
        0.5,
    ),
    "skewed, one in ten": (lambda r, n: r.exponential(size=(2, n)) ** 2, 0.0, 2_000, 0.1),
}


@pytest.mark.parametrize("name", WORLDS)
def test_looking_at_every_row_the_sequence_errs_no_more_than_it_says_and_the_test_far_more(name):
    outcomes, effect, n, share = WORLDS[name]
    seeds = np.random.SeedSequence([2021, list(WORLDS).index(name)]).spawn(REPLICATIONS)
    sequence_errs = test_errs = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        a = (rng.random(n) < share).astype(int)
        y = outcomes(rng, n).astype(float)[a, np.arange(n)]
        seen = confidence_sequence(y, a)
        sequence_errs += ((seen["low"] > effect) | (seen["high"] < effect)).any()
        k = np.arange(100, n + 1)  # the ordinary interval, from the hundredth row on
        sums = [np.cumsum((a == arm) * np.array([np.ones(n), y, y**2]), axis=1) for arm in (0, 1)]
        m, s, q = np.swapaxes(np.array(sums), 0, 1)[:, :, k - 1]
        k = m.min(axis=0) >= 2  # one unit in an arm has no spread
        m, s, q = m[:, k], s[:, k], q[:, k]
        error = np.sqrt(((q / m - (s / m) ** 2) / (m - 1)).sum(axis=0))
        gap = np.abs((s / m)[1] - (s / m)[0] - effect)
        test_errs += (gap > scipy.stats.norm.ppf(0.975) * error).any()
    assert sequence_errs <= BAND[1], f"{sequence_errs} of {REPLICATIONS}"
    assert test_errs > 4 * BAND[1], f"{test_errs} of {REPLICATIONS}"


BAD = {
    "no variation": ([1, 1, 0, 1], [0, 0, 1, 1], "y does not vary where a = 0"),
    "no variation among the treated": ([1, 0, 1, 1], [0, 0, 1, 1], "y does not vary where a = 1"),
    "one arm": ([1, 0, 1], [1, 1, 1], "a is 1 in every row"),
    "unequal lengths": ([1, 0, 1], [1, 0], "a has 2"),
    "a missing outcome": ([1, np.nan], [1, 0], "y is NaN"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_says_nothing_is_refused(name):
    y, a, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        confidence_sequence(y, a)


def test_a_level_in_per_cent_is_refused():
    with pytest.raises(ValueError, match="level is 95: pass a share"):
        confidence_sequence([1, 0, 1, 0], [1, 1, 0, 0], level=95)
