"""The partially linear model: what it equals, what it survives, what it refuses."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from causalbook.estimators import partially_linear
from causalbook.nuisance import Logit


def log_of(n=600):
    rng = np.random.default_rng(2018)
    X = rng.normal(size=(n, 3))
    e = 1 / (1 + np.exp(-(0.5 * X[:, 0] - 0.5 * X[:, 1])))
    a = (rng.random(n) < e).astype(float)
    y = 1.0 * a + X @ [1.0, 1.0, 0.0] + 0.5 * a * X[:, 2] + rng.normal(size=n)
    dose = a + X[:, 0] ** 2 / 4 + rng.normal(size=n)
    return y, a, X, dose, np.arange(n) % 4


def residuals(X, target, k):
    """Residuals of least squares fitted without each fold."""
    Z, left = np.column_stack([np.ones(len(X)), X]), np.empty(len(X))
    for fold in np.unique(k):
        b = np.linalg.lstsq(Z[k != fold], target[k != fold])[0]
        left[k == fold] = target[k == fold] - Z[k == fold] @ b
    return left


class Says:
    """A learner that has made up its mind: a function of X, whatever it is fitted to."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, target):
        return self

    def predict(self, X):
        return np.array([self.function(*x) for x in X], dtype=float)


def test_is_the_regression_of_residual_on_residual():
    y, a, X, dose, k = log_of()
    for treatment in (a, dose):
        u, v = residuals(X, y, k), residuals(X, treatment, k)
        theta = (v @ u) / (v @ v)
        psi = v * (u - theta * v) / np.mean(v**2)
        estimate = partially_linear(y, treatment, X, folds=k)
        assert estimate.value == pytest.approx(theta, rel=1e-10)
        assert estimate.influence == pytest.approx(psi, abs=1e-10)
        assert estimate.influence.mean() == pytest.approx(0, abs=1e-12)


def test_agrees_with_doubleml_on_the_same_folds():
    # DoubleML 0.11.4, scikit-learn 1.9.1, with y, a, X, dose, k of log_of():
    #   plr = DoubleMLPLR(DoubleMLData.from_arrays(X, y, a), LinearRegression(),
    #                     LinearRegression(), n_folds=4, draw_sample_splitting=False)
    #   plr.set_sample_splitting([[(np.flatnonzero(k != j), np.flatnonzero(k == j))
    #                              for j in range(4)]])
    #   plr.fit(); plr.coef[0], plr.se[0]
    # and with y + dose and dose for y and a. The score is the default, "partialling out".
    y, a, X, dose, k = log_of()
    shown, dosed = partially_linear(y, a, X, folds=k), partially_linear(y + dose, dose, X, folds=k)
    assert (shown.value, shown.se) == pytest.approx((0.9614530218696523, 0.0864747519603105), 1e-10)
    assert (dosed.value, dosed.se) == pytest.approx((1.141142717710415, 0.03621301320249955), 1e-10)


def test_takes_learners_of_scikit_learn_and_equals_its_own_default():
    y, a, X, _, k = log_of()
    ours = partially_linear(y, a, X, folds=k)
    theirs = partially_linear(
        y, a, X, learner_y=LinearRegression(), learner_a=LinearRegression(), folds=k
    )
    assert theirs.value == pytest.approx(ours.value, rel=1e-10)
    classified = partially_linear(y, a, X, learner_a=Logit(), folds=k)
    assert classified.value != ours.value
    assert classified.value == pytest.approx(ours.value, abs=0.05)


def test_fitted_on_all_rows_by_least_squares_it_is_the_coefficient_of_one_regression():
    # Frisch, Waugh and Lovell: and the error is the sandwich HC0 of that regression.
    y, _, X, dose, k = log_of()
    Z = sm.add_constant(X)
    by_y, by_a = np.linalg.lstsq(Z, y)[0], np.linalg.lstsq(Z, dose)[0]
    estimate = partially_linear(
        y,
        dose,
        X,
        learner_y=Says(lambda *x: by_y @ [1, *x]),
        learner_a=Says(lambda *x: by_a @ [1, *x]),
        folds=k,
    )
    ols = sm.OLS(y, np.column_stack([dose, Z])).fit(cov_type="HC0")
    assert estimate.value == pytest.approx(ols.params[0], rel=1e-10)
    assert estimate.se == pytest.approx(ols.bse[0], rel=1e-10)


# A population of 48 rows, every probability exact: x in {0, 1, 2}, P(A = 1 | x) = 1/4, 1/2, 3/4,
# g(x) = x^2, the noise 1 or -1 with equal chance whatever x and a, the effect tau(x).
CHANCE = {0: Fraction(1, 4), 1: Fraction(1, 2), 2: Fraction(3, 4)}


def population(tau):
    rows = []
    for x, noise in product(CHANCE, (-1, 1)):
        shown = int(8 * CHANCE[x])
        rows += [(x, a, tau(x) * a + x**2 + noise) for a in [1] * shown + [0] * (8 - shown)]
    return rows


def exact_theta(rows, tau, wrong_l, wrong_m):
    """Sums of v u and v^2 over the population, in fractions, with errors in l and m."""
    top = bottom = Fraction(0)
    for x, a, y in rows:
        u = y - (tau(x) * CHANCE[x] + x**2) + wrong_l(x)
        v = a - CHANCE[x] + wrong_m(x)
        top, bottom = top + v * u, bottom + v**2
    return top / bottom


def ours(rows, tau, wrong_l, wrong_m):
    x, a, y = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    return partially_linear(
        y,
        a,
        x,
        learner_y=Says(lambda x: float(tau(int(x)) * CHANCE[int(x)] + x**2 - wrong_l(int(x)))),
        learner_a=Says(lambda x: float(CHANCE[int(x)] - wrong_m(int(x)))),
        folds=2,
    ).value


def right(x):
    return Fraction(0)


def slant(x):
    return Fraction(1 + x, 10)


def bent(x):
    return Fraction(3 - x * x, 20)


def two(x):
    return Fraction(2)


def test_a_wrong_outcome_model_does_no_harm_and_a_wrong_treatment_model_harms_by_its_square():
    rows = population(two)
    variance = sum(p * (1 - p) for p in CHANCE.values()) / 3
    for wrong_l, wrong_m in product((right, slant, bent), repeat=2):
        theta = exact_theta(rows, two, wrong_l, wrong_m)
        second = sum(wrong_m(x) * (wrong_l(x) - 2 * wrong_m(x)) for x in CHANCE) / 3
        square = sum(wrong_m(x) ** 2 for x in CHANCE) / 3
        assert theta == 2 + second / (variance + square)  # the docstring's formula
        assert (theta == 2) == (wrong_m is right)
        assert ours(rows, two, wrong_l, wrong_m) == pytest.approx(float(theta), rel=1e-12)


def test_an_effect_that_differs_is_averaged_by_the_variance_of_the_treatment():
    tau = {0: Fraction(0), 1: Fraction(6), 2: Fraction(1)}.__getitem__
    weight = {x: p * (1 - p) for x, p in CHANCE.items()}
    expected = sum(weight[x] * tau(x) for x in CHANCE) / sum(weight.values())
    assert exact_theta(population(tau), tau, right, right) == expected
    assert ours(population(tau), tau, right, right) == pytest.approx(float(expected), rel=1e-12)
    ate = sum(tau(x) for x in CHANCE) / Fraction(3)
    assert expected != ate
    assert "weights Var(A | X)" in partially_linear(*log_of()[:3]).notes[0]


def test_with_trees_it_finds_the_effect_where_least_squares_does_not():
    # Causal methods are not "mainly linear": g and m are steps and waves, the effect is 1.
    rng, n = np.random.default_rng(1988), 4000
    X = rng.uniform(-2, 2, size=(n, 2))
    shape = np.sin(2 * X[:, 0]) + (X[:, 1] > 0) * (X[:, 0] > 0)
    a = shape + rng.normal(size=n)
    y = 1.0 * a + 2 * shape + rng.normal(size=n)
    ols = sm.OLS(y, sm.add_constant(np.column_stack([a, X]))).fit(cov_type="HC0")
    forest = RandomForestRegressor(100, min_samples_leaf=10, random_state=0)
    estimate = partially_linear(y, a, X, learner_y=forest, learner_a=forest)
    assert ols.params[1] > 1 + 10 * ols.bse[1]
    assert abs(estimate.value - 1) < 3 * estimate.se
    assert not hasattr(forest, "estimators_")  # each fold fitted a copy


numbers = st.floats(-3, 3)


@settings(max_examples=30)
@given(numbers, numbers, numbers.filter(lambda s: abs(s) > 0.1), st.integers(0, 99))
def test_moves_as_the_model_says(shift, slope, scale, seed):
    y, _, X, dose, _ = log_of(60)
    theta = partially_linear(y, dose, X, seed=seed).value

    def again(y, a):
        return partially_linear(y, a, X, seed=seed).value

    assert again(y + shift * dose, dose) == pytest.approx(theta + shift, abs=1e-9)
    assert again(y + slope * X[:, 0] + 5, dose + slope * X[:, 1]) == pytest.approx(theta, abs=1e-9)
    assert again(y, scale * dose) == pytest.approx(theta / scale, rel=1e-9, abs=1e-9)
    assert again(-y, dose) == pytest.approx(-theta, abs=1e-9)


def test_duplicated_rows_with_clusters_leave_value_and_error():
    y, a, X, _, k = log_of()
    twice = np.tile(np.arange(len(y)), 2)
    once = partially_linear(y, a, X, folds=k)
    both = partially_linear(y[twice], a[twice], X[twice], folds=k[twice], cluster=twice)
    assert both.value == pytest.approx(once.value, rel=1e-10)
    assert both.se == pytest.approx(once.se, rel=1e-10)
    assert partially_linear(y[twice], a[twice], X[twice], folds=k[twice]).se < 0.8 * once.se


def test_a_cluster_stays_in_one_fold():
    class Nosy(Says):
        def fit(self, X, target):
            self.seen = set(X[:, 0])
            return self

        def predict(self, X):
            assert not self.seen & set(X[:, 0])
            return X[:, 1]

    rng, user = np.random.default_rng(7), np.repeat(np.arange(40), 3)
    X = np.column_stack([user, rng.normal(size=120)])
    y, a = rng.normal(size=(2, 120))
    learners = {"learner_y": Nosy(None), "learner_a": Nosy(None)}
    partially_linear(y, a, X, **learners, cluster=user)
    with pytest.raises(AssertionError):
        partially_linear(y, a, X, **learners)


def test_the_same_seed_draws_the_same_folds():
    y, a, X, *_ = log_of()
    first, second = partially_linear(y, a, X, seed=3), partially_linear(y, a, X, seed=3)
    assert first.value == second.value
    assert first.value != partially_linear(y, a, X, seed=4).value
    assert first.sample == partially_linear(y, a, X, seed=4).sample


def test_changes_none_of_its_arguments():
    y, a, X, _, k = log_of()
    copies = [array.copy() for array in (y, a, X, k)]
    partially_linear(y, a, X, folds=k, cluster=np.arange(len(y)))
    assert all((new == old).all() for new, old in zip((y, a, X, k), copies, strict=True))


Y, A, X, *_ = log_of(60)
GAP = np.where(np.arange(60) == 7, np.nan, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.ones(60)}, "a is 1 in every row"),
        ({"a": X[:, 0]}, "a is predicted from X without remainder"),
        ({"y": Y * GAP}, r"y is NaN or infinite in 1 of 60 rows \(first: 7\)"),
        ({"a": np.where(GAP == 1, A, np.inf)}, "a is NaN or infinite"),
        ({"X": X * GAP[:, None]}, "X is NaN or infinite"),
        ({"y": Y[:-1]}, "unequal lengths: y has 59, a has 60"),
        ({"X": X[:-1]}, "X has 59"),
        ({"y": []}, "y is empty"),
        ({"y": ["few"] * 60}, "y holds"),
        ({"X": np.column_stack([X, X[:, 0]])}, "X has columns that depend on each other"),
        ({"cluster": np.zeros(60)}, "cluster has one group"),
        ({"cluster": np.arange(59)}, "cluster has 59"),
        ({"folds": 1}, "folds is 1"),
        ({"folds": 61}, "folds is 61"),
        ({"learner_a": DecisionTreeClassifier(), "a": A + (X[:, 0] > 1)}, "pass a regressor"),
        ({"learner_y": Says(lambda *x: np.inf)}, "learner predicts NaN or infinity"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        partially_linear(**({"y": Y, "a": A, "X": X} | change))
