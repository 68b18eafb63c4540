"""Rows of the parity table: potential outcomes, graphs, case study and project."""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import scipy.optimize
import scipy.stats
import statsmodels.api as sm
from parity_rows import Pair, against
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

from causalbook import datasets
from causalbook.case_study import interrupted_series, plan_value
from causalbook.causal_graphs import Graph, check_independences
from causalbook.nuisance import logit
from causalbook.potential_outcomes import (
    ab_test,
    cuped,
    holm,
    mediate,
    ratio_metric,
    sample_size,
    sample_size_proportions,
    srm_test,
)
from causalbook.project import PrivateSums, Warehouse, bucket_difference, train_privately


@cache
def arms() -> tuple[Any, Any, Any]:
    """Outcome, arm and an earlier outcome of 1,000 users, a fifth of them treated."""
    rng = np.random.default_rng(5)
    a, x = np.repeat([0, 1], [800, 200]), rng.normal(size=1000)
    return 0.8 * x + a * (0.3 + rng.normal(size=1000)) + rng.normal(size=1000), a, x


@against(
    "potential_outcomes",
    "ab_test",
    "scipy.stats.ttest_ind",
    what="Welch's interval and p value",
    data="drawn, 1,000 users",
)
def welch() -> Pair:
    y, a, _ = arms()
    ours, peer = ab_test(y, a), scipy.stats.ttest_ind(y[a == 1], y[a == 0], equal_var=False)
    return [*ours.conf_int(), ours.pvalue()], [*peer.confidence_interval(), peer.pvalue]


@against(
    "potential_outcomes",
    "ab_test",
    "statsmodels.OLS",
    what="effect and clustered error",
    data="drawn, 1,000 users",
    note="the peer's error times the root of G/(G-1)",
)
def clustered() -> Pair:
    y, a, _ = arms()
    g = np.arange(1000) // 10
    how = {"groups": g, "use_correction": False, "df_correction": False}
    fit = sm.OLS(y, sm.add_constant(a)).fit(cov_type="cluster", cov_kwds=how)
    ours = ab_test(y, a, cluster=g)
    return [ours.value, ours.se], [fit.params[1], fit.bse[1] * math.sqrt(100 / 99)]


@against(
    "potential_outcomes",
    "cuped",
    "scipy.stats.ttest_ind",
    what="Welch's interval of what theta x leaves",
    data="drawn, 1,000 users",
)
def corrected() -> Pair:
    y, a, x = arms()
    c = [np.cov(x[a == k], y[a == k]) / (a == k).sum() for k in (0, 1)]
    z = y - (c[0] + c[1])[0, 1] / (c[0] + c[1])[0, 0] * x
    peer = scipy.stats.ttest_ind(z[a == 1], z[a == 0], equal_var=False)
    return cuped(y, a, x).conf_int(), peer.confidence_interval()


@against(
    "potential_outcomes",
    "ratio_metric",
    "statsmodels.WLS",
    what="effect on clicks a session, and its error",
    data="drawn, 200 users",
    note="the peer's HC0 error times the root of n/(n-1) in each arm",
)
def clicks_a_session() -> Pair:
    rng = np.random.default_rng(17)
    a, v = np.repeat([0, 1], 100), 1 + rng.poisson(3, size=200)
    u = rng.binomial(v, rng.beta(2, 6, size=200))
    fit = sm.WLS(u / v, sm.add_constant(a), weights=v).fit(cov_type="HC0")
    ours = ratio_metric(u, v, a)
    return [ours.value, ours.se], [fit.params[1], fit.bse[1] * math.sqrt(100 / 99)]


@against(
    "potential_outcomes",
    "sample_size",
    "statsmodels.TTestIndPower",
    what="users an arm for d = .05, .2, .5 (rounded up)",
    data="",
)
def users() -> Pair:
    ds = (0.05, 0.2, 0.5)
    theirs = [TTestIndPower().solve_power(effect_size=d, power=0.8, alpha=0.05) for d in ds]
    return [sample_size(d, 1.0) for d in ds], [math.ceil(n) for n in theirs]


@against(
    "potential_outcomes",
    "sample_size_proportions",
    "statsmodels.samplesize_proportions_2indep_onetail",
    what="users an arm for 4% against 4.4%, 5%, 6% (rounded up)",
    data="",
)
def users_for_shares() -> Pair:
    more = (0.044, 0.05, 0.06)
    theirs = [samplesize_proportions_2indep_onetail(p - 0.04, 0.04, 0.8, alpha=0.05) for p in more]
    ours = [sample_size_proportions(0.04, p, power=0.8, level=0.95) for p in more]
    return ours, [math.ceil(n) for n in theirs]


@against(
    "potential_outcomes", "srm_test", "scipy.stats.chisquare", what="p value", data="two counts"
)
def mismatch() -> Pair:
    counts = [50_300, 49_400]
    theirs = scipy.stats.chisquare(counts, [sum(counts) / 2] * 2).pvalue
    return srm_test(counts, [0.5, 0.5]), theirs


@against(
    "potential_outcomes", "holm", "statsmodels.multipletests", what="eight p values", data="drawn"
)
def many_metrics() -> Pair:
    p = np.random.default_rng(2).beta(0.3, 3, size=8)
    return holm(p), multipletests(p, method="holm")[1]


@against(
    "potential_outcomes",
    "mediate",
    "statsmodels.OLS",
    what="NDE and NIE from the peer's coefficients",
    data="JOBS II",
)
def direct_and_indirect() -> Pair:
    import statsmodels.formula.api as smf

    d, names = datasets.load("jobs"), ["econ_hard", "sex", "age"]
    b = smf.ols("depress2 ~ treat * job_seek + econ_hard + sex + age", d).fit().params
    g = smf.ols("job_seek ~ treat + econ_hard + sex + age", d).fit().params
    ours = mediate(d["depress2"], d["treat"], d["job_seek"], d[names])
    m0 = g["Intercept"] + d[names].mean() @ g[names]
    theirs = [b["treat"] + b["treat:job_seek"] * m0, g["treat"] * b["job_seek"]]
    return [ours["NDE"].value, ours["NIE"].value], theirs


@against(
    "causal_graphs",
    "Graph",
    "networkx.is_d_separator",
    what="every d-separation of two nodes given a set (1 or 0)",
    data="a graph of seven nodes",
)
def separations() -> Pair:
    edges = [("U", "A"), ("U", "Y"), ("A", "M"), ("M", "Y"), ("A", "C"), ("Y", "C"), ("Z", "A")]
    ours, peer, found = Graph(edges), nx.DiGraph(edges), []
    for x, y in combinations(sorted(peer), 2):
        rest = sorted(set(peer) - {x, y})
        for k in range(len(rest) + 1):
            for given in combinations(rest, k):
                s = set(given)
                found.append((ours.d_separated(x, y, s), nx.is_d_separator(peer, {x}, {y}, s)))
    return tuple(zip(*found, strict=True))


@against(
    "causal_graphs",
    "check_independences",
    "statsmodels.OLS",
    what="z statistics from partial correlations",
    data="drawn, 400 rows",
)
def partial_correlations() -> Pair:
    rng = np.random.default_rng(0)
    a = rng.normal(size=400)
    b = a + rng.normal(size=400)
    frame = pd.DataFrame({"A": a, "B": b, "C": b + rng.normal(size=400)})
    (row,) = check_independences(Graph("A -> B -> C"), frame).itertuples()
    fit = sm.OLS(frame["A"], sm.add_constant(frame[["C", "B"]])).fit()
    r = fit.tvalues["C"] / np.sqrt(fit.tvalues["C"] ** 2 + fit.df_resid)
    return row.statistic, np.arctanh(r) * np.sqrt(400 - 1 - 3)


@against(
    "case_study",
    "interrupted_series",
    "statsmodels.OLS",
    what="jump and slope with Newey and West's errors",
    data="drawn, 40 years",
)
def interruption() -> Pair:
    t, rng = np.arange(1985.0, 2025.0), np.random.default_rng(1)
    y = 0.1 * t + rng.normal(size=40).cumsum()
    after = (t >= 2013).astype(float)
    x = sm.add_constant(np.column_stack([t - 2013, after, after * (t - 2013)]))
    how = {"maxlags": 4, "use_correction": True}
    fit = sm.OLS(y, x).fit(cov_type="HAC", cov_kwds=how, use_t=True)
    ours = interrupted_series(y, t, 2013, lags=4)
    told = [ours.level.value, ours.level.se, ours.slope.value, ours.slope.se]
    return told, [fit.params[2], fit.bse[2], fit.params[3], fit.bse[3]]


@against(
    "case_study",
    "plan_value",
    "statsmodels.WLS",
    what="values of the four plans of two steps",
    data="drawn, 500 patients",
)
def plans() -> Pair:
    rng = np.random.default_rng(2)
    x1 = rng.normal(size=500)
    a1 = (rng.random(500) < 1 / (1 + np.exp(-x1))).astype(float)
    x2 = x1 + a1 + rng.normal(size=500)
    a2 = (rng.random(500) < 1 / (1 + np.exp(-x2))).astype(float)
    y = x2 + a2 + rng.normal(size=500)
    e1, e2 = logit(x1, a1).values, logit(np.column_stack([x2, a1]), a2).values
    w = 1 / (np.where(a1 == 1, e1, 1 - e1) * np.where(a2 == 1, e2, 1 - e2))
    b = sm.WLS(y, np.column_stack([np.ones(500), a1, a2, a1 * a2]), weights=w).fit().params
    steps, told = np.column_stack([a1, a2]), [(0, 0), (0, 1), (1, 0), (1, 1)]
    ours = [plan_value(y, steps, [e1, e2], plan).value for plan in told]
    return ours, [b @ [1, d1, d2, d1 * d2] for d1, d2 in told]


@against(
    "project",
    "private_sums",
    "opendp.measurements",
    what="epsilon of the sums and of the squares",
    data="a million users",
    tolerance=1e-8,
    note="the peer adds what rounding may cost; `private_sums` draws that much more noise",
)
def privacy_loss() -> Pair:
    import opendp.prelude as dp

    dp.enable_features("contrib")
    scales = PrivateSums(np.array([10**6] * 2), np.zeros(2), np.zeros(2), 0.0, 10.0, 0.5).scales
    spent = []
    for (low, high), scale in zip(((-5.0, 5.0), (0.0, 25.0)), scales, strict=True):
        domain = dp.vector_domain(dp.atom_domain(bounds=(low, high), nan=False), size=10**6)
        space = domain, dp.symmetric_distance()
        spent.append((dp.t.make_sum(*space) >> dp.m.then_laplace(scale=scale)).map(2))
    return [0.4, 0.1], spent


@against(
    "project",
    "Warehouse",
    "statsmodels.OLS",
    what="effect and clustered error from sums of buckets",
    data="drawn, 20,000 rows",
    note="the peer reads every row, and clusters by bucket: its error times the root of G/(G-1)",
)
def in_the_engine() -> Pair:
    rng = np.random.default_rng(4)
    bucket, a = rng.integers(4096, size=20_000), rng.integers(0, 2, size=20_000)
    log = pd.DataFrame({"bucket": bucket, "arm": a, "y": 0.2 * a + rng.normal(size=20_000)})
    with Warehouse() as w:
        ours = bucket_difference(w.arm_sums(w.bring(log), y="y", a="arm"))
    how = {"groups": bucket, "use_correction": False, "df_correction": False}
    fit = sm.OLS(log["y"], sm.add_constant(log["arm"])).fit(cov_type="cluster", cov_kwds=how)
    g = len(set(bucket))
    return [ours.value, ours.se], [fit.params["arm"], fit.bse["arm"] * math.sqrt(g / (g - 1))]


@against(
    "project",
    "train_privately",
    "torch.optim.SGD",
    what="four weights after four steps, without clip and noise",
    data="drawn, 60 rows",
)
def descent() -> Pair:
    import torch

    rng = np.random.default_rng(1)
    data = torch.tensor(np.column_stack([rng.normal(size=(60, 3)), rng.integers(2, size=60)]))
    start = {"w": torch.tensor([0.3, -0.2, 0.1]).double(), "b": torch.zeros(1).double()}

    def loss(p: Any, row: Any) -> Any:
        score = row[:3] @ p["w"] + p["b"][0]
        return torch.nn.functional.softplus(score) - row[3] * score

    free = {name: value.clone().requires_grad_() for name, value in start.items()}
    peer = torch.optim.SGD(free.values(), lr=0.5)
    for _ in range(4):
        peer.zero_grad()
        torch.stack([loss(free, row) for row in data]).mean().backward()
        peer.step()
    how = {"clip": math.inf, "noise": 0.0, "lot": 60, "epochs": 4, "rate": 0.5, "seed": 1}
    ours = train_privately(loss, start, data, **how)
    return [torch.cat([p["w"], p["b"]]).detach().numpy() for p in (ours, free)]
