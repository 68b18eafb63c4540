"""Rows of the parity table: panels, instruments, sensitivity, synthetic control."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.stats
import statsmodels.api as sm
from linearmodels.iv import IV2SLS
from linearmodels.panel import PanelOLS
from parity_estimators import PART, fitted, pair
from parity_rows import Pair, against

from causalbook import datasets
from causalbook.estimators import (
    anderson_rubin,
    benchmark,
    did,
    event_study,
    first_stage,
    group_time_att,
    robustness_value,
    synthetic_control,
    two_stage_least_squares,
    wald,
)

REGIONS = [f"reg66{k}" for k in range(2, 10)]


CONTROLS = ["exper", "expersq", "black", "smsa", "south", "smsa66", *REGIONS]


@against(
    PART,
    "did",
    "linearmodels.PanelOLS",
    what="effect and clustered error",
    data="organ donations",
    note="the peer's small-sample factor put on ours: 26/27 · 162/129 under the root",
)
def two_way() -> Pair:
    frame = datasets.load("organ_donations")
    now = (frame["State"] == "California") & (frame["Quarter_Num"] > 3)
    frame = frame.assign(now=now.astype(int))
    ours = did(frame, "Rate", "State", "Quarter_Num", "now")
    panel = frame.set_index(["State", "Quarter_Num"])
    fit = PanelOLS(panel["Rate"], panel[["now"]], entity_effects=True, time_effects=True)
    peer = fit.fit(cov_type="clustered", cluster_entity=True)
    factor = np.sqrt(26 / 27 * 162 / (162 - 27 - 6))
    return [ours.value, ours.se * factor], [peer.params["now"], peer.std_errors["now"]]


@against(
    PART,
    "event_study",
    "statsmodels.OLS",
    what="14 effects by years since the law",
    data="castle doctrine",
)
def leads_and_lags() -> Pair:
    frame = datasets.load("castle")
    first = frame[frame["lag0"] == 1].set_index("sid")["year"]
    frame = frame.assign(first=frame["sid"].map(first))
    study = event_study(frame, "l_homicide", "sid", "year", "first")
    events = np.column_stack([(frame["year"] - frame["first"] == k).astype(float) for k in study])
    names = frame[["sid", "year"]].astype(str)
    dummies = pd.get_dummies(names, drop_first=True, dtype=float)
    fit = sm.OLS(frame["l_homicide"], np.column_stack([np.ones(len(frame)), events, dummies])).fit()
    return [e.value for e in study.values()], fit.params.iloc[1 : len(study) + 1]


@against(
    PART,
    "group_time_att",
    "statsmodels.OLS",
    what="one ATT(g, t), HC0 error",
    data="castle doctrine",
)
def one_group() -> Pair:
    frame = datasets.load("castle")
    first = frame[frame["post"] == 1].groupby("sid")["year"].min()
    frame = frame.assign(first=frame["sid"].map(first))
    wide = frame.pivot(index="sid", columns="year", values="homicide")
    kind = wide.index.map(first)
    used = (kind == 2007) | kind.isna()
    x = sm.add_constant((kind == 2007)[used].astype(float))
    fit = sm.OLS((wide[2008] - wide[2006])[used].to_numpy(), x).fit(cov_type="HC0")
    ours = group_time_att(frame, "homicide", "sid", "year", "first").att[2007, 2008]
    return pair(ours), fitted(fit, 1)


@cache
def card() -> tuple[Any, Any, Any, Any]:
    """Log wage, schooling, a college nearby, controls."""
    frame = datasets.load("card")
    return frame["lwage"], frame["educ"], frame["nearc4"], frame[CONTROLS]


@against(
    PART, "two_stage_least_squares", "linearmodels.IV2SLS", what="effect and HC0 error", data="Card"
)
def two_stages() -> Pair:
    y, a, z, x = card()
    peer = IV2SLS(y, sm.add_constant(x), a, z).fit(cov_type="robust", debiased=False)
    ours = two_stage_least_squares(y, a, z, x)
    return pair(ours), [peer.params["educ"], peer.std_errors["educ"]]


@against(PART, "first_stage", "linearmodels.IV2SLS", what="robust F", data="Card")
def robust_f() -> Pair:
    y, a, z, x = card()
    fit = IV2SLS(y, sm.add_constant(x), a, z).fit(cov_type="robust", debiased=False)
    return first_stage(a, z, x).f, fit.first_stage.diagnostics.loc["educ", "f.stat"]


@against(PART, "wald", "linearmodels.IV2SLS", what="effect and HC0 error", data="Card, no controls")
def one_instrument() -> Pair:
    y, a, z, _ = card()
    one = np.ones((len(y), 1))
    peer = IV2SLS(y, one, a, z).fit(cov_type="robust", debiased=False)
    return pair(wald(y, a, z)), [peer.params["educ"], peer.std_errors["educ"]]


@against(
    PART,
    "anderson_rubin",
    "statsmodels.OLS",
    what="both ends: the effects that the peer's test just rejects",
    data="Card",
)
def ends() -> Pair:
    y, a, z, x = card()
    design = np.column_stack([z, np.ones(len(y)), x])
    limit = scipy.stats.chi2.ppf(0.95, 1)

    def over(beta: float) -> float:
        return float(sm.OLS(y - beta * a, design).fit(cov_type="HC0").tvalues.iloc[0] ** 2 - limit)

    ((low, high),) = anderson_rubin(y, a, z, x)
    found = [scipy.optimize.brentq(over, end - 0.01, end + 0.01, xtol=1e-13) for end in (low, high)]
    return [low, high], found


@cache
def darfur() -> tuple[Any, Any, Any, Any]:
    """Outcome, harm, covariates with villages, and statsmodels' fit."""
    d = datasets.load("darfur")
    own = ["age", "farmer_dar", "herder_dar", "pastvoted", "hhsize_darfur", "female"]
    villages = pd.get_dummies(d["village"], drop_first=True)
    x = pd.concat([d[own], villages], axis=1).astype(float)
    y, a = d["peacefactor"], d["directlyharmed"].astype(float)
    return y, a, x, sm.OLS(y, sm.add_constant(pd.concat([a, x], axis=1))).fit()


@against(
    PART,
    "robustness_value",
    "sensemakr.robustness_value",
    what="without and with a level",
    data="Darfur",
)
def robustness() -> Pair:
    import sensemakr

    fit = darfur()[3]
    t, dof = float(fit.tvalues["directlyharmed"]), int(fit.df_resid)
    theirs = [sensemakr.robustness_value(t_statistic=t, dof=dof, q=1, alpha=a) for a in (1.0, 0.05)]
    ours = [robustness_value(t, dof), robustness_value(t, dof, level=0.95)]
    return ours, [float(np.ravel(value)[0]) for value in theirs]


@against(
    PART,
    "benchmark",
    "sensemakr.ovb_partial_r2_bound",
    what="effects with a confounder 1, 2, 3 times as strong as sex",
    data="Darfur",
)
def strengths() -> Pair:
    import sensemakr

    y, a, x, fit = darfur()
    treatment = sm.OLS(a, sm.add_constant(x)).fit()
    r2 = [
        float(sensemakr.partial_r2(t_statistic=float(f.tvalues["female"]), dof=int(f.df_resid)))
        for f in (treatment, fit)
    ]
    bound = sensemakr.ovb_partial_r2_bound(
        r2dxj_x=r2[0], r2yxj_dx=r2[1], kd=[1, 2, 3], ky=[1, 2, 3]
    )
    theirs = sensemakr.adjusted_estimate(
        estimate=float(fit.params["directlyharmed"]),
        se=float(fit.bse["directlyharmed"]),
        dof=int(fit.df_resid),
        r2dz_x=bound["r2dz_x"],
        r2yz_dx=bound["r2yz_dx"],
    )
    return benchmark(y, a, x, covariate="female", k=[1, 2, 3])["estimate"], np.ravel(theirs)


@against(
    PART,
    "synthetic_control",
    "scipy.optimize.minimize",
    what="eight weights (SLSQP)",
    data="drawn, 20 times",
    tolerance=1e-6,
    note="the peer stops near the optimum; ours is proved to be one",
)
def weights_of_donors() -> Pair:
    rng = np.random.default_rng(3)
    f, loads = rng.normal(size=(20, 3)).cumsum(0), rng.uniform(0, 1, size=(9, 3))
    y = f @ loads.T + 0.3 * rng.normal(size=(20, 9))
    wide = pd.DataFrame(y, columns=[f"u{i}" for i in range(9)], index=range(1, 21))
    rows = wide.melt(ignore_index=False, var_name="unit", value_name="y").reset_index(names="time")
    ours = synthetic_control(rows, "y", "unit", "time", "u0", 16).weights
    target, donors = y[:15, 0], y[:15, 1:]
    peer = scipy.optimize.minimize(
        lambda w: ((target - donors @ w) ** 2).sum(),
        np.full(8, 1 / 8),
        jac=lambda w: -2 * donors.T @ (target - donors @ w),
        bounds=[(0, 1)] * 8,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(8)},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    return ours[[f"u{i}" for i in range(1, 9)]], peer.x
