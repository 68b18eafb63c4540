"""Overlap and balance: numbers worked out by hand, peers, rules at their edge, refusals."""

import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalbook import datasets
from causalbook.estimators import Check, balance, love_plot, overlap
from causalbook.nuisance import logit

A = [1, 1, 1, 0, 0, 0, 0]
X = [2, 4, 6, 1, 2, 3, 6]


def world(seed=2009, n=400):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    e = 1 / (1 + np.exp(-x[:, 0] + 0.5 * x[:, 1]))
    return x, (rng.random(n) < e).astype(int), e


def test_the_numbers_of_a_world_of_seven_by_hand():
    weights = [Fraction(1), Fraction(2), Fraction(1), Fraction(1), Fraction(1), Fraction(2), 0]
    # Arms: means 4 and 3; variances 8/2 = 4 and (4 + 1 + 0 + 9)/3 = 14/3; weighted means 16/4 = 4
    # and (1 + 2 + 6)/4 = 9/4.
    divisor = float((4 + Fraction(14, 3)) / 2) ** 0.5
    (row,) = balance(X, A, [float(w) for w in weights]).table.itertuples(index=False)
    assert abs(row.smd_before - 1 / divisor) < 1e-12
    assert abs(row.smd_after - (4 - 9 / 4) / divisor) < 1e-12
    assert abs(row.variance_ratio_before - float(4 / Fraction(14, 3))) < 1e-12
    # Shares 1/4, 1/2, 1/4 in both arms: spreads 2 and 11/16, each over 1 - 3/8.
    assert abs(row.variance_ratio_after - float(2 / Fraction(11, 16))) < 1e-12


def test_equal_weights_change_nothing_and_their_scale_does_not_matter():
    x, a, e = world()
    table = balance(x, a, np.full(len(a), 7.0)).table
    assert np.allclose(table["smd_after"], table["smd_before"], rtol=1e-12)
    assert np.allclose(table["variance_ratio_after"], table["variance_ratio_before"], rtol=1e-12)
    w = np.where(a == 1, 1 / e, 1 / (1 - e))
    per_arm = w * np.where(a == 1, 3.0, 1e-9)
    assert np.allclose(balance(x, a, w).table.iloc[:, 1:], balance(x, a, per_arm).table.iloc[:, 1:])


def test_the_variance_ratio_is_that_of_a_peer():
    x, a, e = world()
    w = np.where(a == 1, 1 / e, 1 / (1 - e))
    ours = balance(x, a, w).table["variance_ratio_after"]
    # numpy's `aweights` divide by the sum of w less that of w squared over it, as cobalt does.
    v1 = np.cov(x[a == 1].T, aweights=w[a == 1]).diagonal()
    v0 = np.cov(x[a == 0].T, aweights=w[a == 0]).diagonal()
    assert np.allclose(ours, v1 / v0, rtol=1e-12)


@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(0.1, 50))
def test_units_do_not_matter_and_swapping_the_arms_turns_the_sign(seed, shift, scale):
    x, a, _ = world(seed, n=60)
    table, moved = balance(x, a).table, balance(scale * x + shift, a).table
    assert np.allclose(table["smd_before"], moved["smd_before"], rtol=1e-9, atol=1e-12)
    swapped = balance(x, 1 - a).table
    assert np.allclose(swapped["smd_before"], -table["smd_before"], rtol=1e-12)
    assert np.allclose(swapped["variance_ratio_before"], 1 / table["variance_ratio_before"])


def test_weights_of_the_true_propensity_bring_the_arms_together():
    x, a, e = world(n=20_000)
    check = balance(x, a, np.where(a == 1, 1 / e, 1 / (1 - e)))
    assert not balance(x, a)
    assert check
    assert check.table["smd_after"].abs().max() < 0.05


def test_overlap_weights_of_a_fitted_logit_balance_every_mean_exactly():
    x, a, _ = world()
    e = logit(x, a).values
    # The score of the logit says sum (A - e) X = 0, which is the balance of the overlap weights.
    check = balance(x, a, np.where(a == 1, 1 - e, e))
    assert check.table["smd_after"].abs().max() < 1e-10


def test_balance_passes_below_a_tenth_and_not_at_it():
    a = np.repeat([1, 0], [50, 50])
    x = np.tile([-1.0, 1.0], 50)
    sd = x[:50].std(ddof=1)
    for gap, passed in ((0.0999, True), (0.1001, False), (-0.0999, True), (-0.1001, False)):
        check = balance(x + gap * sd * a, a)
        assert check.passed is passed
        assert bool(check) is passed
    assert "1 of 1 reach 0.1" in check.sentence


def test_columns_of_zeros_and_ones_have_no_variance_ratio_and_constant_ones_are_alike():
    frame = pd.DataFrame({"new": [0, 1, 0, 1, 0, 1, 0], "shop": [5.0] * 7, "dwell": X})
    table = balance(frame, A).table.set_index("covariate")
    assert table["variance_ratio_before"].isna().tolist() == [True, True, False]
    assert table.loc["shop", "smd_before"] == 0
    separated = balance(A, A)
    assert not separated
    assert np.isinf(separated.table["smd_before"][0])


def test_variances_that_differ_twofold_are_named_and_do_not_decide():
    x = np.concatenate([np.tile([-1.0, 1.0], 20), np.tile([-2.0, 2.0], 20)])
    check = balance(pd.Series(x, name="dwell"), np.repeat([1, 0], 40))
    assert check.passed
    assert "more than twofold in dwell" in check.sentence
    assert "largest difference is +0.000" in check.sentence


def test_a_table_names_the_columns():
    x, a, _ = world()
    assert balance(x, a).table["covariate"].tolist() == ["0", "1", "2"]
    frame = pd.DataFrame(x, columns=["visits", "dwell", "taste"])
    assert balance(frame, a).table["covariate"].tolist() == ["visits", "dwell", "taste"]
    assert balance(x[:, 0].tolist(), a).table["covariate"].tolist() == ["0"]
    quoted = pd.DataFrame(x, columns=["user's visits", "'dwell'", 7])
    assert balance(quoted, a).table["covariate"].tolist() == ["user's visits", "'dwell'", "7"]
    assert balance(pd.Series(x[:, 0], name="it's"), a).table["covariate"].tolist() == ["it's"]


def test_overlap_by_hand():
    e = np.array([0.5, 0.5, 0.8, 0.5, 0.5, 0.05, 0.95])
    table = overlap(e, A).table.set_index("arm")
    treated = [Fraction(2), Fraction(2), Fraction(5, 4)]
    control = [Fraction(2), Fraction(2), Fraction(20, 19), Fraction(20)]
    for arm, w in ((1, treated), (0, control)):
        size = sum(w) ** 2 / sum(v * v for v in w)
        assert abs(table.loc[arm, "ess"] - float(size)) < 1e-12
    assert table["n"].tolist() == [3, 4]
    assert table["within_other"].tolist() == [1.0, 0.5]
    assert table["outside_10_90"].tolist() == [0.0, 0.5]
    assert (table.loc[0, "e_min"], table.loc[0, "e_max"]) == (0.05, 0.95)


def test_a_lottery_passes_whatever_its_share():
    a = np.repeat([1, 0], [20, 980])
    check = overlap(np.full(1000, 0.02), a)
    assert check.passed
    assert check.table["ess"].tolist() == pytest.approx([20, 980])
    assert check.table["outside_10_90"].tolist() == [1, 1]  # shown, not judged


def test_overlap_fails_where_few_rows_carry_the_weight():
    a = np.repeat([1, 0], 100)
    e = np.full(200, 0.5)
    e[0] = 0.01  # one treated row weighs 100, the others 2: (298)^2 / (99 * 4 + 10,000) = 8.5
    check = overlap(e, a)
    assert check.passed is False
    assert "weights leave 9 of 100 treated" in check.sentence
    assert "less than half of an arm" in check.sentence
    assert "0.5% of all propensities lie outside [.1, .9]" in check.sentence
    e[1] = 0.99
    assert "1.0% of all propensities" in overlap(e, a).sentence


def test_overlap_fails_where_the_propensity_nearly_separates_though_no_weight_is_large():
    a = np.repeat([1, 0], 100)
    e = np.where(a == 1, 0.9, 0.1) + np.linspace(-0.05, 0.05, 200)
    check = overlap(e, a)
    assert (check.table["ess"] > 0.99 * check.table["n"]).all()
    assert check.passed is False
    assert "nearly separates" in check.sentence


def test_swapping_the_arms_swaps_the_rows_of_overlap():
    _, a, e = world()
    one, other = overlap(e, a).table, overlap(1 - e, 1 - a).table
    for column in ("n", "ess", "within_other", "outside_10_90"):
        assert np.allclose(one[column], other[column][::-1])


def test_a_fitted_propensity_is_taken_as_its_values():
    x, a, _ = world()
    e = logit(x, a)
    pd.testing.assert_frame_equal(overlap(e, a).table, overlap(e.values, a).table)


def test_nhefs_balance_before_and_after():
    frame = datasets.load("nhefs").dropna(subset=["wt82_71"])
    a, age = frame["qsmk"].to_numpy(), frame["age"]
    # Hernan and Robins, chapter 12, table 12.1: quitters 46.2 years of age, others 42.8.
    assert round(age[a == 1].mean(), 1) == 46.2
    assert round(age[a == 0].mean(), 1) == 42.8
    check = balance(age, a)
    spread = ((age[a == 1].var() + age[a == 0].var()) / 2) ** 0.5
    assert abs(
        check.table["smd_before"][0] - (age[a == 1].mean() - age[a == 0].mean()) / spread
    ) < (1e-12)
    assert not check


def test_a_check_speaks_for_itself():
    _, a, e = world()
    check = overlap(e, a)
    assert isinstance(check, Check)
    assert repr(check).startswith(f"overlap: {'passed' if check else 'failed'}. weights leave")
    html = check._repr_html_()
    assert check.sentence in html
    assert html.count('<th scope="col">') == len(check.table.columns)
    unknown = Check("trend", None, check.table, "There is <one> period.")
    assert not unknown
    assert "not applicable" in repr(unknown)
    assert "&lt;one&gt;" in unknown._repr_html_()


def test_the_love_plot_says_how_many_reach_the_line_before_and_after():
    x, a, e = world()
    check = balance(x, a, np.where(a == 1, 1 / e, 1 / (1 - e)))
    before, after = (check.table[f"smd_{w}"].abs() for w in ("before", "after"))
    alt = love_plot(check).alt
    assert f"before weighting {(before >= 0.1).sum()} reach 0.1" in alt
    assert f"after weighting {(after >= 0.1).sum()} reach 0.1" in alt
    assert f"the largest is {before.max():.2f} ({before.idxmax()})" in alt
    assert "after" not in love_plot(balance(x, a)).alt
    with pytest.raises(ValueError, match="check is one of overlap"):
        love_plot(overlap(e, a))
    with pytest.raises(ValueError, match="check is a DataFrame: pass what balance"):
        love_plot(check.table)


def test_the_love_plot_shows_every_row_and_names_the_points_of_the_first():
    x, a, e = world()
    check = balance(x, a, np.where(a == 1, 1 / e, 1 / (1 - e)))
    svg = love_plot(check).svg
    height = float(re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', svg)[1])
    assert abs(height - 72 * (1 + 0.26 * 3)) < 0.01
    place = {
        name: (float(u), float(v))
        for u, v, name in re.findall(
            r'<text [^>]*? x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+)</text>', svg
        )
    }
    assert "0.0" in place  # a difference of zero is within the axes
    size = check.table["smd_before"].abs()
    assert [place[str(j)][1] for j in size.sort_values().index] == sorted(
        (place[str(j)][1] for j in range(3)), reverse=True
    )
    row = place[str(size.idxmin())][1] - place[str(size.idxmax())][1]
    assert place[str(size.idxmax())][1] < 1.2 * row / 2  # the first row is near the top
    points = [
        float(u) for u in re.findall(r'<use [^>]*? x="([\d.]+)" [^>]*fill: #(?:888|009)', svg)
    ]
    assert place["before"][0] == points[2] == max(points)
    assert place["after"][0] == points[5]
    assert place["before"][1] < place[str(size.idxmax())][1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: balance([[1.0, np.nan]] * 7, A), "X is NaN or infinite in 7 of 7 rows"),
        (lambda: balance(["new"] * 7, A), "X holds .* values, not numbers"),
        (lambda: balance(X[:6], A), "unequal lengths: X has 6, a has 7"),
        (lambda: balance(X, [1] * 7), "a is 1 in every row"),
        (lambda: balance(X, A, [1] * 6), "unequal lengths: a has 7, weights has 6"),
        (lambda: balance(X, A, [-1] + [1] * 6), "weights is negative in 1 of 7 rows"),
        (lambda: balance(X, A, [0, 0, 0, 1, 1, 1, 1]), "weights are 0 in every row with a = 1"),
        (lambda: balance(X, A, [np.inf] + [1] * 6), "weights is NaN or infinite"),
        (lambda: balance([], []), "X is empty"),
        (lambda: overlap([0.5] * 6 + [1.0], A), r"e is outside \(0, 1\) in 1 of 7 rows"),
        (lambda: overlap([0.0] + [0.5] * 6, A), r"e is outside \(0, 1\) in 1 of 7 rows"),
        (lambda: overlap([np.nan] + [0.5] * 6, A), "e is NaN or infinite"),
        (lambda: overlap([0.5] * 6, A), "unequal lengths: e has 6, a has 7"),
        (lambda: overlap([0.5] * 7, [0] * 7), "a is 0 in every row"),
        (lambda: overlap([0.5] * 7, [2, *A[1:]]), "a is neither 0 nor 1 in 1 of 7 rows"),
    ],
)
def test_refuses_with_a_message_that_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_leaves_its_input_alone():
    x, a, e = world()
    w = 1 / e
    kept = [v.copy() for v in (x, a, e, w)]
    balance(x, a, w)
    overlap(e, a)
    assert all((v == k).all() for v, k in zip((x, a, e, w), kept, strict=True))
