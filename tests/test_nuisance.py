"""Nuisance fits against other libraries, their influence against the infinitesimal jackknife."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from causalbook.nuisance import Linear, Logit, cross_fit, linear, logit


def world(seed=1958, n=400):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    X[:, 1] = X[:, 0] ** 2
    a = (rng.random(n) < 1 / (1 + np.exp(0.3 - X @ [1.0, 0.5, -1.0]))).astype(float)
    return X, a, X @ [1.0, 2.0, 3.0] + a + rng.normal(size=n)


# The fits


def test_logit_maximises_the_likelihood_as_statsmodels_does():
    X, a, _ = world()
    other = sm.Logit(a, sm.add_constant(X)).fit(method="newton", tol=1e-14, disp=0)
    fit = Logit().fit(X, a)
    np.testing.assert_allclose([fit.intercept, *fit.coef], other.params, rtol=1e-10)
    np.testing.assert_allclose(fit.predict_proba(X)[:, 1], other.predict(), rtol=1e-10)
    np.testing.assert_allclose(logit(X, a).values, other.predict(), rtol=1e-10)


def test_linear_is_least_squares_as_statsmodels_does_it():
    X, _, y = world()
    other = sm.OLS(y, sm.add_constant(X)).fit()
    fit = Linear().fit(X, y)
    np.testing.assert_allclose([fit.intercept, *fit.coef], other.params, rtol=1e-10)
    np.testing.assert_allclose(linear(X, y).values, other.fittedvalues, rtol=1e-10)


def test_linear_keeps_ten_digits_where_powers_of_one_column_are_almost_collinear():
    t = np.arange(1950.0, 1990.0)
    X = np.column_stack([t, t**2, t**3])
    exact = np.array([5.0, -3.0, 2.0, 1.0])
    s = (t - t.mean()) / t.std()
    y = np.column_stack([np.ones_like(s), s, s**2, s**3]) @ exact
    np.testing.assert_allclose(Linear().fit(X, y).predict(X), y, rtol=0, atol=1e-7)


@given(st.integers(0, 2**32 - 1))
def test_residuals_are_orthogonal_to_the_columns(seed):
    X, a, y = world(seed)
    for residual in (a - logit(X, a).values, y - linear(X, y).values):
        np.testing.assert_allclose(sm.add_constant(X).T @ residual, 0, atol=1e-8)


@pytest.mark.parametrize(("learner", "target"), [(Logit, "a"), (Linear, "y")])
def test_units_of_the_columns_do_not_matter(learner, target):
    X, a, y = world()
    t = a if target == "a" else y
    scaled = X * [1e8, 1e-8, 1.0] + [0.0, 0.0, 1e5]
    plain = learner().fit(X, t).predict(X)
    np.testing.assert_allclose(learner().fit(scaled, t).predict(scaled), plain, rtol=1e-9)


def test_ridge_is_that_of_scikit_learn_on_standardised_columns():
    X, a, y = world()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    line = Ridge(alpha=3.0, tol=1e-12).fit(Z, y).predict(Z)
    np.testing.assert_allclose(Linear(ridge=3.0).fit(X, y).predict(X), line, rtol=1e-10)
    curve = LogisticRegression(C=1 / 3, tol=1e-10, max_iter=1000, solver="newton-cholesky")
    e = curve.fit(Z, a).predict_proba(Z)[:, 1]
    np.testing.assert_allclose(Logit(ridge=3.0).fit(X, a).predict(X), e, rtol=1e-8)


def test_probabilities_keep_their_digits_in_both_tails():
    fit = Logit().fit(*world()[:2])
    fit.coef, fit._level, fit._center = np.array([1.0]), 0.0, np.array([0.0])
    e = fit.predict(np.array([-800.0, -50.0, 0.0, 800.0]))
    np.testing.assert_allclose(e, [0.0, np.exp(-50.0), 0.5, 1.0], rtol=1e-12)


def test_newton_converges_where_a_first_full_step_overshoots():
    X = np.concatenate([np.linspace(-1, 1, 500), [60.0, -60.0]])
    a = np.concatenate([(np.linspace(-1, 1, 500) > 0) * 1.0, [1.0, 0.0]])
    a[[10, 490]] = 1 - a[[10, 490]]
    e = logit(X, a).values
    assert abs((a - e).sum()) < 1e-8
    assert abs((a - e) @ X) < 1e-6


# Where there is no answer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, a: (X, (X[:, 0] > 0) * 1.0), "separates the target: .* mostly column 0"),
        (lambda X, a: (X, np.where(X[:, 2] > 1.5, 1.0, a)), None),
        (
            lambda X, a: (
                np.column_stack([X, X[:, 2] > 1.5]),
                np.where(X[:, 2] > 1.5, 1.0, a),
            ),
            "separates the target: .* mostly column 3",
        ),
        (lambda X, a: (np.column_stack([X, X[:, 0] + X[:, 2]]), a), r"depend.*\(0, 2, 3\)"),
        (lambda X, a: (np.column_stack([X, np.full(len(X), 0.1)]), a), "constant in column 3"),
        (lambda X, a: (X, np.ones(len(X))), "target is 1 in every row"),
        (lambda X, a: (X, a + 1), "target is neither 0 nor 1"),
        (lambda X, a: (X[:3], a[:3]), "3 rows for 4 coefficients"),
        (lambda X, a: (X[:-1], a), "X has 399, target has 400"),
        (lambda X, a: (np.where(X > 2, np.nan, X), a), "X is NaN or infinite in"),
    ],
)
def test_logit_says_why_there_is_no_answer(change, message):
    X, a, _ = world()
    X, a = change(X, a)
    if message is None:  # one arm only in a corner that no single column marks: no separation
        assert np.isfinite(Logit().fit(X, a).coef).all()
        return
    with pytest.raises(ValueError, match=message):
        Logit().fit(X, a)


def test_linear_names_the_columns_that_depend_on_each_other():
    X, _, y = world()
    frame = pd.DataFrame(X, columns=["age", "visits", "price"])
    frame["both"] = frame["age"] - 2 * frame["price"]
    with pytest.raises(ValueError, match=r"depend on each other \('age', 'price', 'both'\)"):
        Linear().fit(frame, y)
    assert np.isfinite(Linear(ridge=1.0).fit(frame, y).coef).all()
    with pytest.raises(ValueError, match=r"constant in column 'one'"):
        linear(frame[["age"]].assign(one=1.0), y)


@pytest.mark.parametrize("ridge", [-1.0, np.nan, np.inf])
def test_a_penalty_is_a_number_from_zero(ridge):
    for learner in (Linear, Logit):
        with pytest.raises(ValueError, match="ridge is"):
            learner(ridge)


def test_predicting_wants_a_fit_and_its_columns():
    with pytest.raises(ValueError, match="Linear is not fitted"):
        Linear().predict([1.0])
    X, a, _ = world()
    with pytest.raises(ValueError, match="X has 1 columns, fitted were 3"):
        Logit().fit(X, a).predict(X[:, 0])


# What estimating adds


def tilted(fit, rows, n, h=1e-5):
    """Derivative of an estimator by the weight of each row: its influence, by definition."""
    for i in rows:
        w = np.ones(n)
        w[i] += h
        up = fit(w)
        w[i] -= 2 * h
        yield n * (up - fit(w)) / (2 * h)


def test_the_influence_of_a_logit_is_the_infinitesimal_jackknife():
    X, a, y = world()
    n, design = len(y), sm.add_constant(X)

    def theta(w):
        model = sm.GLM(a, design, family=sm.families.Binomial(), freq_weights=w)
        e = model.fit(tol=1e-14, maxiter=100).fittedvalues
        return w @ (np.sin(y) / e**2) / w.sum()

    e = logit(X, a)
    terms = np.sin(y) / e.values**2
    psi = terms - terms.mean() + e.influence(-2 * np.sin(y) / e.values**3)
    np.testing.assert_allclose(list(tilted(theta, range(8), n)), psi[:8], rtol=1e-5, atol=1e-5)


def test_the_influence_of_a_line_fitted_in_one_arm_is_the_infinitesimal_jackknife():
    X, a, y = world()
    n, design = len(y), sm.add_constant(X)

    def theta(w):
        mu = sm.WLS(y[a == 1], design[a == 1], weights=w[a == 1]).fit().predict(design)
        return w @ mu**3 / w.sum()

    mu = linear(X, y, where=a == 1)
    psi = mu.values**3 - (mu.values**3).mean() + mu.influence(3 * mu.values**2)
    found = list(tilted(theta, range(8), n))
    np.testing.assert_allclose(found, psi[:8], rtol=1e-5, atol=1e-4)
    assert np.ptp(mu.influence(np.ones(n))[a == 0]) == 0  # rows it was not fitted on add nothing


@pytest.mark.parametrize(
    ("where", "message"),
    [([1, 0], "pass 400 True or False"), (np.zeros(400, dtype=bool), "False in every row")],
)
def test_rows_to_learn_from_are_marked_by_true_and_false(where, message):
    X, _, y = world()
    with pytest.raises(ValueError, match=message):
        linear(X, y, where=where)


# Cross-fitting


def test_leaving_out_one_row_at_a_time_has_a_closed_form():
    """Predicted residual = residual / (1 - leverage)."""
    X, _, y = world(n=60)
    design = sm.add_constant(X)
    hat = design @ np.linalg.solve(design.T @ design, design.T)
    loo = y - (y - hat @ y) / (1 - np.diag(hat))
    np.testing.assert_allclose(cross_fit(Linear(), X, y, folds=60), loo, rtol=1e-10)


def test_no_row_is_predicted_by_a_model_that_saw_it():
    """A tree that memorises gets every row right that it saw, and none of pure noise otherwise."""
    rng = np.random.default_rng(1986)
    X, y = rng.normal(size=(300, 2)), rng.normal(size=300)
    tree = DecisionTreeRegressor(random_state=0)
    assert np.abs(tree.fit(X, y).predict(X) - y).max() < 1e-12
    assert np.abs(cross_fit(tree, X, y) - y).min() > 0


def test_folds_given_as_labels_are_the_folds():
    X, _, y = world()
    k = np.array(["left", "right"])[(X[:, 0] > 0) * 1]
    other = Linear().fit(X[k == "right"], y[k == "right"]).predict(X[k == "left"])
    np.testing.assert_allclose(cross_fit(Linear(), X, y, folds=k)[k == "left"], other, rtol=1e-12)


class Recorder:
    """Predicts the number of rows it saw; keeps them."""

    seen = ()

    def fit(self, X, target):
        Recorder.seen += (X[:, 0].astype(int),)
        return self

    def predict(self, X):
        return np.full(len(X), 0.0)


@given(
    n=st.integers(8, 60),
    groups=st.integers(2, 8),
    folds=st.integers(2, 5),
    seed=st.integers(0, 1000),
)
def test_clusters_stay_together_and_strata_are_spread(n, groups, folds, seed):
    Recorder.seen = ()
    cluster = np.arange(n) % groups
    folds = min(folds, groups)
    cross_fit(Recorder(), np.arange(n), np.zeros(n), folds=folds, cluster=cluster, seed=seed)
    held = [np.setdiff1d(np.arange(n), seen) for seen in Recorder.seen]
    assert sorted(np.concatenate(held)) == list(range(n))
    homes = [set(cluster[rows]) for rows in held]
    assert sum(len(home) for home in homes) == groups

    Recorder.seen = ()
    stratum = np.arange(n) % 3 == 0
    cross_fit(Recorder(), np.arange(n), np.zeros(n), folds=folds, stratify=stratum, seed=seed)
    counts = [stratum[np.setdiff1d(np.arange(n), seen)].sum() for seen in Recorder.seen]
    assert max(counts) - min(counts) <= 1
    sizes = [n - len(seen) for seen in Recorder.seen]
    assert max(sizes) - min(sizes) <= 1


def test_classifiers_are_asked_for_probabilities_and_learners_are_not_touched():
    X, a, _ = world()
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    e = cross_fit(tree, X, a, stratify=a)
    assert not hasattr(tree, "tree_")
    assert 0 <= e.min() < e.max() <= 1
    assert len(np.unique(e)) > 5
    plain = Logit()
    assert (cross_fit(plain, X, a, seed=3) == cross_fit(plain, X, a, seed=3)).all()
    assert not hasattr(plain, "coef")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": 1}, "folds is 1: pass labels, or a number from 2 to 400 units"),
        ({"folds": 401}, "folds is 401"),
        ({"folds": 2.5}, r"folds is 2\.5"),
        ({"folds": np.zeros(400)}, "folds has one label"),
        ({"folds": np.arange(3)}, "X has 400, folds has 3"),
        ({"folds": np.arange(400) % 2, "cluster": np.arange(400) // 3}, "folds differs within"),
        ({"stratify": np.arange(400) % 2, "cluster": np.arange(400) // 3}, "stratify differs"),
        ({"cluster": np.zeros(400)}, "cluster has one group"),
        ({"folds": 3, "cluster": np.arange(400) % 2}, "from 2 to 2 units"),
        ({"where": np.arange(400) == 0, "folds": 400}, "no row to learn from outside fold"),
    ],
)
def test_folds_that_cannot_be_are_refused(change, message):
    X, _, y = world()
    with pytest.raises(ValueError, match=message):
        cross_fit(Recorder(), X, y, **change)


@pytest.mark.parametrize("low", [0, 1, -1])
def test_a_classifier_of_other_labels_than_0_and_1_is_no_regression(low):
    # Its second column would be the chance of a label, not the mean of the target.
    X, a, _ = world()
    target = np.arange(400) % 3 if low == 0 else np.where(a == 1, abs(low) + 1, low)
    with pytest.raises(ValueError, match="target is not 0/1"):
        cross_fit(DecisionTreeClassifier(), X, target)


def test_a_fold_that_leaves_one_class_is_refused():
    X, _, _ = world()
    with pytest.raises(ValueError, match="target has one value outside fold 0"):
        cross_fit(DecisionTreeClassifier(), X, np.arange(400) == 0, folds=np.arange(400) % 5)


def test_a_learner_need_not_return_itself_and_may_predict_a_column():
    class Mean:
        def fit(self, X, target):
            self.mean = target.mean()

        def predict(self, X):
            return np.full((len(X), 1), self.mean)

    y, fold = world()[2], np.arange(400) % 2
    means = np.where(fold == 0, y[fold == 1].mean(), y[fold == 0].mean())
    np.testing.assert_allclose(cross_fit(Mean(), world()[0], y, folds=fold), means, rtol=1e-12)


def test_predictions_that_are_no_number_are_refused():
    class Broken(Recorder):
        def predict(self, X):
            return np.full(len(X), np.nan)

    with pytest.raises(ValueError, match="learner predicts NaN or infinity in 400 of 400"):
        cross_fit(Broken(), world()[0], world()[2])
