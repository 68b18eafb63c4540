"""AIPW: what it equals, which of its two models may be wrong, what it refuses."""

from fractions import Fraction
from itertools import product
from math import lcm

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook import datasets
from causalbook.estimators import Log, aipw, dr, ipw, regression_adjustment
from causalbook.nuisance import Linear, Logit, cross_fit, linear, logit
from causalbook.potential_outcomes import ExactWorld


def log_of(n=600):
    """The log of test_orthogonal.py, drawn again."""
    rng = np.random.default_rng(2018)
    X = rng.normal(size=(n, 3))
    e = 1 / (1 + np.exp(-(0.5 * X[:, 0] - 0.5 * X[:, 1])))
    a = (rng.random(n) < e).astype(float)
    y = 1.0 * a + X @ [1.0, 1.0, 0.0] + 0.5 * a * X[:, 2] + rng.normal(size=n)
    return y, a, X, e


def models(y, a, X):
    return logit(X, a), linear(X, y, where=a == 0), linear(X, y, where=a == 1)


def test_is_the_difference_of_two_doubly_robust_values():
    y, a, X, e = log_of()
    mu0, mu1 = X[:, 0], X[:, 0] + 0.5
    ate = aipw(y, a, e, mu0, mu1)
    log = Log(a.astype(int), y, np.where(a == 1, e, 1 - e))
    q, always = np.column_stack([mu0, mu1]), np.tile([0.0, 1.0], (len(y), 1))
    difference = dr(log, always, q) - dr(log, 1 - always, q)
    assert ate.value == pytest.approx(difference.value, rel=1e-10)
    assert ate.influence == pytest.approx(difference.influence, abs=1e-10)


def test_agrees_with_doubleml_on_the_same_folds():
    # DoubleML 0.11.4, scikit-learn 1.9.1, with y, a, X of log_of() and k = arange(600) % 4:
    #   m = LogisticRegression(C=inf, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    #   irm = DoubleMLIRM(DoubleMLData.from_arrays(X, y, a), LinearRegression(), m, n_folds=4,
    #                     score="ATE" or "ATTE", draw_sample_splitting=False)
    #   irm.set_sample_splitting([[(np.flatnonzero(k != j), np.flatnonzero(k == j))
    #                              for j in range(4)]])
    #   irm.fit(); irm.coef[0], irm.se[0]
    y, a, X, _ = log_of()
    k = np.arange(600) % 4
    e = cross_fit(Logit(), X, a, folds=k)
    mu0, mu1 = (cross_fit(Linear(), X, y, where=a == arm, folds=k) for arm in (0, 1))
    ate, att = aipw(y, a, e, mu0, mu1), aipw(y, a, e, mu0, None, estimand="ATT")
    assert (ate.value, ate.se) == pytest.approx((0.9581426445194704, 0.088264888251778), rel=1e-8)
    assert (att.value, att.se) == pytest.approx((0.8870860866549909, 0.09486363230403981), rel=1e-8)


LEVELS = {"education": "2345", "exercise": "12", "active": "12"}
CONTINUOUS = ["age", "wt71", "smokeintensity", "smokeyrs"]


def test_on_the_smokers_it_is_what_statsmodels_models_give_and_near_the_published_value():
    # Hernán and Robins (2020), 1,566 uncensored smokers: 3.5 kg by standardisation
    # with one outcome model in which quitting meets smokeintensity (section 13.3), 3.4 kg (2.4 to
    # 4.5) by weighting with the same covariates (section 12.2). The book prints no AIPW value; with
    # these two models it lies between.
    frame = datasets.load("nhefs").dropna(subset=["wt82_71"])
    y, a = frame["wt82_71"].to_numpy(), frame["qsmk"].to_numpy().astype(float)
    columns = [frame[name].astype(str) == k for name, ks in LEVELS.items() for k in ks]
    columns += [frame[name] ** power for name in CONTINUOUS for power in (1, 2)]
    X = np.column_stack([frame[["sex", "race"]].astype(float), *columns]).astype(float)
    Z = sm.add_constant((X - X.mean(axis=0)) / X.std(axis=0))
    e = sm.Logit(a, Z).fit(disp=0, method="newton", tol=1e-12).predict()

    def outcomes(arm):  # the published model
        b = sm.OLS(y, np.column_stack([Z, a, a * frame["smokeintensity"]])).fit().params
        both = np.full(len(y), float(arm))
        return np.column_stack([Z, both, both * frame["smokeintensity"]]) @ b

    assert len(y) == 1566
    assert round((outcomes(1) - outcomes(0)).mean(), 1) == 3.5  # as published
    assert round(ipw(y, a, logit(X, a)).value, 1) == 3.4  # as published
    published = aipw(y, a, e, outcomes(0), outcomes(1))
    assert 3.4 < published.value < 3.5
    assert [round(end, 1) for end in published.conf_int()] == [2.5, 4.4]

    # With a model for each arm: scores by statsmodels, ours by linear and logit.
    mu0, mu1 = (sm.OLS(y[a == arm], Z[a == arm]).fit().predict(Z) for arm in (0, 1))
    scores = mu1 - mu0 + a * (y - mu1) / e - (1 - a) * (y - mu0) / (1 - e)
    ate = aipw(y, a, *models(y, a, X))
    assert ate.value == pytest.approx(scores.mean(), rel=1e-8)
    assert round(ate.value, 1) == 3.4
    assert ate.se == pytest.approx(scores.std() / np.sqrt(len(y)), rel=0.02)


# Known truth: three kinds of user, and every probability a fraction.
SHOWN = {0: Fraction(1, 5), 1: Fraction(1, 2), 2: Fraction(3, 4)}
BUYS = {0: {0: Fraction(1, 10), 1: Fraction(3, 10)}, 1: {0: Fraction(2, 5), 1: Fraction(1, 2)}}
BUYS[2] = {0: Fraction(7, 10), 1: Fraction(3, 5)}
WORLD = ExactWorld(
    X={0: Fraction(1, 2), 1: Fraction(3, 10), 2: Fraction(1, 5)},
    A=lambda X: SHOWN[X],
    Y=lambda X, A: BUYS[X][A],
)
TRUTH = WORLD.estimands()
RIGHT = {"e": SHOWN, "mu0": {x: BUYS[x][0] for x in BUYS}, "mu1": {x: BUYS[x][1] for x in BUYS}}
WRONG = {
    "e": {0: Fraction(1, 2), 1: Fraction(1, 3), 2: Fraction(1, 2)},
    "mu0": dict.fromkeys(BUYS, Fraction(1, 3)),
    "mu1": {0: Fraction(1, 2), 1: Fraction(1, 4), 2: Fraction(1, 2)},
}


def scores(e, mu0, mu1):
    """Every cell of the world with its probability and its score."""
    for (x, a, y), p in WORLD.joint().items():
        shown, hidden = a * (y - mu1[x]) / e[x], (1 - a) * (y - mu0[x]) / (1 - e[x])
        yield p, mu1[x] - mu0[x] + shown - hidden


def expected(pairs):
    return sum(p * score for p, score in pairs)


def population():
    """The world as a table: each cell as many rows as its probability asks for."""
    cells = WORLD.joint()
    rows = lcm(*(p.denominator for p in cells.values()))
    often = [int(p * rows) for p in cells.values()]
    return (np.repeat(column, often) for column in np.array(list(cells)).T)


def test_with_one_of_two_models_right_the_mean_score_is_the_effect_exactly():
    x, a, y = population()
    for good_e, good_mu in product((True, False), repeat=2):
        e = (RIGHT if good_e else WRONG)["e"]
        mu = RIGHT if good_mu else WRONG
        mean = expected(scores(e, mu["mu0"], mu["mu1"]))
        # The error is a product: what 1/e misses times what mu misses, summed over both arms.
        error = Fraction(0)
        for k in SHOWN:
            px = WORLD.prob({"X": k})
            error += px * (SHOWN[k] / e[k] - 1) * (BUYS[k][1] - mu["mu1"][k])
            error -= px * ((1 - SHOWN[k]) / (1 - e[k]) - 1) * (BUYS[k][0] - mu["mu0"][k])
        assert mean == TRUTH["ATE"] + error
        assert (mean == TRUTH["ATE"]) == (good_e or good_mu)
        given = [np.array([float(table[k]) for k in x]) for table in (e, mu["mu0"], mu["mu1"])]
        assert aipw(y, a, *given).value == pytest.approx(float(mean), rel=1e-12)


def test_for_the_treated_too():
    x, a, y = population()
    for good_e, good_mu in product((True, False), repeat=2):
        e, mu0 = (RIGHT if good_e else WRONG)["e"], (RIGHT if good_mu else WRONG)["mu0"]
        top = sum(
            p * (a - (1 - a) * e[k] / (1 - e[k])) * (y - mu0[k])
            for (k, a, y), p in WORLD.joint().items()
        )
        att = top / WORLD.prob({"A": 1})
        assert (att == TRUTH["ATT"]) == (good_e or good_mu)
        given = [np.array([float(table[k]) for k in x]) for table in (e, mu0)]
        ours = aipw(y, a, *given, None, estimand="ATT")
        assert ours.value == pytest.approx(float(att), rel=1e-12)
        assert ours.estimand == "ATT"


def test_no_outcome_model_beats_the_right_one_and_none_is_weighting():
    zero, e = dict.fromkeys(BUYS, Fraction(0)), SHOWN

    def variance(mu0, mu1):
        return expected((p, s**2) for p, s in scores(e, mu0, mu1)) - TRUTH["ATE"] ** 2

    best = variance(RIGHT["mu0"], RIGHT["mu1"])
    assert best < variance(WRONG["mu0"], WRONG["mu1"])
    assert best < variance(zero, zero)
    x, a, y = population()
    known, nothing = np.array([float(e[k]) for k in x]), np.zeros(len(x))
    mu0, mu1 = ([float(RIGHT[name][k]) for k in x] for name in ("mu0", "mu1"))
    assert aipw(y, a, known, mu0, mu1).se == pytest.approx(float(best / len(x)) ** 0.5, rel=1e-10)
    plain = ipw(y, a, known, normalize=False)
    assert aipw(y, a, known, nothing, nothing).value == pytest.approx(plain.value, rel=1e-12)
    assert aipw(y, a, known, mu0, mu1).se < plain.se


def test_with_saturated_models_adjusting_weighting_and_both_are_one():
    rng = np.random.default_rng(5)
    frame = WORLD.sample(400, seed=5)
    x, a, y = frame["X"].to_numpy(), frame["A"].to_numpy(), rng.normal(size=400) + frame["Y"]
    dummies = np.column_stack([x == 1, x == 2]).astype(float)
    e, mu0, mu1 = models(y, a, dummies)
    strata = sum(
        (x == k).mean() * (y[(x == k) & (a == 1)].mean() - y[(x == k) & (a == 0)].mean())
        for k in range(3)
    )
    each = [aipw(y, a, e, mu0, mu1), ipw(y, a, e), ipw(y, a, e, normalize=False)]
    each.append(regression_adjustment(y, a, dummies))
    for estimate in each:
        assert estimate.value == pytest.approx(strata, rel=1e-9)
        assert estimate.influence == pytest.approx(each[0].influence, abs=1e-8)


def stacked(y, a, V, W, theta):
    """Sandwich error of the stacked equations of logit, two least squares and the mean score."""
    n, V, W = len(y), sm.add_constant(V), sm.add_constant(W)
    p, q = V.shape[1], W.shape[1]

    def equations(parameters):
        b, b0, b1 = np.split(parameters[:-1], [p, p + q])
        e = 1 / (1 + np.exp(-V @ b))
        mu0, mu1 = W @ b0, W @ b1
        score = mu1 - mu0 + a * (y - mu1) / e - (1 - a) * (y - mu0) / (1 - e)
        fits = [V.T * (a - e), W.T * (1 - a) * (y - mu0), W.T * a * (y - mu1)]
        return np.vstack([*fits, score - parameters[-1]])

    b = sm.Logit(a, V).fit(disp=0, method="newton", tol=1e-14).params
    b0, b1 = (sm.OLS(y[a == k], W[a == k]).fit().params for k in (0, 1))
    at = np.array([*b, *b0, *b1, theta])
    step = 1e-5 * np.eye(len(at))
    jacobian = np.column_stack(
        [(equations(at + h) - equations(at - h)).mean(axis=1) / 2e-5 for h in step]
    )
    influence = np.linalg.solve(-jacobian, equations(at))[-1]
    return np.sqrt((influence @ influence) / n**2)


def test_the_error_counts_both_fits_even_where_one_model_is_wrong():
    y, a, X, _ = log_of()
    y = y + X[:, 0] ** 2
    square = np.column_stack([X, X[:, 0] ** 2])
    for V, W in product((X, X[:, 2:]), (square, X[:, 2:])):
        e, mu0, mu1 = logit(V, a), linear(W, y, where=a == 0), linear(W, y, where=a == 1)
        estimate = aipw(y, a, e, mu0, mu1)
        assert estimate.se == pytest.approx(stacked(y, a, V, W, estimate.value), rel=1e-6)
    known = aipw(y, a, e.values, mu0.values, mu1.values)
    assert known.value == estimate.value
    assert known.se != estimate.se


def test_swapping_the_arms_negates():
    y, a, X, _ = log_of()
    e, mu0, mu1 = models(y, a, X)
    swapped = aipw(y, 1 - a, *models(y, 1 - a, X))
    assert swapped.value == pytest.approx(-aipw(y, a, e, mu0, mu1).value, rel=1e-9)
    assert swapped.influence == pytest.approx(-aipw(y, a, e, mu0, mu1).influence, abs=1e-7)


@settings(max_examples=30)
@given(st.floats(-5, 5), st.floats(-5, 5), st.sampled_from(["ATE", "ATT"]))
def test_follows_the_unit_of_the_outcome(scale, shift, estimand):
    y, a, X, _ = log_of(80)
    one = aipw(y, a, *models(y, a, X), estimand=estimand)
    z = scale * y + shift
    other = aipw(z, a, *models(z, a, X), estimand=estimand)
    assert other.value == pytest.approx(scale * one.value, rel=1e-8, abs=1e-9)
    assert other.se == pytest.approx(abs(scale) * one.se, rel=1e-8, abs=1e-9)


def test_duplicated_rows_with_clusters_leave_value_and_error():
    y, a, X, e = log_of()
    twice, mu0, mu1 = np.tile(np.arange(len(y)), 2), X[:, 0], X[:, 1]
    for estimand in ("ATE", "ATT"):
        once = aipw(y, a, e, mu0, mu1, estimand=estimand)
        rows = (array[twice] for array in (y, a, e, mu0, mu1))
        both = aipw(*rows, estimand=estimand, cluster=twice)
        assert both.value == pytest.approx(once.value, rel=1e-10)
        assert both.se == pytest.approx(once.se, rel=1e-10)


def test_what_the_treated_do_not_need_is_not_asked_for():
    y, a, X, e = log_of()
    never = np.where((a == 0) & (e < 0.3), 0.0, e)  # users who could not have been shown it
    att = aipw(y, a, never, X[:, 0], None, estimand="ATT")
    assert att.value != aipw(y, a, e, X[:, 0], None, estimand="ATT").value
    with pytest.raises(ValueError, match="e is not a probability"):
        aipw(y, a, never, X[:, 0], X[:, 0])


@pytest.mark.parametrize("estimand", ["ATE", "ATT"])
def test_warns_where_the_weights_leave_few_rows_and_always_says_how_many(estimand):
    y, a, X, e = log_of()
    w = {"ATE": 1 / (1 - e), "ATT": e / (1 - e)}[estimand][a == 0]
    kept = f"{w.sum() ** 2 / (w @ w):,.0f} of {len(w)} with a = 0"
    calm = aipw(y, a, e, X[:, 0], X[:, 0], estimand=estimand)
    assert any(kept in note for note in calm.notes)
    bold = e.copy()
    bold[np.flatnonzero(a == 0)[0]] = 1 - 1e-4
    with pytest.warns(UserWarning, match=r"leave 1\.\d effective rows of the .* with a = 0"):
        aipw(y, a, bold, X[:, 0], X[:, 0], estimand=estimand)


def test_clips_only_when_asked_and_says_how_many():
    y, a, X, e = log_of()
    clipped = aipw(y, a, e, X[:, 0], X[:, 0], clip=(0.2, 0.8))
    moved = int(((e < 0.2) | (e > 0.8)).sum())
    assert 0 < moved < len(y)
    assert any(f"{moved} of 600 propensities clipped" in note for note in clipped.notes)
    by_hand = aipw(y, a, np.clip(e, 0.2, 0.8), X[:, 0], X[:, 0])
    assert clipped.value == by_hand.value
    assert not any("clipped" in note for note in by_hand.notes)


def test_changes_none_of_its_arguments_and_says_what_it_took_for_known():
    y, a, X, e = log_of()
    copies = [array.copy() for array in (y, a, X, e)]
    known, estimated = aipw(y, a, e, X[:, 0], X[:, 1]), aipw(y, a, *models(y, a, X))
    assert all((new == old).all() for new, old in zip((y, a, X, e), copies, strict=True))
    assert "taken as known" in known.notes[0]
    assert "estimated" in estimated.notes[0]
    assert known.sample == estimated.sample


Y, A, X, E = log_of(60)
ARGUMENTS = {"y": Y, "a": A, "e": E, "mu0": X[:, 0], "mu1": X[:, 1]}
GAP = np.where(np.arange(60) == 7, np.nan, 1.0)


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v * GAP, "{} is NaN or infinite in 1 of 60 rows .first: 7"),
        (lambda v: v[:-1], "{} has 59"),
        (lambda v: [], "{} is empty"),
        (lambda v: v.astype(str), "{} holds"),
        (lambda v: np.column_stack([v, v]), "{} has 2 dimensions"),
    ],
)
def test_refuses_what_is_no_column_of_numbers(name, change, message):
    with pytest.raises(ValueError, match=message.format(name)):
        aipw(**(ARGUMENTS | {name: change(ARGUMENTS[name])}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.ones(60)}, "a is 1 in every row: an effect needs units in both arms"),
        ({"a": A + 1}, "a is neither 0 nor 1"),
        ({"e": np.where(np.arange(60) < 2, 1.0, E)}, "e is not a probability .* in 2 of 60 rows"),
        ({"e": 1 + E}, "e is not a probability"),
        ({"e": np.zeros(60), "estimand": "ATT"}, "e is not a probability"),
        ({"estimand": "ATO"}, "estimand is 'ATO': aipw estimates the ATE or the ATT"),
        ({"mu1": None}, 'mu1 is None: the ATE needs it; pass it, or estimand="ATT"'),
        ({"clip": (0.9, 0.1)}, r"clip is \(0.9, 0.1\)"),
        ({"cluster": np.zeros(60)}, "cluster has one group"),
        ({"cluster": np.arange(59)}, "cluster has 59"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        aipw(**(ARGUMENTS | change))
