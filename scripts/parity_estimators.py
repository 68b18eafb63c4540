"""Rows of the parity table: adjustment, weights, matching and logs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from parity_rows import Pair, against
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from statsmodels.treatment.treatment_effects import TreatmentEffect

from causalbook import datasets, mean_of
from causalbook.estimators import (
    Log,
    aipw,
    difference_in_means,
    dr,
    ips,
    ipw,
    matching,
    partially_linear,
    regression_adjustment,
    snips,
    t_learner,
)
from causalbook.nuisance import Linear, Logit, linear, logit

PART = "estimators"


def pair(e: Any) -> list[float]:
    """Value and standard error."""
    return [e.value, e.se]


def fitted(fit: Any, k: int) -> list[float]:
    """Coefficient k and its error, from a fit of statsmodels."""
    return [float(np.asarray(fit.params)[k]), float(np.asarray(fit.bse)[k])]


@cache
def smokers() -> tuple[Any, Any, Any]:
    """Covariates, quitting and weight gain of the 1,566 smokers."""
    frame = datasets.load("nhefs").dropna(subset=["wt82_71"])
    kinds = frame[["education", "exercise", "active"]].astype(int).astype("category")
    x = pd.get_dummies(kinds, drop_first=True, dtype=float)
    for name in ("sex", "race"):
        x[name] = frame[name].astype(float)
    for name in ("age", "smokeintensity", "smokeyrs", "wt71"):
        x[name], x[f"{name}^2"] = frame[name], frame[name] ** 2
    return x, frame["qsmk"].to_numpy(float), frame["wt82_71"].to_numpy()


@cache
def scaled() -> Any:
    """Covariates of the smokers in standard units, and a one: peers need it to converge."""
    x, _, _ = smokers()
    return sm.add_constant((x - x.mean()) / x.std()).to_numpy()


@cache
def propensities() -> Any:
    """Fitted probabilities by statsmodels."""
    _, a, _ = smokers()
    return sm.Logit(a, scaled()).fit(disp=0, method="newton", tol=1e-12, maxiter=100).predict()


@cache
def drawn(n: int = 500, p: int = 3, seed: int = 7) -> tuple[Any, Any, Any]:
    """Covariates, a treatment that leans on them, an outcome."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    a = (rng.random(n) < 1 / (1 + np.exp(-x[:, 0]))).astype(float)
    return x, a, x.sum(axis=1) + a * (1 + x[:, 1]) + rng.normal(size=n)


@against(
    PART, "mean_of", "statsmodels.OLS", what="mean and clustered error", data="drawn, 400 rows"
)
def clustered_mean() -> Pair:
    rng = np.random.default_rng(1)
    g = rng.integers(0, 30, size=400)
    y = rng.normal(size=30)[g] + rng.normal(size=400)
    how = {"groups": g, "use_correction": False, "df_correction": False}
    fit = sm.OLS(y, np.ones(400)).fit(cov_type="cluster", cov_kwds=how)
    return pair(mean_of(y, estimand="mean", method="average", cluster=g)), fitted(fit, 0)


@against(PART, "difference_in_means", "statsmodels.OLS", what="effect and HC2 error", data="NHEFS")
def two_means() -> Pair:
    _, a, y = smokers()
    fit = sm.OLS(y, sm.add_constant(a)).fit(cov_type="HC2")
    return pair(difference_in_means(y, a)), fitted(fit, 1)


@against(
    PART,
    "regression_adjustment",
    "statsmodels.TreatmentEffect.ra",
    what="effect and error",
    data="drawn, 500 rows",
    tolerance=1e-8,
    note="the peer solves all moments by iteration",
)
def adjusted() -> Pair:
    x, a, y = drawn()
    z = sm.add_constant(x)
    model = TreatmentEffect(sm.OLS(y, z), a.astype(int), results_select=sm.Logit(a, z).fit(disp=0))
    told = model.ra().summary_frame().loc["ATE", ["coef", "std err"]]
    return pair(regression_adjustment(y, a, x)), told.to_list()


@against(
    PART,
    "regression_adjustment",
    "statsmodels.OLS",
    what="effect, as in Lin's regression",
    data="NHEFS",
)
def lin() -> Pair:
    x, a, y = smokers()
    c = scaled()[:, 1:]
    fit = sm.OLS(y, np.column_stack([np.ones(len(y)), a, c, c * a[:, None]])).fit()
    return regression_adjustment(y, a, x).value, fit.params[1]


@against(PART, "logit", "statsmodels.Logit", what="1,566 propensities", data="NHEFS")
def fitted_propensities() -> Pair:
    x, a, _ = smokers()
    return logit(x, a).values, propensities()


@against(
    PART,
    "Logit",
    "sklearn.LogisticRegression",
    what="propensities with a ridge penalty",
    data="drawn, 500 rows",
)
def penalised_logit() -> Pair:
    x, a, _ = drawn()
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    peer = LogisticRegression(C=1 / 3, tol=1e-10, max_iter=1000, solver="newton-cholesky")
    return Logit(ridge=3.0).fit(x, a).predict(x), peer.fit(z, a).predict_proba(z)[:, 1]


@against(
    PART, "Linear", "sklearn.Ridge", what="predictions with a ridge penalty", data="drawn, 500 rows"
)
def penalised_line() -> Pair:
    x, _, y = drawn()
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    return Linear(ridge=3.0).fit(x, y).predict(x), Ridge(alpha=3.0, tol=1e-12).fit(z, y).predict(z)


@against(
    PART,
    "ipw",
    "statsmodels.WLS",
    what="effect and HC0 error, propensities taken as known",
    data="NHEFS",
    note="the error of an estimated propensity is smaller; the peer has none",
)
def weighted() -> Pair:
    _, a, y = smokers()
    e = propensities()
    peer = sm.WLS(y, sm.add_constant(a), weights=np.where(a == 1, 1 / e, 1 / (1 - e)))
    return pair(ipw(y, a, e)), fitted(peer.fit(cov_type="HC0"), 1)


@against(
    PART,
    "aipw",
    "statsmodels.OLS",
    what="effect, from the peer's three models",
    data="NHEFS",
    note="our error counts the fitting of the models; the mean of the scores does not",
)
def doubly_robust() -> Pair:
    x, a, y = smokers()
    e, z = propensities(), scaled()
    mu0, mu1 = (sm.OLS(y[a == arm], z[a == arm]).fit().predict(z) for arm in (0, 1))
    score = mu1 - mu0 + a * (y - mu1) / e - (1 - a) * (y - mu0) / (1 - e)
    ours = aipw(y, a, logit(x, a), linear(x, y, where=a == 0), linear(x, y, where=a == 1))
    return ours.value, score.mean()


@against(
    PART,
    "matching",
    "sklearn.NearestNeighbors",
    what="effect on the treated and its error",
    data="drawn, 2,000 rows",
)
def matched() -> Pair:
    x, a, y = drawn(2000)
    z = x @ np.linalg.cholesky(np.linalg.inv(np.cov(x.T)))
    tree = NearestNeighbors(algorithm="kd_tree").fit(z[a == 0])
    near = tree.kneighbors(z[a == 1], 1, return_distance=False)[:, 0]
    gap = y[a == 1] - y[a == 0][near]
    served = np.bincount(near, minlength=int((a == 0).sum()))
    spread = y[a == 0][tree.kneighbors(z[a == 0], 3, return_distance=False)].var(axis=1, ddof=1)
    v = ((gap - gap.mean()) ** 2).sum() + (served * (served - 1) * spread).sum()
    return pair(matching(y, a, x)), [gap.mean(), np.sqrt(v) / len(gap)]


@against(
    PART,
    "partially_linear",
    "sklearn.LinearRegression",
    what="effect and HC0 error, five folds",
    data="drawn, 500 rows",
    note="residuals of scikit-learn, their regression by statsmodels",
)
def partialled_out() -> Pair:
    x, a, y = drawn()
    fold = np.arange(len(y)) % 5
    rest = [
        v - cross_val_predict(LinearRegression(), x, v, cv=PredefinedSplit(fold)) for v in (y, a)
    ]
    fit = sm.OLS(rest[0], rest[1]).fit(cov_type="HC0")
    ours = partially_linear(y, a, x, learner_y=Linear(), learner_a=Linear(), folds=fold)
    return pair(ours), fitted(fit, 0)


@against(PART, "t_learner", "sklearn.LinearRegression", what="500 effects", data="drawn, 500 rows")
def two_models() -> Pair:
    x, a, y = drawn()
    mu0, mu1 = (LinearRegression().fit(x[a == k], y[a == k]).predict(x) for k in (0, 1))
    return t_learner(x, a, y, learner=Linear()).predict(x), mu1 - mu0


@cache
def logged(n: int = 5000, actions: int = 5) -> tuple[Log, Any, Any]:
    """Log, target policy and reward model of a drawn log."""
    rng = np.random.default_rng(11)
    old, pi = (rng.dirichlet(np.ones(actions), size=n) * 0.9 + 0.1 / actions for _ in range(2))
    action = (rng.random((n, 1)) > old.cumsum(axis=1)[:, :-1]).sum(axis=1)
    reward = (rng.random(n) < 0.1 + 0.1 * action).astype(float)
    return Log(action, reward, old[np.arange(n), action]), pi, rng.random((n, actions))


@against(PART, "ips", "statsmodels.OLS", what="value and HC0 error", data="drawn, 5,000 rounds")
def by_weights() -> Pair:
    log, pi, _ = logged()
    w = pi[np.arange(len(pi)), log.action] / log.pscore
    return pair(ips(log, pi)), fitted(
        sm.OLS(w * log.reward, np.ones(len(w))).fit(cov_type="HC0"), 0
    )


@against(PART, "snips", "statsmodels.WLS", what="value and HC0 error", data="drawn, 5,000 rounds")
def by_normalised_weights() -> Pair:
    log, pi, _ = logged()
    w = pi[np.arange(len(pi)), log.action] / log.pscore
    fit = sm.WLS(log.reward, np.ones(len(w)), weights=w).fit(cov_type="HC0")
    return pair(snips(log, pi)), fitted(fit, 0)


@against(PART, "dr", "statsmodels.OLS", what="value and HC0 error", data="drawn, 5,000 rounds")
def by_both() -> Pair:
    log, pi, q = logged()
    i = np.arange(len(pi))
    w = pi[i, log.action] / log.pscore
    score = (pi * q).sum(axis=1) + w * (log.reward - q[i, log.action])
    return pair(dr(log, pi, q)), fitted(sm.OLS(score, np.ones(len(w))).fit(cov_type="HC0"), 0)
