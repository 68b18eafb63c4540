"""The meta-learners: exact worlds, identities, an independent reimplementation, and who wins."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from causalbook.estimators import (
    aipw,
    dr_learner,
    partially_linear,
    r_learner,
    s_learner,
    t_learner,
    x_learner,
)
from causalbook.nuisance import Linear, Logit, cross_fit

LEARNERS = [s_learner, t_learner, x_learner, r_learner, dr_learner]


def world(seed, n=600):
    """Two covariates, treatment by the first, an effect of 1 + x1."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    a = (rng.random(n) < 1 / (1 + np.exp(-X[:, 0] / 2))).astype(float)
    return X, a, X[:, 0] + a * (1 + X[:, 1]) + rng.normal(size=n)


# Exact worlds


def test_the_t_learner_with_a_saturated_line_gives_the_differences_of_cell_means():
    X, a = np.repeat([0.0, 1.0], 4), np.tile([0.0, 0.0, 1.0, 1.0], 2)
    y = [1, 3, 4, 8, 2, 2, 1, 2]
    effects = t_learner(X, a, y).predict([[0.0], [1.0]])
    np.testing.assert_allclose(effects, [6 - 2, 1.5 - 2], rtol=1e-12)


@pytest.mark.parametrize("learn", [s_learner, t_learner, x_learner, dr_learner])
def test_a_constant_effect_beside_a_line_without_noise_is_found_exactly(learn):
    X, a, _ = world(1)
    effects = learn(X, a, 3 + X @ [1.0, -2.0] + 0.5 * a).predict(X[:5])
    np.testing.assert_allclose(effects, 0.5, rtol=1e-10)


@pytest.mark.parametrize("learn", [t_learner, x_learner, dr_learner])
def test_an_effect_that_is_a_line_is_found_exactly_where_there_is_no_noise(learn):
    X, a, _ = world(2)
    effects = learn(X, a, X[:, 0] + a * (1 + X[:, 1])).predict(X[:50])
    np.testing.assert_allclose(effects, 1 + X[:50, 1], atol=1e-10)


def test_the_s_learner_with_a_line_is_the_coefficient_of_the_treatment():
    X, a, y = world(3)
    design = np.column_stack([np.ones(600), X, a])
    coefficient = np.linalg.lstsq(design, y, rcond=None)[0][-1]
    np.testing.assert_allclose(s_learner(X, a, y).predict(X), coefficient, rtol=1e-10)


# Identities


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_the_mean_of_the_dr_learners_effects_is_the_estimate_of_aipw(seed):
    X, a, y = world(seed, n=120)
    mu0, mu1 = (cross_fit(Linear(), X, y, where=a == arm, seed=3) for arm in (0, 1))
    average = aipw(y, a, cross_fit(Logit(ridge=100.0), X, a, seed=3), mu0, mu1)
    flat = dr_learner(X, a, y, e=Logit(ridge=100.0), learner_tau=DummyRegressor(), seed=3)
    np.testing.assert_allclose(flat.predict(X), average.value, rtol=1e-10)
    # A line with an intercept has its mean at the mean of what it fits.
    line = dr_learner(X, a, y, e=Logit(ridge=100.0), seed=3)
    np.testing.assert_allclose(line.predict(X).mean(), average.value, rtol=1e-10)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_the_r_learner_of_a_constant_is_the_partially_linear_estimate(seed):
    X, a, y = world(seed, n=120)
    g = np.arange(120) // 2
    how = {"folds": 4, "seed": 5, "cluster": g}
    theta = partially_linear(y, a, X, learner_a=Logit(ridge=100.0), **how)
    flat = r_learner(X, a, y, e=Logit(ridge=100.0), learner_tau=DummyRegressor(), **how)
    np.testing.assert_allclose(flat.predict(X), theta.value, rtol=1e-10)


@pytest.mark.parametrize("learn", LEARNERS)
@settings(max_examples=25)
@given(shift=st.floats(-1e3, 1e3), scale=st.floats(0.01, 100))
def test_effects_follow_the_unit_of_the_outcome_and_not_its_origin(learn, shift, scale):
    X, a, y = world(4, n=120)
    effects = learn(X, a, y).predict(X)
    moved = learn(X, a, shift + scale * y).predict(X)
    np.testing.assert_allclose(moved, scale * effects, rtol=1e-8, atol=1e-8 * (abs(shift) + scale))


@pytest.mark.parametrize("learn", LEARNERS)
def test_swapping_the_arms_negates_the_effects(learn):
    X, a, y = world(5)
    np.testing.assert_allclose(
        learn(X, 1 - a, y).predict(X), -learn(X, a, y).predict(X), rtol=1e-7, atol=1e-9
    )


def test_with_lines_throughout_the_x_learner_is_the_t_learner():
    # Regressing Y - mu0(X) on X in the treated arm gives mu1 - mu0 back, and so in the other arm.
    X, a, y = world(6)
    np.testing.assert_allclose(
        x_learner(X, a, y).predict(X), t_learner(X, a, y).predict(X), rtol=1e-9
    )


# An independent reimplementation: scikit-learn's models, and the formulas written out


def by_hand(name, X, a, y, e, folds, at):
    treated, control = a == 1, a == 0

    def line(x, target, new, weight=None):
        return LinearRegression().fit(x, target, sample_weight=weight).predict(new)

    def held_out(target, use):
        fitted = np.empty(len(a))
        for k in np.unique(folds):
            learn = use & (folds != k)
            fitted[folds == k] = line(X[learn], target[learn], X[folds == k])
        return fitted

    if name == "s":
        model = LinearRegression().fit(np.c_[X, a], y)
        return np.full(len(at), model.coef_[-1])
    if name == "x":
        mu1, mu0 = (KNeighborsRegressor(5).fit(X[arm], y[arm]) for arm in (treated, control))
        imputed1 = y[treated] - mu0.predict(X[treated])
        imputed0 = mu1.predict(X[control]) - y[control]
        tau1, tau0 = line(X[treated], imputed1, at), line(X[control], imputed0, at)
        return 0.3 * tau0 + 0.7 * tau1
    if name == "r":
        u, v = y - held_out(y, np.ones(len(a), dtype=bool)), a - e
        z = np.c_[v, X * v[:, None]]  # u on v and v X: the same minimum, without a division
        return np.c_[np.ones(len(at)), at] @ np.linalg.lstsq(z, u, rcond=None)[0]
    mu1, mu0 = held_out(y, treated), held_out(y, control)
    phi = mu1 - mu0 + a * (y - mu1) / e - (1 - a) * (y - mu0) / (1 - e)
    return line(X, phi, at)


@pytest.mark.parametrize("name", ["s", "x", "r", "dr"])
def test_each_learner_is_what_its_paper_writes(name):
    X, a, y = world(6)
    e, folds = 1 / (1 + np.exp(-X[:, 0] / 2)), np.arange(600) % 3
    learn = {"s": s_learner, "x": x_learner, "r": r_learner, "dr": dr_learner}[name]
    more = {"s": {}, "x": {"e": 0.3, "learner": KNeighborsRegressor(5)}}.get(
        name, {"e": e, "folds": folds}
    )
    at = X[:7] + 0.1
    expected = by_hand(name, X, a, y, e, folds, at)
    np.testing.assert_allclose(learn(X, a, y, **more).predict(at), expected, rtol=1e-9)


# Made with econml 0.17.0 and scikit-learn 1.9.1, on the data of `unbalanced()`, K being
# KNeighborsRegressor(10): SLearner(overall_model=K), TLearner(models=K),
# XLearner(models=K, cate_models=LinearRegression(), propensity_model=DummyClassifier()),
# each .fit(y, a, X=X).effect([[0, 0], [1, -1]]).
ECONML = {
    "s": [1.092627682732108, 1.569715806545517],
    "t": [1.092627682732108, 1.569715806545517],
    "x": [0.9685309395509341, 2.2929301402622464],
}


def unbalanced():
    rng = np.random.default_rng(2019)
    X = rng.normal(size=(400, 2))
    a = (np.arange(400) % 5 == 0).astype(int)  # one in five
    return X, a, X[:, 0] ** 2 + a * (1 - X[:, 1]) + rng.normal(size=400)


@pytest.mark.parametrize(
    ("name", "learn", "more"),
    [("s", s_learner, {}), ("t", t_learner, {}), ("x", x_learner, {"e": 0.2})],
)
def test_econml_finds_the_same(name, learn, more):
    model = learn(*unbalanced(), learner=KNeighborsRegressor(10), **more)
    effects = model.predict([[0.0, 0.0], [1.0, -1.0]])
    np.testing.assert_allclose(effects, ECONML[name], rtol=1e-9)


# Who wins where it can be said beforehand: mean squared error over many draws, not a lucky one


def pehe(model, X, tau):
    return np.sqrt(((model.predict(X) - tau) ** 2).mean())


def test_with_few_treated_and_a_rough_outcome_the_x_learner_beats_the_t_learner():
    # Nine of ten are controls, the outcome is a step, the effect a constant: the T-learner's rough
    # model of the few treated goes into its effect, the X-learner smooths it away.
    errors = []
    for seed in range(30):
        rng = np.random.default_rng([1, seed])
        X, a = rng.uniform(size=(600, 1)), np.arange(600) % 10 == 0
        y = 5.0 * (X[:, 0] > 0.5) + a + rng.normal(size=600)
        rough = DecisionTreeRegressor(max_leaf_nodes=8, random_state=0)
        t = t_learner(X, a, y, learner=rough)
        x = x_learner(X, a, y, e=0.1, learner=rough)
        errors.append([pehe(t, X, 1.0), pehe(x, X, 1.0)])
    errors = np.array(errors)
    assert errors[:, 1].mean() < 0.7 * errors[:, 0].mean()
    assert (errors[:, 1] < errors[:, 0]).mean() > 0.8


def test_with_one_effect_for_all_the_s_and_r_learners_beat_the_t_learner():
    errors = []
    for seed in range(30):
        rng = np.random.default_rng([2, seed])
        X, a = rng.normal(size=(200, 8)), np.arange(200) % 2
        y = X[:, 0] + 0.5 * a + rng.normal(size=200)
        constant = DummyRegressor()
        models = (
            s_learner(X, a, y),
            r_learner(X, a, y, e=np.full(200, 0.5), learner_tau=constant),
            t_learner(X, a, y),
        )
        errors.append([pehe(model, X, 0.5) for model in models])
    s, r, t = np.mean(errors, axis=0)
    # The T-learner estimates sixteen slopes that cancel; the others one number.
    assert max(s, r) < 0.5 * t


def test_with_a_strong_interaction_the_t_and_dr_learners_beat_one_effect_for_all():
    errors = []
    for seed in range(30):
        X, a, y = world([3, seed], n=500)
        models = (s_learner(X, a, y), t_learner(X, a, y), dr_learner(X, a, y))
        errors.append([pehe(model, X, 1 + X[:, 1]) for model in models])
    s, t, dr = np.mean(errors, axis=0)
    assert s == pytest.approx(1.0, abs=0.1)  # the spread of the effect, all of it missed
    assert max(t, dr) < 0.4 * s


def test_where_the_outcome_model_is_wrong_a_known_propensity_saves_the_dr_learner():
    # The outcome bends, its model is a line, and the treated have more of the bend: the T-learner's
    # slope is wrong in every draw; the scores of the DR-learner average to the effect.
    slopes = []
    for seed in range(30):
        rng = np.random.default_rng([4, seed])
        x = rng.normal(size=2000)
        e = 1 / (1 + np.exp(-x))
        a = rng.random(2000) < e
        y = x**2 + a + rng.normal(size=2000)
        models = t_learner(x, a, y), dr_learner(x, a, y, e=e)
        slopes.append([np.subtract(*model.predict([[1.0], [0.0]])) for model in models])
    t, dr = np.array(slopes).T
    assert abs(t.mean()) > 1
    assert abs(dr.mean()) < 4 * dr.std() / np.sqrt(30) < abs(t.mean()) / 3


# Learners of all kinds


def test_classifiers_and_frames_go_through_and_learners_stay_unfitted():
    X, a, y = world(7)
    frame = pd.DataFrame(X, columns=["age", "visits"])
    bought = (y > 0).astype(float)
    forest = RandomForestClassifier(n_estimators=5, min_samples_leaf=20, random_state=0)
    regress = RandomForestRegressor(n_estimators=5, min_samples_leaf=20, random_state=0)
    for learn in LEARNERS:
        more = {} if learn in (s_learner, t_learner) else {"learner_tau": regress}
        effects = learn(frame, a, bought, learner=forest, **more).predict(frame)
        assert effects.shape == (600,)
        assert np.abs(effects).max() <= 3
        assert np.corrcoef(effects, 1 + X[:, 1])[0, 1] > 0.2
    assert not hasattr(forest, "estimators_")
    assert not hasattr(regress, "estimators_")


def test_the_s_learner_leaves_no_column_out_when_one_is_called_like_the_treatment():
    X, a, y = world(8)
    frame = pd.DataFrame(X, columns=["a", "b"])
    found = s_learner(frame, a, y).predict(frame)
    np.testing.assert_allclose(found, s_learner(X, a, y).predict(X), rtol=1e-12)


def test_the_x_learner_asks_its_propensity_where_it_predicts():
    X, a, y = world(9)
    found = x_learner(X, a, y, e=LogisticRegression(C=1e9)).predict(X[:9])
    np.testing.assert_allclose(found, x_learner(X, a, y).predict(X[:9]), rtol=1e-3)
    halves = [x_learner(X, a, y, e=p).predict(X[:9]) for p in (1e-9, 1 - 1e-9)]
    p = Logit().fit(X, a).predict(X[:9])
    mixed = p * halves[1] + (1 - p) * halves[0]
    np.testing.assert_allclose(x_learner(X, a, y).predict(X[:9]), mixed, rtol=1e-6)


def test_clusters_stay_in_one_fold_and_the_seed_draws_the_folds():
    X, a, y = world(10)
    near = KNeighborsRegressor(1)
    # Each row three times: a twin in another fold would be found, and predict the row itself.
    X, a, y, g = *(np.repeat(v, 3, axis=0) for v in (X, a, y)), np.repeat(np.arange(600), 3)
    e = np.full(1800, 0.5)
    for learn in (r_learner, dr_learner):
        spread = [
            learn(X, a, y, e=e, learner=near, cluster=c, learner_tau=LinearRegression())
            .predict(X)
            .std()
            for c in (g, None)
        ]
        assert spread[0] != pytest.approx(spread[1], rel=1e-3)
        one, two = (learn(X, a, y, cluster=g, seed=s).predict(X) for s in (1, 2))
        assert not np.allclose(one, two)
        np.testing.assert_array_equal(one, learn(X, a, y, cluster=g, seed=1).predict(X))


# Refusals


@pytest.mark.parametrize("learn", [r_learner, dr_learner])
@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.2])
def test_a_chance_of_treatment_out_of_range_is_refused(learn, wrong):
    X, a, y = world(11)
    e = np.full(600, 0.5)
    e[3] = wrong
    with pytest.raises(ValueError, match=r"e is outside \(0, 1\) in 1 of 600 rows \(first: 3\)"):
        learn(X, a, y, e=e)
    sure = RandomForestClassifier(n_estimators=3, random_state=0)
    with pytest.raises(ValueError, match="as its learner has it, is outside"):
        learn(X, a, y, e=sure)


@pytest.mark.parametrize("wrong", [0.0, 1.0, np.full(600, 0.5), np.nan])
def test_the_x_learner_wants_one_chance_or_a_learner(wrong):
    with pytest.raises(ValueError, match=r"\be is"):
        x_learner(*world(12), e=wrong)


def test_an_effect_learner_without_weights_is_refused_by_the_r_learner():
    with pytest.raises(ValueError, match="KNeighborsRegressor whose fit takes no sample_weight"):
        r_learner(*world(13), learner_tau=KNeighborsRegressor())
    pipe = make_pipeline(StandardScaler(), LinearRegression())
    with pytest.raises(ValueError, match="pass one that does, or use dr_learner"):
        r_learner(*world(13), learner_tau=pipe)


def test_a_classifier_without_two_classes_to_tell_apart_is_refused():
    X, a, y = world(14)
    for learn in LEARNERS:
        with pytest.raises(ValueError, match="learner gives probabilities of classes"):
            learn(X, a, y, learner=LogisticRegression())
    with pytest.raises(ValueError, match=r"learner gives probabilities.* not 0 and 1"):
        t_learner(X, a, np.where(a == 1, 1.0, X[:, 0] > 0), learner=LogisticRegression())
    for learn in (x_learner, dr_learner):
        with pytest.raises(ValueError, match="learner_tau gives probabilities"):
            learn(X, a, y, learner_tau=LogisticRegression())


@pytest.mark.parametrize("learn", LEARNERS)
def test_predicting_from_gaps_or_other_columns_is_refused(learn):
    X, a, y = world(15)
    model = learn(X, a, y)
    with pytest.raises(ValueError, match=r"X is NaN or infinite in 1 of 2"):
        model.predict([[np.nan, 0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"X has 1 columns, fitted were \d"):
        model.predict(X[:, :1])
    assert model.method in repr(model)


@pytest.mark.parametrize("learn", [s_learner, t_learner, x_learner, r_learner, dr_learner])
def test_other_columns_than_those_fitted_are_refused(learn):
    """A column less was stretched over all by the R-learner; exchanged ones were taken by place."""
    rng = np.random.default_rng(5)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["loyal", "bargains"])
    a, y = np.arange(200) % 2, rng.normal(size=200)
    model = learn(X, a, y)
    with pytest.raises(ValueError, match="X has 1 columns, fitted were 2"):
        model.predict(X[["loyal"]])
    with pytest.raises(ValueError, match="X has the columns 'bargains', 'loyal', fitted were 'loy"):
        model.predict(X[["bargains", "loyal"]])
    np.testing.assert_allclose(model.predict(X.to_numpy()), model.predict(X))
