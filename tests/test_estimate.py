"""The result type: errors, clusters, algebra, intervals, what has no error, how it looks."""

import math
import re
from decimal import Decimal
from fractions import Fraction

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given

from causalbook import Estimate, compare, contrast, mean_of, ratio_of


def exactly(x, rel=1e-12):
    return pytest.approx(x, rel=rel, abs=1e-14)


def mean(scores, **options):
    return mean_of(scores, **({"estimand": "mean", "method": "average"} | options))


def pair(n=200, seed=0, cluster=None):
    """Two correlated outcomes of the same people, and the estimates of their means."""
    rng = np.random.default_rng(seed)
    u = rng.gamma(2.0, size=n)
    v = 3 + u + rng.normal(size=n)
    return (
        u,
        v,
        mean(u, sample="people", cluster=cluster),
        mean(v, sample="people", cluster=cluster),
    )


def delta(u, v, gradient):
    """Standard error of f(mean u, mean v): the square root of g' Sigma g / n."""
    return math.sqrt(gradient @ np.cov(u, v, bias=True) @ gradient / len(u))


def no_error(value=1.0, n=200, reason="no error: the model saw these rows", **options):
    return Estimate(value, np.full(n, np.nan), "mean", "model", notes=(reason,), **options)


numbers = hnp.arrays(np.float64, st.integers(2, 40), elements=st.integers(-1000, 1000).map(float))


# The mean and the ratio


def test_the_error_of_a_mean_is_the_root_of_the_biased_variance_over_n():
    y = [1.0, 2.0, 4.0, 9.0]
    estimate = mean(y)
    assert estimate.value == 4.0
    assert estimate.se == exactly(math.sqrt((9 + 4 + 0 + 25) / 4 / 4))
    assert estimate.n == 4


@given(numbers)
def test_the_error_of_a_mean_is_scipys_sem_without_a_degree_of_freedom_lost(y):
    assert mean(y).value == exactly(np.mean(y))
    assert mean(y).se == exactly(scipy.stats.sem(y, ddof=0), rel=1e-10)


def test_a_ratio_of_sums_has_the_error_of_the_delta_method():
    u, v, _, _ = pair()
    estimate = ratio_of(u, v, estimand="ratio", method="sums")
    r = u.mean() / v.mean()
    assert estimate.value == exactly(r)
    assert estimate.se == exactly(delta(u, v, np.array([1, -r]) / v.mean()))


def test_a_ratio_is_of_the_same_rows_as_the_mean_of_its_numerator():
    u, v, _, _ = pair()
    ratio = ratio_of(u, v, estimand="ratio", method="sums")
    assert (mean(u) - ratio).n == 200
    with pytest.raises(ValueError, match="not the same rows"):
        _ = mean(v) - ratio


def test_a_quotient_of_two_means_is_the_ratio_of_the_sums():
    u, v, a, b = pair()
    ratio = ratio_of(u, v, estimand="ratio", method="sums")
    assert (a / b).value == exactly(ratio.value)
    np.testing.assert_allclose((a / b).influence, ratio.influence, rtol=1e-12, atol=1e-14)


def test_a_ratio_to_a_sum_of_zero_is_refused():
    with pytest.raises(ValueError, match="denominator is 0"):
        ratio_of([1.0, 2.0], [-1.0, 1.0], estimand="ratio", method="sums")


def test_a_ratio_of_unequal_lengths_is_refused_with_both_lengths():
    with pytest.raises(ValueError, match="numerator has 2, denominator has 3"):
        ratio_of([1.0, 2.0], [1.0, 2.0, 3.0], estimand="ratio", method="sums")


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0, np.nan, np.inf], r"scores is NaN or infinite in 2 of 3 rows \(first: 1, 2\)"),
        (["a", "b"], r"scores holds <U1 values, not numbers"),
        ([], r"scores is empty"),
        ([[1.0], [2.0]], r"scores has 2 dimensions, needs 1"),
    ],
)
def test_scores_that_have_no_mean_are_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        mean(scores)


@given(numbers, st.integers(-50, 50))
def test_scaling_the_outcome_scales_value_and_error(y, c):
    assert mean(c * y).value == exactly(c * mean(y).value, rel=1e-9)
    assert mean(c * y).se == exactly(abs(c) * mean(y).se, rel=1e-9)


@given(numbers, st.integers(-1000, 1000))
def test_shifting_the_outcome_moves_the_value_and_leaves_the_error(y, c):
    assert mean(y + c).value == pytest.approx(mean(y).value + c, rel=1e-9, abs=1e-9)
    assert mean(y + c).se == pytest.approx(mean(y).se, rel=1e-9, abs=1e-9)


@given(numbers, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(y, random):
    order = list(range(len(y)))
    random.shuffle(order)
    assert mean(y[order]).value == pytest.approx(mean(y).value, rel=1e-9, abs=1e-9)
    assert mean(y[order]).se == pytest.approx(mean(y).se, rel=1e-9, abs=1e-9)


@given(numbers, st.integers(2, 5))
def test_rows_written_k_times_leave_value_and_error_once_they_are_clustered(y, k):
    copies = mean(np.repeat(y, k), cluster=np.repeat(np.arange(len(y)), k))
    assert copies.value == pytest.approx(mean(y).value, rel=1e-9, abs=1e-9)
    assert copies.se == pytest.approx(mean(y).se, rel=1e-9, abs=1e-9)


# Clusters


def test_a_ratio_of_copied_rows_keeps_its_error_once_they_are_clustered():
    u, v, _, _ = pair()
    options = {"estimand": "ratio", "method": "sums"}
    once = ratio_of(u, v, **options)
    copies = ratio_of(np.tile(u, 3), np.tile(v, 3), cluster=np.tile(np.arange(200), 3), **options)
    assert (copies.value, copies.se) == (exactly(once.value), exactly(once.se))
    naive = ratio_of(np.tile(u, 3), np.tile(v, 3), **options)
    assert naive.se == exactly(once.se / math.sqrt(3))


def test_clusters_of_one_equal_no_clusters():
    u, _, a, _ = pair()
    assert mean(u, cluster=[f"user {i}" for i in range(200)]).se == exactly(a.se)


def test_the_clustered_error_of_a_mean_is_that_of_statsmodels_without_its_correction():
    rng = np.random.default_rng(1)
    g = rng.integers(0, 30, size=400)
    y = rng.normal(size=30)[g] + rng.normal(size=400)
    options = {"groups": g, "use_correction": False, "df_correction": False}
    fit = sm.OLS(y, np.ones(400)).fit(cov_type="cluster", cov_kwds=options)
    assert mean(y, cluster=g).value == exactly(fit.params[0])
    assert mean(y, cluster=g).se == exactly(fit.bse[0], rel=1e-10)
    assert mean(y, cluster=g).se > 1.5 * mean(y).se


def test_the_labels_of_clusters_may_be_anything_that_tells_them_apart():
    u, _, _, _ = pair()
    g = np.arange(200) // 8
    text = np.array([f"shop {k}" for k in g])
    assert mean(u, cluster=text).se == mean(u, cluster=text.astype(object)).se
    assert mean(u, cluster=-7.5 * g).se == exactly(mean(u, cluster=text).se)


def test_a_missing_or_a_short_cluster_is_refused():
    with pytest.raises(ValueError, match="influence has 3, cluster has 2"):
        mean([1.0, 2.0, 4.0], cluster=[1, 2])
    with pytest.raises(ValueError, match=r"cluster is missing in 1 of 3 rows \(first: 1\)"):
        _ = mean([1.0, 2.0, 4.0], cluster=["a", None, "b"]).se


def test_the_name_of_a_column_is_no_cluster():
    with pytest.raises(ValueError, match="cluster"):
        mean([1.0, 2.0, 4.0], cluster="user_id")


# Algebra on the same rows


ALGEBRA = {
    "a + b": (lambda a, b: a + b, lambda x, y: x + y, lambda x, y: (1, 1)),
    "a - b": (lambda a, b: a - b, lambda x, y: x - y, lambda x, y: (1, -1)),
    "a * b": (lambda a, b: a * b, lambda x, y: x * y, lambda x, y: (y, x)),
    "a / b": (lambda a, b: a / b, lambda x, y: x / y, lambda x, y: (1 / y, -x / y**2)),
    "-a": (lambda a, b: -a, lambda x, y: -x, lambda x, y: (-1, 0)),
    "a + 2": (lambda a, b: a + 2, lambda x, y: x + 2, lambda x, y: (1, 0)),
    "2 + a": (lambda a, b: 2 + a, lambda x, y: x + 2, lambda x, y: (1, 0)),
    "a - 2": (lambda a, b: a - 2, lambda x, y: x - 2, lambda x, y: (1, 0)),
    "2 - a": (lambda a, b: 2 - a, lambda x, y: 2 - x, lambda x, y: (-1, 0)),
    "a * 3": (lambda a, b: a * 3, lambda x, y: 3 * x, lambda x, y: (3, 0)),
    "3 * a": (lambda a, b: 3 * a, lambda x, y: 3 * x, lambda x, y: (3, 0)),
    "a / 4": (lambda a, b: a / 4, lambda x, y: x / 4, lambda x, y: (0.25, 0)),
    "4 / a": (lambda a, b: 4 / a, lambda x, y: 4 / x, lambda x, y: (-4 / x**2, 0)),
    "np 4 / a": (lambda a, b: np.float64(4) / a, lambda x, y: 4 / x, lambda x, y: (-4 / x**2, 0)),
    "a / b - 1": (lambda a, b: a / b - 1, lambda x, y: x / y - 1, lambda x, y: (1 / y, -x / y**2)),
}


@pytest.mark.parametrize("name", ALGEBRA)
def test_arithmetic_is_the_delta_method(name):
    of_estimates, f, gradient = ALGEBRA[name]
    u, v, a, b = pair()
    x, y = u.mean(), v.mean()
    result = of_estimates(a, b)
    assert result.value == exactly(f(x, y))
    assert result.se == exactly(delta(u, v, np.array(gradient(x, y), float)), rel=1e-10)


@pytest.mark.parametrize("name", ALGEBRA)
def test_arithmetic_keeps_the_clusters(name):
    of_estimates, _, gradient = ALGEBRA[name]
    g = np.arange(200) // 8
    u, v, a, b = pair(cluster=g)
    du, dv = gradient(u.mean(), v.mean())
    sums = [np.sum(du * (u - u.mean())[g == k] + dv * (v - v.mean())[g == k]) for k in range(25)]
    assert of_estimates(a, b).se == exactly(math.hypot(*sums) / 200, rel=1e-10)


def test_an_estimate_minus_itself_is_zero_without_error():
    _, _, a, _ = pair()
    assert ((a - a).value, (a - a).se, (a / a).value, (a / a).se) == (0, 0, 1, 0)


def test_a_difference_of_means_is_the_mean_of_the_differences():
    u, v, a, b = pair()
    assert contrast(a, b).value == exactly(mean(u - v).value)
    assert contrast(a, b).se == exactly(mean(u - v).se)
    assert contrast(b, a).value == -contrast(a, b).value


def test_contrasts_distribute():
    u, _, a, b = pair()
    c = mean(u**2, sample="people")
    left, right = 2 * (a - (b + c)), 2 * a - 2 * b - 2 * c
    assert left.value == exactly(right.value)
    np.testing.assert_allclose(left.influence, right.influence, rtol=0, atol=1e-10)


def test_multiplying_by_an_estimate_and_dividing_again_gives_the_first_one_back():
    _, _, a, b = pair()
    assert (a * b / b).value == exactly(a.value)
    assert (a * b / b).se == exactly(a.se)


def test_dividing_by_zero_is_refused():
    _, _, a, _ = pair()
    for quotient in (lambda: a / 0, lambda: 1 / (a - a), lambda: a / (a - a)):
        with pytest.raises(ValueError, match="denominator is 0"):
            quotient()


def test_two_logs_of_equal_length_are_not_the_same_people():
    a, b = mean([1.0, 2.0, 4.0]), mean([1.0, 2.0, 5.0])
    for combine in (lambda: a - b, lambda: a + b, lambda: a * b, lambda: a / b):
        with pytest.raises(ValueError, match=r"independent=True\).*dataclasses.replace"):
            combine()
    with pytest.raises(ValueError, match="not the same rows"):
        contrast(a, b)


def test_different_numbers_of_rows_are_refused_even_under_one_name():
    with pytest.raises(ValueError, match=r"3 rows .* 2 rows"):
        _ = mean([1.0, 2.0, 4.0], sample="s") - mean([1.0, 2.0], sample="s")


def test_the_same_outcome_names_the_same_rows():
    y = [1.0, 2.0, 4.0]
    assert (mean(y) - mean(list(y))).se == 0


def test_different_clusters_are_refused():
    y = [1.0, 2.0, 4.0, 7.0]
    for other in ([0, 0, 1, 1], None):
        with pytest.raises(ValueError, match=r"cluster differs .* same labels"):
            _ = mean(y, cluster=[0, 1, 0, 1]) - mean(y, cluster=other)


def test_estimates_that_name_no_sample_combine_with_a_note():
    a = Estimate(1.0, [-1.0, 1.0], "e", "a")
    b = Estimate(3.0, [-2.0, 2.0], "e", "b")
    assert (a - b).se == exactly(math.sqrt(2) / 2)
    assert any("taken to be the same rows" in note for note in (a - b).notes)


def test_a_combination_says_what_it_is_of_and_keeps_each_note_once():
    a = Estimate(1.0, [-1.0, 1.0], "clicks", "IPS", sample="s", notes=("one", "both"))
    b = Estimate(3.0, [-2.0, 2.0], "clicks", "DR", sample="s", notes=("both", "two"))
    c = Estimate(3.0, [-2.0, 2.0], "sales", "DR", sample="s")
    assert ((a - b).estimand, (a - b).method) == ("clicks - clicks", "IPS - DR")
    assert (b / c).estimand == "clicks / sales"
    assert (b / c).method == "DR"
    assert (a - b).notes == ("one", "both", "two")


# Two separate samples


def test_independent_contrasts_add_variances():
    a, b = mean([1.0, 2.0, 4.0]), mean([3.0, 3.5, 4.0, 9.0])
    d = contrast(a, b, independent=True)
    assert d.value == exactly(7 / 3 - 4.875)
    assert d.se == exactly(math.hypot(a.se, b.se))
    assert d.n == 7


@given(numbers, numbers)
def test_independent_contrasts_add_variances_whatever_the_sizes(y, z):
    d = contrast(mean(y, sample="y"), mean(z, sample="z"), independent=True)
    expected = math.sqrt(np.var(y) / len(y) + np.var(z) / len(z))
    assert d.se == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_clusters_of_separate_samples_stay_apart_though_their_labels_agree():
    y, z, g = np.array([1.0, 2.0, 4.0, 8.0]), np.array([0.0, 1.0, 5.0, 6.0]), [0, 0, 1, 1]
    a, b = mean(y, cluster=g), mean(z, cluster=g)
    assert contrast(a, b, independent=True).se == exactly(math.hypot(a.se, b.se))
    assert contrast(a, mean(z), independent=True).se == exactly(math.hypot(a.se, mean(z).se))


def test_separate_samples_have_satterthwaites_degrees_of_freedom():
    rng = np.random.default_rng(2)
    y, z = rng.normal(size=9), 3 * rng.normal(size=30)

    def with_t(x):
        n = len(x)
        psi = (x - x.mean()) * math.sqrt(n / (n - 1))
        return Estimate(x.mean(), psi, "mean", "average", sample=f"{n}", dof=n - 1)

    d = contrast(with_t(y), with_t(z), independent=True)
    welch = scipy.stats.ttest_ind(y, z, equal_var=False)
    assert d.dof == exactly(welch.df)
    assert d.pvalue() == exactly(welch.pvalue, rel=1e-9)
    assert d.conf_int() == exactly(tuple(welch.confidence_interval()), rel=1e-9)
    assert contrast(with_t(y), mean(z), independent=True).dof is None


def test_separate_samples_without_any_spread_have_an_error_of_zero():
    a = Estimate(1.0, [0.0, 0.0], "mean", "average", sample="a", dof=1)
    b = Estimate(3.0, [0.0, 0.0], "mean", "average", sample="b", dof=1)
    d = contrast(a, b, independent=True)
    assert (d.value, d.se) == (-2, 0)


def test_the_same_rows_are_not_two_independent_samples():
    a = mean([1.0, 2.0, 4.0])
    with pytest.raises(ValueError, match=r"same rows.*use contrast\(a, b\)"):
        contrast(a, 2 * a, independent=True)


# Intervals and p-values


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("dof", [None, 1, 4.7, 200])
def test_intervals_and_p_values_are_those_of_scipy(level, dof):
    e = Estimate(1.3, [-2.0, 1.0, 1.0], "e", "m", dof=dof)
    law = scipy.stats.norm if dof is None else scipy.stats.t(dof)
    half = law.ppf((1 + level) / 2) * math.sqrt(6) / 3
    assert e.conf_int(level) == exactly((1.3 - half, 1.3 + half), rel=1e-10)
    assert e.pvalue(0.2) == exactly(2 * law.sf(1.1 / (math.sqrt(6) / 3)), rel=1e-10)
    assert e.pvalue(1.3 + half) == exactly(1 - level, rel=1e-9)


def test_the_far_tail_of_the_p_value_is_not_lost():
    for z in (10, 20, 30):
        e = Estimate(z / 10, [-1.0, 1.0] * 50, "e", "m")
        assert e.pvalue() == pytest.approx(2 * scipy.stats.norm.sf(z), rel=1e-9, abs=0)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_the_p_value_is_symmetric_about_the_estimate_and_one_at_it(value, distance):
    e = Estimate(value, [-3.0, 1.0, 2.0], "e", "m")
    low, high = e.pvalue(value - distance), e.pvalue(value + distance)
    assert low == pytest.approx(high, rel=1e-9)
    assert 0 <= low <= 1
    assert e.pvalue(value) == 1


@pytest.mark.parametrize("level", [95, 1, 0, -0.5, math.nan])
def test_a_level_is_a_share(level):
    with pytest.raises(ValueError, match=r"level is .*share between 0 and 1, such as 0\.95"):
        mean([1.0, 2.0]).conf_int(level)


def test_without_spread_a_hypothesis_is_right_or_impossible():
    e = mean([2.0, 2.0, 2.0])
    assert e.conf_int() == (2, 2)
    assert (e.pvalue(2.0), e.pvalue(1.9)) == (1, 0)


# What has no standard error


def test_without_an_error_there_is_no_interval_and_no_p_value():
    e = no_error()
    assert math.isnan(e.se)
    assert all(map(math.isnan, e.conf_int()))
    assert math.isnan(e.pvalue())
    assert math.isnan(no_error(dof=3.0).pvalue())
    assert all(map(math.isnan, no_error(dof=3.0).conf_int()))


def test_what_has_no_error_prints_a_dash_and_the_reason():
    for text in (
        no_error(value=2.0).summary(),
        repr(no_error(value=2.0)),
        no_error()._repr_html_(),
    ):
        assert "nan" not in text.lower()
        assert "no error: the model saw these rows" in text
    assert "std. error    –" in no_error().summary()
    assert "[–, –]" in no_error().summary()
    assert "SE – · 95% interval [–, –]" in no_error()._repr_html_()
    assert "<svg" not in no_error()._repr_html_()


def test_having_no_error_needs_a_reason():
    with pytest.raises(ValueError, match="say in the first note why"):
        Estimate(1.0, [np.nan, np.nan], "e", "m")


def test_an_influence_that_is_partly_missing_is_refused():
    for hole in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"in 1 of 3 rows \(first: 1\).*fill in every row"):
            Estimate(1.0, [1.0, hole, -1.0], "e", "m", notes=("why",))


@pytest.mark.parametrize("shape", [(0,), (2, 2), ()])
def test_an_influence_is_one_number_for_each_row(shape):
    with pytest.raises(ValueError, match="pass one value for each row"):
        Estimate(1.0, np.zeros(shape), "e", "m")


def test_a_missing_error_passes_through_arithmetic_with_its_reason_first():
    _, _, a, _ = pair()
    a = Estimate(a.value, a.influence, "mean", "average", sample="people", notes=("first",))
    b = no_error(sample="people")
    for result in (a - b, b - a, a * b, a / b, 2 * b, -b, b + 1, 1 / b):
        assert math.isnan(result.se)
        assert result.notes[0].startswith("no error")
    assert (a - b).value == a.value - 1
    assert (a - b).notes == (b.notes[0], "first")


def test_a_missing_error_passes_through_independent_contrasts():
    for d in (
        contrast(mean([1.0, 2.0]), no_error(sample="x"), independent=True),
        contrast(no_error(sample="x"), mean([1.0, 2.0]), independent=True),
    ):
        assert math.isnan(d.se)
        assert d.notes[0].startswith("no error")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="value is"):
        Estimate(value, [np.nan, np.nan], "e", "m", notes=("why",))


# An influence that is not centred


def test_an_influence_that_is_not_centred_warns():
    with pytest.warns(UserWarning, match=r"influence has mean 0\.5, not zero.*subtract it") as seen:
        Estimate(1.0, [0.0, 1.0], "e", "m")
    assert seen[0].filename == __file__


@pytest.mark.parametrize("y", [[0.1] * 3, [0.1] * 10, 1e9 + 1e-3 * np.arange(1000.0) ** 1.5])
def test_rounding_is_not_an_influence_off_centre(y):
    mean(y)  # a warning is an error here


def test_rounding_in_a_difference_is_not_an_influence_off_centre():
    _, _, a, b = pair()
    assert abs((a * b / b - a).se) < 1e-12
    assert abs((a + b - b - a).value) < 1e-12


# Tables and looks


def test_compare_holds_estimates_side_by_side():
    _, _, a, b = pair()
    table = compare(a, b, level=0.9)
    assert list(table.columns) == ["estimand", "value", "se", "low", "high", "n"]
    assert list(table.index) == ["average", "average"]
    assert table.index.name == "method"
    for row, e in zip(table.itertuples(), (a, b), strict=True):
        assert (row.value, row.se, row.n, row.estimand) == (e.value, e.se, 200, "mean")
        assert (row.low, row.high) == e.conf_int(0.9)


def test_compare_with_the_truth_says_error_and_cover():
    e = Estimate(2.0, [-1.0, 1.0] * 50, "e", "m")
    low, high = e.conf_int()
    for truth, covers in [(2.1, True), (2.2, False), (1.8, False), (low, True), (high, True)]:
        table = compare(e, truth=truth)
        assert table.loc["m", "error"] == 2.0 - truth
        assert table.loc["m", "covers"] == covers
    assert compare(e, truth=2.2, level=0.99).loc["m", "covers"]


def test_compare_does_not_say_that_a_missing_interval_misses_the_truth():
    covers = compare(no_error(), truth=1.0).loc["model", "covers"]
    assert np.isnan(covers)


def test_compare_needs_an_estimate():
    with pytest.raises(ValueError, match="at least one estimate"):
        compare()


def known(**options):
    """Value 2.5, standard error exactly 0.1."""
    return Estimate(2.5, [-1.0, 1.0] * 50, "share < 1", "a & b", **options)


def test_the_summary_is_one_fact_a_line():
    assert known(notes=("one", "two")).summary().splitlines() == [
        "share < 1 by a & b",
        "  value         2.500",
        "  std. error    0.100",
        "  95% interval  [2.304, 2.696]",
        "  based on      100 rows",
        "  note: one",
        "  note: two",
    ]
    assert "based on      100 rows in 50 clusters" in known(cluster=np.arange(100) // 2).summary()
    assert repr(known()) == known().summary()


@pytest.mark.parametrize(
    ("factor", "value", "se"),
    [
        (1e-4, "0.0002500", "0.0000100"),
        (10, "25.00", "1.00"),
        (1e6, "2,500,000", "100,000"),
    ],
)
def test_three_digits_of_the_error_decide_what_is_shown(factor, value, se):
    spread = 1.0001 * factor  # just above a power of ten, so that rounding cannot move the digits
    text = Estimate(2.5 * factor, [-spread, spread] * 50, "e", "m").summary()
    assert f"  value         {value}\n  std. error    {se}\n" in text.replace("100,010", "100,000")


def test_the_card_shows_the_same_numbers_and_escapes_what_it_is_told():
    html = known(notes=("a <script>", "q & a"))._repr_html_()
    assert "<strong>share &lt; 1</strong>" in html
    assert "by a &amp; b" in html
    assert ">2.500</div>" in html
    assert "SE 0.100 · 95% interval [2.304, 2.696] · 100 rows" in html
    assert "a &lt;script&gt;" in html
    assert "<script>" not in html
    assert "Estimate 2.500, 95% interval from 2.304 to 2.696." in html


def drawn(html, tag, attribute):
    return [float(x) for x in re.findall(rf'<{tag} [^>]*?\b{attribute}="([-\d.]+)"', html)]


def test_the_drawing_is_to_scale_and_reaches_zero_when_zero_is_near():
    html = Estimate(0.5, [-2.0, 2.0] * 50, "e", "m")._repr_html_()
    _, zero, low = drawn(html, "line", "x1")
    high = drawn(html, "line", "x2")[-1]
    (point,) = drawn(html, "circle", "cx")
    half = 1.959963984540054 * 0.2
    assert point == pytest.approx((low + high) / 2, abs=0.11)
    assert (point - zero) / (high - low) == pytest.approx(0.5 / (2 * half), abs=0.01)
    assert 0 < zero < low < point < high < 320


def test_the_drawing_leaves_out_a_zero_that_is_far_away():
    html = known()._repr_html_()
    assert ">0</text>" in html  # five widths away
    assert ">0</text>" not in (known() + 100)._repr_html_()


def test_an_estimate_without_spread_still_draws():
    for value in (0.0, 3.0, -1e6):
        html = mean([value, value])._repr_html_()
        assert all(0 <= x <= 320 for x in drawn(html, "circle", "cx"))


# What a second reader found


def test_one_cluster_or_one_row_says_nothing_of_the_spread():
    with pytest.raises(ValueError, match="cluster has one group"):
        mean_of([1.0, 2.0, 4.0], estimand="e", method="m", cluster=["a", "a", "a"])
    with pytest.raises(ValueError, match="one row"):
        mean_of([3.0], estimand="e", method="m")


def test_the_same_groups_under_other_labels_are_the_same_clusters():
    y, g = [1.0, 2.0, 4.0, 9.0], np.array(["b", "b", "a", "a"])
    one = mean_of(y, estimand="e", method="m", cluster=g)
    for other in (g.astype(object), [5, 5, 7, 7], [1, 1, 0, 0]):
        assert (one - mean_of(y, estimand="e", method="m", cluster=other)).se == 0
    with pytest.raises(ValueError, match="cluster differs"):
        _ = one - mean_of(y, estimand="e", method="m", cluster=[0, 1, 1, 1])


def test_fractions_and_decimals_are_numbers():
    e = mean_of([1.0, 2.0, 4.0], estimand="e", method="m")
    half = Fraction(1, 2)
    for other in (half, Decimal("0.5"), np.float64(0.5)):
        assert (e - other).value == (e + -other).value == e.value - 0.5
        assert (other * e).se == (e / (1 / other)).se == e.se / 2
    for other in (np.array([1.0, 2.0]), "2"):
        with pytest.raises(TypeError, match="goes with estimates and numbers"):
            _ = e - other
    with pytest.raises(ValueError, match="the other number is nan"):
        _ = e * math.nan


def test_scores_far_from_zero_leave_no_mean_in_the_influence():
    milliseconds = 1.7e12 + np.random.default_rng(0).exponential(50, 999)
    e = mean_of(milliseconds, estimand="e", method="m") - 1.7e12  # a warning is an error here
    assert abs(e.influence.mean()) < 1e-12 * 1.7e12 / 999


def test_overlapping_samples_are_not_independent():
    y = np.arange(60.0)
    a, b = (mean_of(x, estimand="e", method="m") for x in (y, y[:30]))
    both = contrast(a, b, independent=True)
    with pytest.raises(ValueError, match="same rows"):
        contrast(both, a, independent=True)


def test_what_was_checked_cannot_be_changed():
    psi = np.array([-1.0, 1.0])
    e = Estimate(1.0, psi, "e", "m")
    psi[:] = 100
    assert e.influence.tolist() == [-1.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        e.influence[0] = 5


@pytest.mark.parametrize("dof", [0, -1, math.nan])
def test_degrees_of_freedom_are_positive(dof):
    with pytest.raises(ValueError, match="dof is"):
        Estimate(1.0, [-1.0, 1.0], "e", "m", dof=dof)


def test_a_single_note_is_one_note():
    assert Estimate(1.0, [-1.0, 1.0], "e", "m", notes="why").notes == ("why",)


def test_digits_stay_readable():
    twelve = mean_of([0.2] * 12, estimand="e", method="m")
    assert max(len(word) for word in twelve.summary().split()) < 20
    small = mean_of([-1e-9, 1e-9 / 3], estimand="e", method="m") * 0.0
    assert "-0" not in small.summary()
    assert "e+" in mean_of([1e20, 3e20], estimand="e", method="m").summary()


def test_compare_carries_the_notes():
    table = compare(no_error(), known())
    assert table.attrs["notes"]["model"] == no_error().notes
