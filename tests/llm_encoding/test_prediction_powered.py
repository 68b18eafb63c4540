"""Prediction-powered means against enumeration, AIPW, survey sampling's formulas and a peer."""

import itertools
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalbook.estimators import aipw, difference_in_means
from causalbook.llm_encoding import prediction_powered, pseudo_labels


def drawn(seed, n=500, p=None):
    """Labels near one in three, a model that is often wrong, probabilities that differ by row."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(float)
    f = np.clip(0.5 * y + rng.normal(0.3, 0.2, n), 0, 1)
    p = rng.uniform(0.1, 0.9, n) if p is None else np.full(n, p)
    return f, np.where(rng.random(n) < p, y, np.nan), p, y


def test_its_expectation_over_all_labellings_is_the_mean_of_the_labels():
    # Three rows, every subset of them labelled, each with its probability, as fractions. Two rows
    # are labelled for sure in no subset: those with fewer than two labels are added by hand.
    f, y, p = (
        [Fraction(1, 5), Fraction(9, 10), Fraction(1, 2)],
        [Fraction(1), Fraction(0), Fraction(1)],
        [Fraction(1, 2), Fraction(1, 4), Fraction(4, 5)],
    )
    total, chance = Fraction(0), Fraction(0)
    for drawn in itertools.product([0, 1], repeat=3):
        weight = Fraction(1)
        for q, here in zip(p, drawn, strict=True):
            weight *= q if here else 1 - q
        if sum(drawn) >= 2:
            label = [float(v) if here else np.nan for v, here in zip(y, drawn, strict=True)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = prediction_powered(f, label, p).value
        else:
            value = sum(
                a + (b - a) / q * here for a, b, q, here in zip(f, y, p, drawn, strict=True)
            )
            value /= 3
        total, chance = total + weight * Fraction(value), chance + weight
    assert chance == 1
    assert float(total) == pytest.approx(2 / 3, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_aipw_where_the_treatment_is_to_be_labelled(seed):
    f, label, p, _ = drawn(seed)
    seen = ~np.isnan(label)
    # What an unlabelled row would show is known to be 0, so the effect of labelling is the mean.
    other = aipw(np.where(seen, label, 0.0), seen, p, mu0=np.zeros_like(f), mu1=f)
    own = prediction_powered(f, label, p)
    assert own.value == pytest.approx(other.value, abs=1e-12)
    np.testing.assert_allclose(own.influence, other.influence, atol=1e-12)


def test_it_is_the_value_of_the_peer():
    # ppi-python 0.2.3, numpy 2.4.6, with the same draws:
    #   ppi_mean_pointestimate(Y[lab], f[lab], f, lam=1).item()  ->  0.294775
    rng = np.random.default_rng(2023)
    f = rng.random(400).round(3)
    y = (rng.random(400) < f**2).astype(float)
    label = np.where(np.arange(400) < 80, y, np.nan)
    assert prediction_powered(f, label, 0.2).value == pytest.approx(0.294775, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_tuned_with_one_probability_it_is_the_regression_estimator_of_surveys(seed):
    # Cochran (1977, section 7.3): the mean of the labels, moved along the fitted line to the mean
    # of f among all. Here by polyfit, the number of labels as promised.
    rng = np.random.default_rng(seed)
    f, _, _, y = drawn(seed)
    lab = np.sort(rng.permutation(500)[:100])
    label = np.full(500, np.nan)
    label[lab] = y[lab]
    slope, _ = np.polyfit(f[lab], y[lab], 1)
    value = y[lab].mean() + slope * (f.mean() - f[lab].mean())
    assert prediction_powered(f, label, 0.2, tuned=True).value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_line_has_a_smaller_error_than_the_tuned_one(seed):
    f, label, p, _ = drawn(seed)
    seen = ~np.isnan(label)

    def variance(intercept, slope):  # what labelling adds, estimated by the labelled rows
        residual = (label - intercept - slope * f)[seen]
        return (((1 - p) / p**2)[seen] * residual**2).sum()

    # The line itself, from two rows that nobody labelled: there s is the line.
    s, free = pseudo_labels(f, label, p, tuned=True), np.flatnonzero(~seen)[:2]
    slope = (s[free[1]] - s[free[0]]) / (f[free[1]] - f[free[0]])
    intercept = s[free[0]] - slope * f[free[0]]
    for turn in np.linspace(0, 2 * np.pi, 12):
        step = 1e-3 * np.array([np.cos(turn), np.sin(turn)])
        assert variance(intercept, slope) < variance(intercept + step[0], slope + step[1])


@given(st.integers(0, 10_000), st.floats(-5, 5), st.floats(0.1, 10))
def test_tuning_forgets_the_scale_of_the_predictions(seed, shift, scale):
    f, label, p, _ = drawn(seed, 200, 0.5)
    own = pseudo_labels(f, label, p, tuned=True)
    np.testing.assert_allclose(
        pseudo_labels(shift + scale * f, label, p, tuned=True), own, atol=1e-8
    )


@pytest.mark.parametrize("tuned", [False, True])
def test_a_perfect_model_leaves_nothing_to_correct(tuned):
    y = np.tile([1.0, 0, 0, 1, 1, 0, 1, 0], 10)
    label = np.where(np.arange(80) < 40, y, np.nan)
    np.testing.assert_allclose(pseudo_labels(y, label, 0.5, tuned=tuned), y, atol=1e-12)


@pytest.mark.parametrize("tuned", [False, True])
def test_all_labelled_the_model_does_not_matter(tuned):
    f, _, _, y = drawn(3)
    np.testing.assert_allclose(pseudo_labels(f, y, 1.0, tuned=tuned), y, atol=1e-12)
    np.testing.assert_allclose(pseudo_labels(1 - f, y, np.ones(500), tuned=tuned), y, atol=1e-12)


def test_it_is_linear_in_model_and_label():
    f, label, p, _ = drawn(4)
    x = np.random.default_rng(0).normal(size=500)
    np.testing.assert_allclose(
        pseudo_labels(x * f, x * label, p), x * pseudo_labels(f, label, p), atol=1e-12
    )


def test_an_effect_on_the_pseudo_labels_is_the_difference_of_two_means():
    f, label, p, _ = drawn(5)
    a = np.random.default_rng(1).integers(0, 2, 500)
    effect = difference_in_means(pseudo_labels(f, label, p), a)
    arms = [prediction_powered(f[a == k], label[a == k], p[a == k]).value for k in (0, 1)]
    assert effect.value == pytest.approx(arms[1] - arms[0], abs=1e-12)


def test_clusters_notes_and_names():
    f, label, p, _ = drawn(6)
    groups = np.arange(500) // 5
    e = prediction_powered(f, label, p, cluster=groups, estimand="share", tuned=True)
    s = pseudo_labels(f, label, p, tuned=True)
    sums = (s - s.mean()).reshape(100, 5).sum(axis=1)
    assert e.se == pytest.approx(np.sqrt(sums @ sums) / 500, abs=1e-12)
    assert (e.estimand, e.method) == ("share", "prediction-powered, tuned")
    assert f"{np.isfinite(label).sum()} of 500 rows labelled by a person" in e.notes[0]


def test_missing_labels_of_every_kind_are_rows_that_nobody_labelled():
    plain = pseudo_labels([0.2, 0.4, 0.9, 0.5], [0, np.nan, 1, np.nan], 0.5)
    nullable = pd.Series([0, None, 1, None], dtype="Int64", name="genre")
    for label in (nullable, [0, None, 1, None]):
        np.testing.assert_array_equal(pseudo_labels([0.2, 0.4, 0.9, 0.5], label, 0.5), plain)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"predicted": [0.1, np.nan, 0.3, 0.4]}, r"predicted is NaN or infinite in 1 of 4"),
        ({"label": [0, np.inf, np.nan, np.nan]}, r"label is NaN or infinite in 1 of 4 .*first: 1"),
        ({"label": [1, np.nan, np.nan, np.nan]}, r"label is there in 1 rows.*have more rows"),
        ({"label": [1, 0, np.nan]}, r"unequal lengths: predicted has 4, label has 3"),
        ({"label": ["yes", "no", None, None]}, r"label holds .* not numbers"),
        ({"label": [[1, 0], [0, 1]]}, r"label has 2 dimensions"),
        ({"probability": 0.0}, r"probability is outside \(0, 1\] in 4 of 4"),
        ({"probability": [0.5, 1.5, 0.5, 0.5]}, r"outside \(0, 1\] in 1 of 4 rows \(first: 1\)"),
        ({"probability": 50}, r"probability is outside .* with which it was drawn"),
        ({"probability": [0.5, 0.5, 1.0, 0.5]}, r"label is missing in 1 of 4 .*first: 2.*lost"),
        ({"probability": [0.5, 0.5]}, r"unequal lengths"),
        ({"probability": pd.Series([2.0] * 4, name="p")}, r"probability \('p'\) is outside"),
    ],
)
def test_refuses_what_would_make_a_wrong_number(change, says):
    good = {"predicted": [0.1, 0.2, 0.3, 0.4], "label": [1, 0, np.nan, np.nan], "probability": 0.5}
    with pytest.raises(ValueError, match=says):
        prediction_powered(**(good | change))


def test_warns_where_labels_were_lost():
    f, label, p, _ = drawn(7, 1000, 0.5)
    label[np.flatnonzero(np.isfinite(label))[:100]] = np.nan
    with pytest.warns(UserWarning, match=r"promises about 500 labels, and there are \d{3}"):
        prediction_powered(f, label, p)


def test_the_warning_begins_at_five_standard_deviations():
    # 400 rows with p = 1/2: the number of labels has standard deviation 10.
    f, y = np.zeros(400), np.ones(400)
    for labels, warns in ((250, False), (251, True), (150, False), (149, True)):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            prediction_powered(f, np.where(np.arange(400) < labels, y, np.nan), 0.5)
        assert bool(seen) == warns


def test_tuning_by_few_labels_warns():
    f, y = np.linspace(0, 1, 60), np.tile([0.0, 1.0], 30)
    for labels, warns in ((29, True), (30, False)):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            prediction_powered(f, np.where(np.arange(60) < labels, y, np.nan), 0.5, tuned=True)
        assert [("a line to 29 labels" in str(w.message)) for w in seen] == [True] * warns
