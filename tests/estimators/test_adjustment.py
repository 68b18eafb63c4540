"""Regression adjustment: what it equals, what it estimates, how its error relates to others."""

import warnings
from fractions import Fraction
from itertools import combinations, pairwise, product
from math import comb

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.treatment.treatment_effects import TreatmentEffect

from causalbook import datasets
from causalbook.estimators import difference_in_means, regression_adjustment
from causalbook.nuisance import Linear
from causalbook.potential_outcomes import ab_test


def log_of(n=400, seed=2013):
    """Three covariates, effects that differ, a recommender that follows the first."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    a = (rng.random(n) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    y = x.sum(axis=1) + x[:, 0] ** 2 / 2 + a * (1 + x[:, 1]) + rng.normal(size=n)
    return y, a, x


def lins_regression(y, a, x):
    """Y on 1, A, X less its mean, and their products; the robust fit of statsmodels."""
    centred = np.asarray(x, dtype=float) - np.mean(np.asarray(x, dtype=float), axis=0)
    design = np.column_stack([np.ones(len(y)), a, centred, centred * np.asarray(a)[:, None]])
    return design, centred, sm.OLS(np.asarray(y, dtype=float), design).fit(cov_type="HC0")


def test_is_the_coefficient_of_lins_regression():
    y, a, x = log_of()
    _, _, peer = lins_regression(y, a, x)
    assert regression_adjustment(y, a, x).value == pytest.approx(peer.params[1], rel=1e-10)


def test_its_error_is_hc0_of_lins_regression_plus_the_sampling_of_the_covariates():
    y, a, x = log_of()
    design, centred, peer = lins_regression(y, a, x)
    n = len(y)
    phi = n * np.linalg.pinv(design)[1] * peer.resid  # the influence on that coefficient
    assert np.sqrt(phi @ phi) / n == pytest.approx(peer.bse[1], rel=1e-10)
    differs = centred @ peer.params[5:]  # the fitted effect of each row, less its mean
    ours = regression_adjustment(y, a, x)
    assert ours.influence == pytest.approx(phi + differs, abs=1e-9)
    square = peer.bse[1] ** 2 + (differs @ differs + 2 * differs @ phi) / n**2
    assert ours.se == pytest.approx(square**0.5, rel=1e-10)
    assert ours.se > peer.bse[1]


def test_its_error_is_hc0_where_the_fitted_effect_is_the_same_for_all():
    # Balanced arms with the same slope: y = 2x + 3a + noise that is orthogonal to both.
    x = np.tile([-1.0, -1.0, 1.0, 1.0], 6)
    a = np.repeat([0.0, 1.0], 12)
    y = 2 * x + 3 * a + np.tile([1.0, -1.0, 1.0, -1.0], 6)
    _, _, peer = lins_regression(y, a, x[:, None])
    ours = regression_adjustment(y, a, x)
    assert ours.value == pytest.approx(3, rel=1e-12)
    assert ours.se == pytest.approx(peer.bse[1], rel=1e-10)


def test_value_and_error_agree_with_the_peer_that_stacks_all_moments():
    # statsmodels 0.15.0: its regression adjustment is GMM on the moments of both models and of the
    # two means over all rows, so its error counts the sampling of X as ours does.
    y, a, x = log_of()
    z = sm.add_constant(x)
    logit = sm.Logit(a, z).fit(disp=0)  # the class asks for a propensity, `ra` makes no use of it
    peer = TreatmentEffect(sm.OLS(y, z), a.astype(int), results_select=logit).ra()
    ours = regression_adjustment(y, a, x)
    assert ours.value == pytest.approx(peer.summary_frame()["coef"]["ATE"], rel=1e-6)
    assert ours.se == pytest.approx(peer.summary_frame()["std err"]["ATE"], rel=1e-4)


def test_in_cells_it_is_standardisation_with_every_share_exact():
    # x in {0, 1}; (x, a): outcomes. Means 1, 3 | 2, 8: effects 2 and 6, shares 6/10 and 4/10.
    cells = {(0, 0): [0, 1, 1, 2], (0, 1): [2, 4], (1, 0): [2], (1, 1): [7, 8, 9]}
    rows = [(y, a, x) for (x, a), ys in cells.items() for y in ys for _ in range(6)]
    y, a, x = zip(*rows, strict=True)
    truth = Fraction(6, 10) * 2 + Fraction(4, 10) * 6
    assert regression_adjustment(y, a, x).value == pytest.approx(float(truth), rel=1e-12)
    naive = Fraction(2 + 4 + 7 + 8 + 9, 5) - Fraction(0 + 1 + 1 + 2 + 2, 5)
    assert difference_in_means(y, a).value == pytest.approx(float(naive), rel=1e-12)


# Four kinds of users, the population made of r copies of them, half of it treated by lot.
X, Y0, Y1 = (0, 1, 2, 4), (1, 0, 2, 7), (2, 2, 3, 7)


def fit_at_the_mean(x, y, w):
    """Least squares through the points (x, y), each w times; its value at the mean of X."""
    n = sum(w)
    mx = Fraction(sum(k * u for k, u in zip(w, x, strict=True)), n)
    my = Fraction(sum(k * v for k, v in zip(w, y, strict=True)), n)
    points = list(zip(w, x, y, strict=True))
    slope = sum(k * (u - mx) * (v - my) for k, u, v in points) / sum(
        k * (u - mx) ** 2 for k, u, _ in points
    )
    return my + slope * (Fraction(sum(x), 4) - mx), my


def bias(r):
    """Exact bias of the adjusted and of the plain difference over all lotteries of 4r users."""
    adjusted, plain = Fraction(0), Fraction(0)
    for treated in product(range(r + 1), repeat=4):
        if sum(treated) == 2 * r:
            ways = 1
            for k in treated:
                ways *= comb(r, k)
            one, mean1 = fit_at_the_mean(X, Y1, treated)
            zero, mean0 = fit_at_the_mean(X, Y0, [r - k for k in treated])
            adjusted += ways * (one - zero)
            plain += ways * (mean1 - mean0)
    ate, lots = Fraction(sum(Y1) - sum(Y0), 4), comb(4 * r, 2 * r)
    return adjusted / lots - ate, plain / lots - ate


def test_over_all_lotteries_of_eight_users_the_package_has_the_exact_bias():
    x, y0, y1 = (np.array(v * 2) for v in (X, Y0, Y1))
    values = []
    for treated in combinations(range(8), 4):
        a = np.isin(np.arange(8), treated).astype(int)
        with pytest.warns(UserWarning, match="rows for each coefficient"):
            values.append(regression_adjustment(np.where(a == 1, y1, y0), a, x).value)
    ate = Fraction(sum(Y1) - sum(Y0), 4)
    assert np.mean(values) - float(ate) == pytest.approx(float(bias(2)[0]), abs=1e-12)


def test_in_a_lottery_the_bias_is_not_zero_but_vanishes_as_one_over_n():
    # Freedman (2008), Lin (2013). The limit of n times the bias, derived here for n1 = n0 = n/2:
    # minus the covariance of X's squared distance from its mean with the residuals of arm 1, less
    # that of arm 0, over the variance of X.
    x = np.array(X) - np.mean(X)
    left = [np.array(y) - np.mean(y) - x * (x @ np.array(y)) / (x @ x) for y in (Y1, Y0)]
    limit = -(x**2 @ (left[0] - left[1])) / (x @ x)
    sizes = (2, 4, 8, 16)
    found = [bias(r) for r in sizes]
    assert all(plain == 0 for _, plain in found)
    assert all(adjusted > 0 for adjusted, _ in found)
    off = [abs(float(4 * r * b) - limit) for r, (b, _) in zip(sizes, found, strict=True)]
    assert all(later < earlier / 2 for earlier, later in pairwise(off))


outcomes = st.lists(st.integers(-9, 9), min_size=12, max_size=12)


@settings(deadline=None, max_examples=60)
@given(outcomes, outcomes, st.integers(1, 4))
def test_in_a_lottery_it_is_asymptotically_no_worse_than_the_difference_in_means(y1, y0, r):
    # A population in which treatment is exactly independent of all else: each kind of user r times
    # treated and once not. Then sums over rows are expectations, and the errors asymptotic ones.
    x = np.array([(k % 4, (k // 4) ** 2) for k in range(12)], dtype=float)
    copies = 5  # so that no fit is short of rows; copies change errors by a constant
    xs = np.tile(x, (copies * (r + 1), 1))
    a = np.repeat([1.0, 0.0], [12 * copies * r, 12 * copies])
    y = np.concatenate([np.tile(y1, copies * r), np.tile(y0, copies)]).astype(float)
    adjusted, plain = regression_adjustment(y, a, xs), difference_in_means(y, a)
    assert adjusted.value == pytest.approx(plain.value, abs=1e-9)
    n1, n0 = 12 * copies * r, 12 * copies
    without_factor = (np.var(y[a == 1]) / n1 + np.var(y[a == 0]) / n0) ** 0.5
    assert adjusted.se <= without_factor + 1e-9
    # The gain is a square: the variance of a mix of the two fits, each weighted by the other arm.
    mu1, mu0 = (Linear().fit(x, np.array(v, dtype=float)).predict(x) for v in (y1, y0))
    mix = np.sqrt(n0 / n1) * mu1 + np.sqrt(n1 / n0) * mu0
    gain = without_factor**2 - adjusted.se**2
    assert gain == pytest.approx(np.var(mix) / (n1 + n0), abs=1e-9)


def least_squares(target, *columns):
    return np.linalg.lstsq(np.column_stack([np.ones(len(target)), *columns]), target)[0]


def test_frisch_waugh_lovell_residual_on_residual_is_the_coefficient():
    y, a, x = log_of()

    def left(target):
        return target - Linear().fit(x, target).predict(x)

    v, u = left(a), left(y)
    coefficient = least_squares(y, a, x)[1]
    assert (v @ u) / (v @ v) == pytest.approx(coefficient, rel=1e-10)
    assert (v @ y) / (v @ v) == pytest.approx(coefficient, rel=1e-10)  # y itself will do


def test_the_short_coefficient_is_the_long_one_plus_delta_times_gamma():
    y, a, x = log_of()
    short, long = least_squares(y, a)[1], least_squares(y, a, x)
    delta = [least_squares(column, a)[1] for column in x.T]
    assert short - long[1] == pytest.approx(np.array(delta) @ long[2:], rel=1e-10)
    assert short == pytest.approx(difference_in_means(y, a).value, rel=1e-10)


def test_nhefs_standardised_by_the_books_model_and_by_one_model_an_arm(nhefs):
    # Hernan and Robins (2020), section 13.3: 3.5 kg; program 13.3 gives 3.517. Their model is one
    # for both arms, linear with squares and the single product of qsmk and smokeintensity.
    x, a, y = nhefs

    def under(arm):
        arm = np.broadcast_to(arm, len(y)).astype(float)
        return x.assign(qsmk=arm, product=arm * x["smokeintensity"])

    book = Linear().fit(under(a), y)
    assert round(np.mean(book.predict(under(1)) - book.predict(under(0))), 3) == 3.517
    # One model an arm has all products. Peer: Lin's regression by statsmodels 0.15.0.
    ours = regression_adjustment(y, a, x)
    _, _, peer = lins_regression(y, a, x)
    assert ours.value == pytest.approx(peer.params[1], rel=1e-8)
    assert round(ours.value, 2) == 3.44
    assert round(difference_in_means(y, a).value, 2) == 2.54  # section 12.1


def test_lalonde_from_the_survey_to_the_experiment():
    # Angrist and Pischke (2009), table 3.3.3: 1,794 in the experiment; against CPS-1 -8,498 raw,
    # -3,437 given demographics, -78 given the earnings of 1975, 623 given both, 794 given those of
    # 1974 as well. Demographics: age and its square, schooling, black, Hispanic, dropout, married.
    nsw, cps = datasets.load("nsw_mixtape"), datasets.load("cps_mixtape")
    by_lot = difference_in_means(nsw["re78"], nsw["treat"])
    assert round(by_lot.value, 2) == 1794.34
    survey = pd.concat([nsw[nsw["treat"] == 1], cps], ignore_index=True)
    survey = survey.drop(columns="data_id").astype(float)  # the squares of small integers overflow
    y, a = survey["re78"].to_numpy(), survey["treat"].to_numpy()
    assert round(difference_in_means(y, a).value, 1) == -8497.5
    who = survey[["age", "educ", "black", "hisp", "marr", "nodegree"]].assign(
        age2=survey["age"] ** 2
    )
    before = {"re75": survey["re75"], "re74": survey["re74"]}
    x = who.assign(**before)
    sets = (who, survey[["re75"]], x.drop(columns="re74"), x)
    assert [round(least_squares(y, a, s)[1]) for s in sets] == [-3437, -78, 623, 794]
    # The ATE is another question, about the people of the survey: its peer is Lin's regression.
    ours, (_, _, peer) = regression_adjustment(y, a, x), lins_regression(y, a, x)
    assert ours.value == pytest.approx(peer.params[1], rel=1e-8)
    assert ours.value < 0 < by_lot.value


def test_the_difference_in_means_is_the_ab_test_under_another_name():
    y, a, _ = log_of()
    groups = np.arange(len(y)) % 40
    for cluster in (None, groups):
        ours, theirs = difference_in_means(y, a, cluster=cluster), ab_test(y, a, cluster=cluster)
        assert (ours.value, ours.se, ours.dof) == (theirs.value, theirs.se, theirs.dof)
        assert ours.method == theirs.method
    assert ours.estimand == "E[Y|A=1] - E[Y|A=0]"
    assert theirs.estimand == "ATE"
    assert "only if the treatment was randomised" in ours.notes[0]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.floats(-5, 5), st.floats(0.1, 10))
def test_what_a_change_of_names_and_units_does(seed, shift, scale):
    y, a, x = log_of(80, seed)
    before = regression_adjustment(y, a, x)
    swapped = regression_adjustment(y, 1 - a, x)
    assert swapped.value == pytest.approx(-before.value, rel=1e-10, abs=1e-12)
    assert swapped.influence == pytest.approx(-before.influence, abs=1e-9)
    moved = regression_adjustment(scale * y + shift, a, x * scale + shift)
    assert moved.value == pytest.approx(scale * before.value, rel=1e-8, abs=1e-9)
    assert moved.se == pytest.approx(scale * before.se, rel=1e-8)
    treated_more = regression_adjustment(y + shift * a, a, x)  # shifts the value, not the error
    assert treated_more.value == pytest.approx(before.value + shift, abs=1e-9)
    assert treated_more.se == pytest.approx(before.se, rel=1e-8)


def test_duplicated_rows_with_clusters_leave_the_error():
    y, a, x = log_of()
    once = regression_adjustment(y, a, x)
    rows = np.repeat(np.arange(len(y)), 3)
    thrice = regression_adjustment(y[rows], a[rows], x[rows], cluster=rows)
    assert thrice.value == pytest.approx(once.value, rel=1e-10)
    assert thrice.se == pytest.approx(once.se, rel=1e-10)
    assert thrice.dof is None


def test_frames_and_vectors_do_as_arrays_and_stay_unchanged():
    y, a, x = log_of()
    frame = pd.DataFrame(x, index=np.arange(len(y))[::-1], columns=["visits", "dwell", "taste"])
    kept = frame.copy()
    assert regression_adjustment(y, a, frame).value == regression_adjustment(y, a, x).value
    assert frame.equals(kept)
    one = regression_adjustment(y, a, x[:, 0])
    assert one.value == regression_adjustment(y, a, x[:, :1]).value


def refuse(match, y=None, a=None, x=None, **more):
    found = log_of(60)
    given_ = [old if new is None else new for old, new in zip(found, (y, a, x), strict=True)]
    with pytest.raises(ValueError, match=match):
        regression_adjustment(*given_, **more)


def test_refusals_name_the_argument():
    y, a, x = log_of(60)
    refuse("y is NaN or infinite in 1 of 60 rows", y=np.where(np.arange(60) == 3, np.nan, y))
    refuse("X is NaN or infinite in 60 of 60 rows", x=np.full((60, 3), np.inf))
    refuse("a is neither 0 nor 1", a=a + 1)
    refuse("a is 1 in every row", a=np.ones(60))
    refuse("unequal lengths: y has 59", y=y[1:])
    refuse("y holds <U1 values", y=np.full(60, "y"))
    refuse("y is empty", y=[], a=[], x=np.empty((0, 3)))
    refuse("cluster has one group", cluster=np.zeros(60, dtype=int))
    refuse("X has columns that depend on each other", x=np.column_stack([x, x.sum(axis=1)]))
    few = np.where(np.arange(60) < 4, 1.0, 0.0)
    refuse("a has 4 rows with a = 1 for the 4 coefficients", a=few)


def test_a_column_that_is_constant_in_one_arm_is_refused_with_the_arm():
    _, a, x = log_of(60)
    frame = pd.DataFrame({"visits": x[:, 0], "dwell": a * x[:, 1]})
    refuse(r"constant in column 'dwell'.*among the rows with a = 0", x=frame)


def test_few_rows_for_each_coefficient_are_warned_of():
    y, a, x = log_of(30)
    with pytest.warns(UserWarning, match="X has 3 columns for .* the standard error is too small"):
        regression_adjustment(y, a, x)
    y, _, x = log_of(60)
    for treated, warns in ((5, True), (19, True), (20, False)):  # four coefficients
        a = np.where(np.arange(60) % 3 == 0, 1.0, 0.0)
        a[np.flatnonzero(a)[treated:]] = 0
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            regression_adjustment(y, a, x)
        assert [str(w.message).split(":")[0] for w in seen] == (
            [f"X has 3 columns for {treated} rows with a = 1"] if warns else []
        )
