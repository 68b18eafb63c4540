"""Coverage ledger: nominal 95% intervals over 1,000 replications of worlds fixed beforehand.

Each row has its own world, size and seed. The band is the central 99.9% of a binomial count with
chance .95. A row that leaves it is published with its reason, not tuned.
"""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from causalbook import contrast, mean_of, ratio_of
from causalbook.case_study import (
    SCENARIOS,
    aipw_missing,
    analyse,
    interrupted_series,
    plan_value,
)
from causalbook.estimators import (
    Log,
    aipw,
    anderson_rubin,
    calibration,
    causal_tree,
    did,
    difference_in_means,
    dr,
    event_study,
    group_time_att,
    ips,
    ipw,
    matching,
    mips,
    partially_linear,
    policy_value,
    pool,
    position_ips,
    qini,
    regression_adjustment,
    slate_ips,
    snips,
    switch_dr,
    two_stage_least_squares,
    wald,
)
from causalbook.llm_encoding import offcem, prediction_powered, proximal, pseudo_labels
from causalbook.nuisance import Linear, Logit, cross_fit, linear, logit
from causalbook.potential_outcomes import (
    ab_test,
    bounds,
    controlled_direct_effect,
    cuped,
    mediate,
    ratio_metric,
)
from causalbook.project import (
    EpsilonGreedy,
    PrivateSums,
    adaptive_aipw,
    bucket_difference,
    debias,
    learn_online,
    randomised_response,
)
from causalbook.recommenders import click_model, dr_risk, ips_risk, ndcg, recall, snips_risk

REPLICATIONS = 1000

# Three kinds of users, five items; clicks near one in five.
SHARES = np.array([0.5, 0.3, 0.2])
LOGGING = np.array(
    [[0.3, 0.3, 0.2, 0.1, 0.1], [0.1, 0.2, 0.4, 0.2, 0.1], [0.2, 0.2, 0.2, 0.2, 0.2]]
)
TARGET = np.array([[0.1, 0.1, 0.2, 0.3, 0.3], [0.3, 0.3, 0.1, 0.1, 0.2], [0.0, 0.1, 0.2, 0.3, 0.4]])
CLICK = np.array([[0.1, 0.1, 0.2, 0.3, 0.3], [0.3, 0.2, 0.1, 0.1, 0.2], [0.1, 0.2, 0.2, 0.3, 0.4]])
WRONG = np.full((3, 5), 0.5)
VALUE = SHARES @ (TARGET * CLICK).sum(axis=1)


def covered(estimate, truth):
    low, high = estimate.conf_int()
    return low <= truth <= high


def mean(rng):
    y = rng.exponential(2.0, size=500)
    return mean_of(y, estimand="mean", method="average"), 2.0


def clustered_mean(rng):
    g = np.repeat(np.arange(200), 5)
    y = rng.normal(size=200)[g] + rng.normal(size=1000)
    return mean_of(y, estimand="mean", method="average", cluster=g), 0.0


def ratio(rng):
    sessions = 1 + rng.poisson(3.0, size=500)
    clicks = rng.binomial(sessions, rng.beta(2, 8, size=500))
    return ratio_of(clicks, sessions, estimand="click rate", method="sums"), 0.2


def two_samples(rng):
    a = mean_of(rng.normal(1.0, 1.0, size=100), estimand="mean", method="average")
    b = mean_of(rng.normal(0.0, 3.0, size=400), estimand="mean", method="average")
    return contrast(a, b, independent=True), 1.0


def experiment(rng):
    a = rng.permutation(np.repeat([0, 1], [160, 40]))
    return ab_test(np.where(a == 1, rng.normal(1, 3, 200), rng.normal(0, 1, 200)), a), 1.0


def clustered_experiment(rng):
    g = np.repeat(np.arange(100), 1 + np.arange(100) % 9)
    a = rng.permutation(np.repeat([0, 1], 50))[g]
    return ab_test(0.5 * a + rng.normal(size=100)[g] + rng.normal(size=len(g)), a, cluster=g), 0.5


def clicks(rng, n=2000):
    x = rng.choice(3, size=n, p=SHARES)
    a = (rng.random((n, 1)) > LOGGING[x].cumsum(axis=1)[:, :-1]).sum(axis=1)
    r = rng.random(n) < CLICK[x, a]
    return x, Log(a, r, LOGGING[x, a], policy=LOGGING[x])


def by_ips(rng):
    x, log = clicks(rng)
    return ips(log, TARGET[x]), VALUE


def by_snips(rng):
    x, log = clicks(rng)
    return snips(log, TARGET[x]), VALUE


def by_dr(rng):
    x, log = clicks(rng)
    return dr(log, TARGET[x], WRONG[x]), VALUE


def gain(rng):
    """Value of the target minus that of the logging policy, on the same rounds."""
    x, log = clicks(rng)
    earned = SHARES @ (LOGGING * CLICK).sum(axis=1)
    return ips(log, TARGET[x]) - ips(log, LOGGING[x]), VALUE - earned


def viewed(rng, n=500):
    """Half browse; of those three in ten buy, of the others one in ten: bounds of -.4 and .6."""
    a = rng.random(n) < 0.5
    return bounds(rng.random(n) < np.where(a, 0.3, 0.1), a)


def lower_bound(rng):
    return viewed(rng).lower, -0.4


def upper_bound(rng):
    return viewed(rng).upper, 0.6


def effect_at_the_lower_bound(rng):
    """The interval for the effect, not for the set, where the effect is the worst possible."""
    return viewed(rng), -0.4


def browsing(rng, n=800):
    """Shown by lot, a page opened or not, bought or not; kind x moves both."""
    x, a = rng.integers(0, 2, n), rng.integers(0, 2, n)
    m = rng.random(n) < 0.2 + 0.3 * a + 0.3 * x
    y = rng.random(n) < 0.1 + 0.1 * a + 0.2 * m + 0.1 * a * m + 0.3 * x
    return y, a, m, x


def natural_indirect(rng):
    y, a, m, x = browsing(rng)
    return mediate(y, a, m, x)["NIE"], 0.3 * 0.2


def controlled_direct(rng):
    y, a, m, x = browsing(rng)
    return controlled_direct_effect(y, a, m, 1, x), 0.1 + 0.1


def linear_mediator(rng, n=400):
    x, a = rng.normal(1, 1, n), rng.integers(0, 2, n)
    m = 0.5 * a + 0.5 * x + rng.normal(size=n)
    return 0.3 * a + 0.4 * m + 0.2 * a * m + 0.3 * x + rng.normal(size=n), a, m, x


def natural_direct_linear(rng):
    return mediate(*linear_mediator(rng))["NDE"], 0.3 + 0.2 * 0.5


def total_indirect_linear(rng):
    return mediate(*linear_mediator(rng))["TNIE"], 0.5 * (0.4 + 0.2)


def sharper_experiment(rng):
    a, x = rng.permutation(np.repeat([0, 1], [150, 50])), rng.exponential(size=200)
    y = 0.5 * a + np.where(a == 1, 1.5, 0.5) * (x - 1) + rng.normal(size=200)
    return cuped(y, a, x), 0.5


def ratio_in_two_arms(rng):
    a = rng.permutation(np.repeat([0, 1], [300, 200]))
    sessions = 1 + rng.poisson(3.0 + a)
    rate = rng.beta(np.where(a == 1, 2.5, 2.0), np.where(a == 1, 7.5, 8.0))
    return ratio_metric(rng.binomial(sessions, rate), sessions, a), 0.05


# Three kinds of users: how many, how likely each is shown, what showing does to them.
KIND, SHOWN, GAIN = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.8]), np.array([0.0, 1.0, 3.0])


def shown(rng, n=600):
    x = rng.choice(3, size=n, p=KIND)
    a = rng.random(n) < SHOWN[x]
    return x, a, x + GAIN[x] * a + rng.normal(size=n)


def weighted_gain(h):
    return (KIND * h) @ GAIN / (KIND @ h)


def ipw_known(rng):
    x, a, y = shown(rng)
    return ipw(y, a, SHOWN[x]), KIND @ GAIN


def horvitz_thompson_known(rng):
    x, a, y = shown(rng)
    return ipw(y, a, SHOWN[x], normalize=False), KIND @ GAIN


def ipw_estimated(rng):
    x, a, y = shown(rng)
    return ipw(y, a, logit(np.eye(3)[x, 1:], a)), KIND @ GAIN


def horvitz_thompson_estimated(rng, n=600):
    x = rng.normal(size=(n, 2))
    a = rng.random(n) < 1 / (1 + np.exp(-0.5 * x[:, 0] + 0.5 * x[:, 1]))
    y = 1 + x[:, 0] + a * (1 + x[:, 1]) + rng.normal(size=n)
    return ipw(y, a, logit(x, a), normalize=False), 1.0


def ipw_att_estimated(rng):
    x, a, y = shown(rng)
    return ipw(y, a, logit(np.eye(3)[x, 1:], a), estimand="ATT"), weighted_gain(SHOWN)


def ipw_ato_estimated(rng):
    x, a, y = shown(rng)
    fitted = logit(np.eye(3)[x, 1:], a)
    return ipw(y, a, fitted, estimand="ATO"), weighted_gain(SHOWN * (1 - SHOWN))


def two_chances(rng, n=500):
    """Shown by x0 (and x1), bought by x0 and its square; the mean effect is 1, more where x1."""
    X = rng.normal(size=(n, 2))
    a = (rng.random(n) < 1 / (1 + np.exp(-0.7 * X[:, 0] - 0.3 * X[:, 1]))).astype(float)
    y = a * (1 + 0.5 * X[:, 1]) + X[:, 0] + 0.5 * X[:, 0] ** 2 + rng.normal(size=n)
    return y, a, X, np.column_stack([X, X[:, 0] ** 2])


def two_models(y, a, V, W):
    return logit(V, a), linear(W, y, where=a == 0), linear(W, y, where=a == 1)


def aipw_cross_fitted(rng):
    y, a, X, W = two_chances(rng)
    mu0, mu1 = (cross_fit(Linear(), W, y, where=a == arm, stratify=a) for arm in (0, 1))
    return aipw(y, a, cross_fit(Logit(), X, a, stratify=a), mu0, mu1), 1.0


def aipw_outcome_model_wrong(rng):
    y, a, X, _ = two_chances(rng)
    return aipw(y, a, *two_models(y, a, X, X[:, 1])), 1.0


def aipw_propensity_model_wrong(rng):
    y, a, X, W = two_chances(rng)
    return aipw(y, a, *two_models(y, a, X[:, 1] ** 2, W)), 1.0


def aipw_of_the_treated(rng):
    """A constant effect, so that that of the treated is known: 1."""
    y, a, X, W = two_chances(rng)
    y = y - 0.5 * a * X[:, 1]
    return aipw(y, a, *two_models(y, a, X, W), estimand="ATT"), 1.0


def partially_linear_dose(rng):
    X = rng.normal(size=(400, 2))
    a = X[:, 0] + rng.normal(size=400)
    y = 0.5 * a + X[:, 0] - X[:, 1] + (1 + 0.5 * np.abs(a - X[:, 0])) * rng.normal(size=400)
    return partially_linear(y, a, X), 0.5


def partially_linear_clustered(rng):
    g = np.repeat(np.arange(120), 5)
    x, shock = rng.normal(size=600), rng.normal(size=(2, 120))[:, g]
    a = x + shock[0] + rng.normal(size=600)
    return partially_linear(0.5 * a + x + shock[1] + rng.normal(size=600), a, x, cluster=g), 0.5


def regression_adjusted(rng, n=300):
    """The effect rises with x, so that an error which takes the x as given would be too small."""
    x = rng.normal(size=n)
    a = rng.random(n) < 1 / (1 + np.exp(-x))
    return regression_adjustment(x + a * (1 + 2 * x) + rng.normal(size=n), a, x), 1.0


def regression_adjusted_by_lot(rng, n=300):
    """A lottery, and a line through a square with a long tail: no bias to first order."""
    x, a = rng.exponential(size=n), rng.permutation(np.repeat([0, 1], [n - n // 3, n // 3]))
    return regression_adjustment(x**2 + a * (x - 0.5) + rng.normal(size=n), a, x), 0.5


def regression_adjusted_clustered(rng):
    g = np.repeat(np.arange(150), 1 + np.arange(150) % 5)
    x = rng.normal(size=150)[g] + rng.normal(size=len(g))
    a = rng.random(len(g)) < 1 / (1 + np.exp(-x))
    y = x + a * (0.5 + 0.5 * x) + rng.normal(size=150)[g] + rng.normal(size=len(g))
    return regression_adjustment(y, a, x, cluster=g), 0.5


def staggered(rng, control, n=300):
    """Five weeks; two in five never start, the others in weeks 2, 3 or 5, by lot; the effect on a
    user of group g is 1 + 2(t - g)/g on average. Groups weigh by their share and their weeks."""
    first = rng.choice([np.nan, 2.0, 3.0, 5.0], size=n, p=[0.4, 0.3, 0.2, 0.1])
    week, g = np.arange(1, 6), first[:, None]
    y = rng.normal(size=(n, 1)) + rng.normal(size=(n, 5)).cumsum(axis=1) + week**2
    y += np.where(week >= g, (1 + 2 * (week - g) / g) * rng.exponential(size=(n, 1)), 0.0)
    index = {"user": np.repeat(np.arange(n), 5), "week": np.tile(week, n)}
    frame = pd.DataFrame(index | {"first": np.repeat(first, 5), "spent": y.ravel()})
    found = group_time_att(frame, "spent", "user", "week", "first", control=control)
    cells = [(p, 1 + 2 * (t - g) / g) for p, g in ((3, 2), (2, 3), (1, 5)) for t in range(g, 6)]
    return found.simple(), sum(p * e for p, e in cells) / sum(p for p, _ in cells)


def group_time_never(rng):
    return staggered(rng, "never")


def group_time_notyet(rng):
    return staggered(rng, "notyet")


def panel_rows(rng, n=60, times=6):
    """Units that drift on their own: errors of one unit hang together over time."""
    unit, time = np.repeat(np.arange(n), times), np.tile(np.arange(times), n)
    wander = rng.normal(size=(n, times)).cumsum(axis=1).ravel()
    return pd.DataFrame({"unit": unit, "time": time, "y": 0.3 * time + wander})


def difference_in_differences_clustered(rng):
    """Three cities a region, half of the 60 regions treated from the fourth time on."""
    frame = panel_rows(rng, n=180)
    frame["region"] = frame["unit"] // 3
    frame["y"] += rng.normal(size=(60, 6)).cumsum(axis=1)[frame["region"], frame["time"]]
    frame["now"] = ((frame["region"] % 2 == 0) & (frame["time"] >= 3)).astype(int)
    frame["y"] += 0.5 * frame["now"]
    return did(frame, "y", "unit", "time", "now", cluster="region"), 0.5


def event_study_second_time(rng):
    """Forty of 60 units start at the third or fifth time, with one path of effects."""
    frame = panel_rows(rng)
    frame["first"] = np.array([2.0, 4.0, np.nan])[frame["unit"] % 3]
    since = frame["time"] - frame["first"]
    frame["y"] += np.where(since >= 0, 1 + since, 0.0)
    return event_study(frame, "y", "unit", "time", "first")[1], 2.0


def neighbours(rng, columns, n=400):
    """Two columns, both unlike in the arms; effects of 1 + x1, so that ATE and ATT differ."""
    x = rng.random((n, 2))
    a = rng.random(n) < 0.25 + (0.5 * x[:, 0] if columns == 1 else 0.25 * x.sum(axis=1))
    rest = x[:, 1] if columns == 2 else 0
    return 2 * x[:, 0] ** 2 + rest + a * (1 + x[:, 0]) + rng.normal(0, 0.5, n), a, x[:, :columns]


def matched_att(rng):
    return matching(*neighbours(rng, 1)), 1 + 7 / 12


def matched_ate(rng):
    return matching(*neighbours(rng, 1), estimand="ATE"), 1.5


def adjusted_matched_att(rng):
    return matching(*neighbours(rng, 2), bias_adjust=True), 1 + 13 / 24


def adjusted_matched_ate(rng):
    return matching(*neighbours(rng, 2), estimand="ATE", k=2, bias_adjust=True), 1.5


def encouraged(rng, n=500):
    """Three in ten invited; a fifth never, three tenths always, half if invited: they gain .3."""
    z, kind = rng.random(n) < 0.3, rng.choice(3, size=n, p=[0.2, 0.3, 0.5])
    a = np.where(kind == 2, z, kind == 1)
    chance = np.choose(kind, [0.1, 0.6 + 0.1 * a, 0.2 + 0.3 * a])
    return wald(rng.random(n) < chance, a, z), 0.3


def instrumented(rng, n, pi, k):
    """Outcome and treatment share a cause and covariates; the noise grows with the instrument."""
    X, u = rng.normal(size=(n, 2)), rng.normal(size=n)
    z = rng.normal(size=(n, k)) + 0.5 * X[:, :1]
    a = pi * z.sum(axis=1) + X[:, 0] + u + rng.normal(size=n)
    y = 0.5 * a + X.sum(axis=1) + u + rng.normal(size=n) * (0.5 + np.abs(z[:, 0]))
    return y, a, z, X


def two_stages(rng):
    return two_stage_least_squares(*instrumented(rng, 800, 0.4, 2)), 0.5


def two_stages_clustered(rng):
    """The instrument is drawn by city, and cities differ: 60 cities of 5 to 15 users."""
    g = np.repeat(np.arange(60), 5 + np.arange(60) % 11)
    z = rng.permutation(np.repeat([0, 1], 30))[g]
    u = rng.normal(size=60)[g] + rng.normal(size=len(g))
    a = 1.5 * z + 0.5 * u + rng.normal(size=len(g))
    return two_stage_least_squares(0.5 * a + u, a, z, cluster=g), 0.5


class Around:
    """The one of several intervals that holds the truth, if any does."""

    def __init__(self, found, truth):
        self.found, self.truth = found, truth

    def conf_int(self):
        held = (f for f in self.found if f[0] <= self.truth <= f[1])
        return next(held, (np.nan, np.nan))


def anderson_rubin_of_a_weak_instrument(rng):
    """Effective F near two: two-stage least squares is not to be trusted here."""
    return Around(anderson_rubin(*instrumented(rng, 400, 0.08, 1)), 0.5), 0.5


def anderson_rubin_of_three_irrelevant_instruments(rng):
    return Around(anderson_rubin(*instrumented(rng, 800, 0.0, 3)), 0.5), 0.5


def ranked(rng, n=400):
    """A score x in (0, 1) by which the effect rises from -.5 to 1.5, and the chances fall."""
    x = rng.random(n)
    e = 0.7 - 0.4 * x
    a = (rng.random(n) < e).astype(float)
    return x, 1 + x + a * (2 * x - 0.5) + rng.normal(size=n), a, e


def value_of_a_rule(rng):
    """Treat the upper half: 1.5 without treatment, and half of those with an effect of 1."""
    x, y, a, e = ranked(rng)
    return policy_value(x > 0.5, y, a, e), 1.5 + 0.5 * 1.0


def gain_of_a_predicted_rule(rng):
    """Over treating nobody, where the predicted effect is positive: half, with an effect of 1."""
    x, y, a, e = ranked(rng)
    return analyse(x - 0.5, y, a, e)["rule"], 0.5 * 1.0


def qini_gain(rng):
    x, y, a, e = ranked(rng)
    return qini(x, y, a, e).curve[5], 0.3 * (2 * 0.85 - 0.5)  # the upper three tenths


def qini_gain_past_the_best(rng):
    """Here the last to be treated are harmed."""
    x, y, a, e = ranked(rng)
    return qini(x, y, a, e).curve[17], 0.9 * (2 * 0.55 - 0.5)


def qini_area(rng):
    x, y, a, e = ranked(rng)
    return qini(x, y, a, e).area, 2 / 12


def qini_area_of_few_groups(rng):
    x, y, a, e = ranked(rng)
    return qini(x > 0.6, y, a, e).area, 0.5 * 0.4 * (1.1 - 0.5)  # a triangle over the line


def qini_area_clustered(rng):
    x, y, a, e = ranked(rng, n=250)
    g = np.repeat(np.arange(250), 1 + np.arange(250) % 3)
    y = y[g] + 0.5 * rng.normal(size=len(g))
    return qini(x[g], y, a[g], e[g], cluster=g).area, 2 / 12


def calibration_slope(rng):
    x, y, a, e = ranked(rng)
    return calibration(4 * x, y, a, e).slope, 0.5


def calibrated_group(rng):
    x, y, a, e = ranked(rng, n=1000)
    return calibration(x, y, a, e).groups[3], 2 * 0.7 - 0.5


def honest_leaf(rng):
    """Ten kinds of users with effects of 0, .1, ..., .9; the truth is the mean of the leaf's."""
    x, a = rng.integers(0, 10, size=(600, 1)), rng.integers(0, 2, size=600)
    tree = causal_tree(x, a, x[:, 0] * (0.5 + 0.1 * a) + rng.normal(size=600), min_leaf=20)
    kinds = np.arange(10)
    return tree.estimates[0], kinds[tree.apply(kinds) == 0].mean() / 10


def by_switch_dr(rng):
    """The largest weights are left to a model that is right."""
    x, log = clicks(rng)
    return switch_dr(log, TARGET[x], CLICK[x], tau=2.0), VALUE


CATEGORY = np.array([0, 0, 1, 2, 2])  # of the five items; here the kind is all that counts
BY_CATEGORY = np.array([[0.1, 0.2, 0.4], [0.3, 0.2, 0.1], [0.2, 0.1, 0.3]])


def by_mips(rng):
    x, log = clicks(rng)
    r = rng.random(log.n) < BY_CATEGORY[x, CATEGORY[log.action]]
    log = Log(log.action, r, log.pscore, policy=log.policy)
    return mips(log, TARGET[x], CATEGORY), SHARES @ (TARGET * BY_CATEGORY[:, CATEGORY]).sum(axis=1)


def by_offcem(rng):
    x, log = clicks(rng)
    # A model of the wrong level in each category, with the right differences within it.
    model = CLICK + np.array([[0.3, -0.1, 0.0], [0.0, 0.2, -0.3], [0.5, 0.1, 0.2]])[:, CATEGORY]
    return offcem(log, TARGET[x], model[x], CATEGORY), VALUE


def slates(rng, method, n=1500):
    """Three positions, filled each as for one kind of users and clicked by itself."""
    items = [rng.choice(5, size=n, p=row) for row in LOGGING]
    reward, logged, target = (
        np.column_stack([t[k, a] for k, a in enumerate(items)]) for t in (CLICK, LOGGING, TARGET)
    )
    return method((rng.random((n, 3)) < reward) * 1.0, logged, target), (TARGET * CLICK).sum()


def by_position_ips(rng):
    return slates(rng, position_ips)


def by_slate_ips(rng):
    return slates(rng, slate_ips)


def by_pooled_ips(rng):
    """Two loggers, whose numbers of rounds are fixed; the second is uniform."""
    x, log = clicks(rng, 1200)
    x2, a2 = rng.choice(3, size=800, p=SHARES), rng.integers(5, size=800)
    second = Log(a2, rng.random(800) < CLICK[x2, a2], np.full(800, 0.2))
    x, a = np.concatenate([x, x2]), np.concatenate([log.action, a2])
    return ips(pool([log, second], [LOGGING[x, a], np.full(2000, 0.2)]), TARGET[x]), VALUE


# Forty films, each with its loss; half of the users lose twice as much, and the active see more.
# Weights up to 40 and losses with a long tail: with these 300 users the three intervals cover .940
# to .942 (8,000 replications by another seed; .942 for IPS by arithmetic that shares no code with
# the package), with 1,200 users .949. The size was fixed before that was known, and stays.
FILM = np.linspace(0.5, 2.0, 40)
FAME = np.linspace(0.4, 0.05, 40)


def rated(rng, n=300):
    """Which of the films n users have rated, and a model's losses: 1.875 in the mean of all."""
    twice, active = rng.random(n) < 0.5, rng.random(n) < 0.5
    P = FAME * (0.5 + active[:, None])
    loss = FILM * (1 + twice[:, None]) * rng.exponential(size=(n, 40))
    u, i = np.nonzero(rng.random((n, 40)) < P)
    return loss[u, i], P[u, i], u, i


def risk_by_ips(rng):
    loss, P, u, _ = rated(rng)
    return ips_risk(loss, P, u, shape=(300, 40)), 1.875


def risk_by_snips(rng):
    loss, P, u, _ = rated(rng)
    return snips_risk(loss, P, u, shape=(300, 40)), 1.875


def risk_by_dr(rng):
    """The imputed losses are those of half of the users, and wrong."""
    return dr_risk(*rated(rng), np.tile(FILM, (300, 1))), 1.875


def looks_at_position_two(rng, visits=800):
    """Three of six items a visit, the better ones mostly higher; some visitors click on more."""
    gamma, theta = np.array([0.5, 0.4, 0.3, 0.2, 0.15, 0.1]), np.array([1.0, 0.6, 0.3])
    items = rng.random((visits, 6)).argsort(axis=1)[:, :3]
    order = (rng.normal(0, 0.2, (visits, 3)) - gamma[items]).argsort(axis=1)
    items = np.take_along_axis(items, order, axis=1)
    eager = rng.choice([0.6, 1.2], size=(visits, 1))
    clicks = rng.random((visits, 3)) < theta * gamma[items] * eager
    position, visit = np.tile([1, 2, 3], visits), np.repeat(np.arange(visits), 3)
    fitted = click_model(items.ravel(), position, clicks.ravel(), cluster=visit)
    return fitted.examination[2], 0.6


# Two kinds of users, five films, and what each likes; two recommenders name three.
LIKES = np.array([[0.6, 0.4, 0.2, 0.1, 0.1], [0.1, 0.2, 0.2, 0.5, 0.4]])
SAME, OWN = [[0, 1, 2], [0, 1, 2]], [[0, 1, 2], [3, 4, 1]]  # for each kind


def enumerated_scores():
    """Mean nDCG and recall of SAME and OWN among users who like something, by enumeration."""
    discount, total, chance = 1 / np.log2([2, 3, 4]), np.zeros((2, 2)), 0.0
    for kind in (0, 1):
        for likes in itertools.product([0, 1], repeat=5):
            if any(likes):
                p = np.prod([q if y else 1 - q for q, y in zip(LIKES[kind], likes, strict=True)])
                chance += p
                for row, lists in enumerate((SAME, OWN)):
                    hits = np.array([likes[i] for i in lists[kind]])
                    best = discount[: sum(likes)].sum()
                    total[row] += p * np.array([hits @ discount / best, hits.sum() / sum(likes)])
    return total / chance


def judged_users(rng):
    kind = rng.integers(2, size=250)
    gain = rng.random((250, 5)) < LIKES[kind]
    judged = gain.any(axis=1)
    return kind[judged], gain[judged]


def ndcg_of_two_recommenders(rng):
    kind, gain = judged_users(rng)
    own, same = (ndcg(np.array(lists)[kind], gain) for lists in (OWN, SAME))
    return own - same, SCORES[1, 0] - SCORES[0, 0]


def recall_of_a_recommender(rng):
    kind, gain = judged_users(rng)
    return recall(np.array(OWN)[kind], gain), SCORES[1, 1]


SCORES = enumerated_scores()


def annotated(rng, n=1000):
    """A model's labels for all, right on two rows in three; people's for one in five to one in two.

    The model errs more in the second arm. The label is there in 30% and 45% of the rows.
    """
    a, hard = rng.integers(2, size=n), rng.random(n) < 0.4
    y = rng.random(n) < np.where(a == 1, 0.45, 0.3)
    wrong = rng.random(n) < np.where(hard, 0.4, 0.2) + 0.1 * a
    p = np.where(hard, 0.5, 0.2)
    return np.where(wrong, ~y, y), np.where(rng.random(n) < p, y, np.nan), p, a


def share_by_annotator_and_people(rng):
    return prediction_powered(*annotated(rng)[:3]), 0.375


def share_by_tuned_annotator_and_people(rng):
    return prediction_powered(*annotated(rng)[:3], tuned=True), 0.375


def effect_on_an_annotated_outcome(rng):
    *given, a = annotated(rng)
    return difference_in_means(pseudo_labels(*given), a), 0.15


def two_noisy_readings(rng, n=500):
    """One confounder, of which each reading is noise by a half and by a fifth."""
    u = rng.normal(size=n)
    a = rng.random(n) < 1 / (1 + np.exp(-u))
    w, z = u + rng.normal(size=n), 2 * u + rng.normal(size=n)
    return proximal(0.3 * a + u + rng.normal(size=n), a, w, z), 0.3


def with_missing_outcomes(rng, n=1000):
    """Lose outcomes, most where x is high and a = 0; of the models the regressions are wrong."""
    x = rng.random(n)
    e = 0.3 + 0.4 * x
    a = (rng.random(n) < e) * 1.0
    rho = 0.9 - 0.5 * x + 0.2 * a * x
    y = np.where(rng.random(n) < rho, x + 0.2 * a + rng.normal(size=n), np.nan)
    return aipw_missing(y, a, e, rho, np.full(n, 0.5), np.full(n, 0.4)), 0.2


def two_terms_of_always_against_never(rng, n=1000):
    x1 = rng.normal(size=n)
    a1 = rng.random(n) < 1 / (1 + np.exp(-0.5 * x1))
    x2 = x1 + a1 + rng.normal(size=n)
    a2 = rng.random(n) < 1 / (1 + np.exp(0.25 - 0.5 * x2))
    y = x2 + a2 + rng.normal(size=n)
    a, e = np.column_stack([a1, a2]) * 1.0, [logit(x1, a1 * 1.0), logit(x2, a2 * 1.0)]
    return plan_value(y, a, e, (1, 1)) - plan_value(y, a, e, (0, 0)), 2.0


def a_lottery_whose_losers_leave(rng, n=1000):
    a = (rng.random(n) < 0.5) * 1.0
    m = a * rng.normal(0.5, 1.0, size=n) + rng.normal(size=n)
    here = (rng.random(n) < 1 / (1 + np.exp(-1 - m))) * 1.0
    y = np.where(here == 1, m + rng.normal(size=n), np.nan)
    steps = np.column_stack([a, here])
    e = [np.full(n, 0.5), logit(np.column_stack([a, m]), here)]
    return plan_value(y, steps, e, (1, 1)) - plan_value(y, steps, e, (0, 1)), 0.5


def likes_per_look(rng):
    d = SCENARIOS["media"].simulate(1000, int(rng.integers(2**32))).data
    return SCENARIOS["media"].estimate(d), -0.1


def minutes_weighed_for_the_prompt(rng):
    """Minutes wanted have the mean m (1 - exp(-60 / m)), over a normal history (Hermite nodes)."""
    h, w = np.polynomial.hermite_e.hermegauss(60)
    m = [np.exp(2.5 + 0.4 * h + 0.5 * a) for a in (0, 1)]
    low, high = (float(w @ (x * (1 - np.exp(-60 / x))) / w.sum()) for x in m)
    d = SCENARIOS["video"].simulate(1000, int(rng.integers(2**32))).data
    return SCENARIOS["video"].estimate(d), high - low


def learned(rng, n=2000):
    """The log of a policy that learned, in five batches, which of two films is finished."""
    rewards = (rng.random((n, 2)) < (0.6, 0.4)) * 1.0
    seed = int(rng.integers(2**32))
    return learn_online(EpsilonGreedy(0.2), np.zeros(n), rewards, batch=400, seed=seed).log


def losing_film_by_adaptive_weights(rng):
    return adaptive_aipw(learned(rng), 1), 0.4


def losing_film_by_ips(rng):
    return ips(learned(rng), np.tile([0.0, 1.0], (2000, 1))), 0.4


def effect_from_randomised_answers(rng):
    a = rng.integers(2, size=2000)
    y = rng.random(2000) < 0.10 + 0.20 * a
    said = randomised_response(y, epsilon=1.0, seed=int(rng.integers(2**31)))
    return ab_test(debias(said, epsilon=1.0), a), 0.20


def effect_released_with_noise(rng):
    # OpenDP's noise takes no seed: here numpy draws it, with the scales that the release states.
    # At this epsilon it adds a quarter to the squared error of the sampling.
    size, low, high, epsilon = np.array([600.0, 400.0]), 0.0, 10.0, 0.8
    z = [10 * rng.beta(2 + a, 3 - a, size=int(n)) - 5 for a, n in enumerate(size)]
    b, b_squares = 10 / (0.8 * epsilon), 25 / (0.2 * epsilon)
    total = [x.sum() + rng.laplace(0, b) for x in z]
    squares = [(x**2).sum() + rng.laplace(0, b_squares) for x in z]
    sums = PrivateSums(size, np.array(total), np.array(squares), low, high, epsilon)
    return sums.effect(), 2.0


def in_engine(rng, users=2000):
    """Sums by bucket, as an engine returns them: users of two arms come once or thirty times."""
    visits, arm = rng.choice([1, 30], size=users, p=[0.8, 0.2]), rng.integers(2, size=users)
    past = rng.normal(size=users)
    total = visits * (past + 0.3 * arm) + np.sqrt(visits) * rng.normal(size=users)
    each = pd.DataFrame({"bucket": rng.integers(4096, size=users), "arm": arm, "n": visits})
    each = each.assign(y=total, x=visits * past, xx=0.0, xy=0.0)
    return each.groupby(["bucket", "arm"]).sum()


def effect_from_buckets(rng):
    return bucket_difference(in_engine(rng)), 0.3


WORLDS = [
    mean,
    clustered_mean,
    ratio,
    two_samples,
    experiment,
    clustered_experiment,
    by_ips,
    by_snips,
    by_dr,
    gain,
    lower_bound,
    upper_bound,
    effect_at_the_lower_bound,
    natural_indirect,
    controlled_direct,
    natural_direct_linear,
    total_indirect_linear,
    sharper_experiment,
    ratio_in_two_arms,
    ipw_known,
    horvitz_thompson_known,
    ipw_estimated,
    horvitz_thompson_estimated,
    ipw_att_estimated,
    ipw_ato_estimated,
    aipw_cross_fitted,
    aipw_outcome_model_wrong,
    aipw_propensity_model_wrong,
    aipw_of_the_treated,
    partially_linear_dose,
    partially_linear_clustered,
    regression_adjusted,
    regression_adjusted_clustered,
    group_time_never,
    group_time_notyet,
    difference_in_differences_clustered,
    event_study_second_time,
    matched_att,
    matched_ate,
    adjusted_matched_att,
    adjusted_matched_ate,
    encouraged,
    two_stages,
    two_stages_clustered,
    anderson_rubin_of_a_weak_instrument,
    anderson_rubin_of_three_irrelevant_instruments,
    value_of_a_rule,
    qini_gain,
    qini_gain_past_the_best,
    qini_area,
    qini_area_of_few_groups,
    qini_area_clustered,
    calibration_slope,
    calibrated_group,
    honest_leaf,
    by_switch_dr,
    by_mips,
    by_position_ips,
    by_slate_ips,
    by_pooled_ips,
    risk_by_ips,
    risk_by_snips,
    risk_by_dr,
    looks_at_position_two,
    ndcg_of_two_recommenders,
    recall_of_a_recommender,
    share_by_annotator_and_people,
    share_by_tuned_annotator_and_people,
    effect_on_an_annotated_outcome,
    two_noisy_readings,
    by_offcem,
    gain_of_a_predicted_rule,
    with_missing_outcomes,
    two_terms_of_always_against_never,
    a_lottery_whose_losers_leave,
    likes_per_look,
    minutes_weighed_for_the_prompt,
    losing_film_by_adaptive_weights,
    losing_film_by_ips,
    effect_from_randomised_answers,
    effect_released_with_noise,
    effect_from_buckets,
]


def hits(world, replications):
    seeds = np.random.SeedSequence([2024, WORLDS.index(world)]).spawn(replications)
    return sum(covered(*world(np.random.default_rng(seed))) for seed in seeds)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_the_interval_covers_the_truth_as_often_as_it_says(world):
    low, high = scipy.stats.binom.interval(0.999, REPLICATIONS, 0.95)
    found = hits(world, REPLICATIONS)
    assert low <= found <= high, f"{found} of {REPLICATIONS}"


def test_where_few_clicks_carry_the_weight_the_interval_covers_too_little_and_the_package_warns():
    # 10,000 rounds, a click in 250, propensities Beta(1.5, 2): E[1/e] = 5, so ESS/n is .2 and the
    # clicks are worth eight.
    rng, n, rate = np.random.default_rng(2025), 10_000, 0.004
    always, hits, warned = np.tile([0.0, 1.0], (n, 1)), 0, 0
    for _ in range(REPLICATIONS):
        e = np.clip(rng.beta(1.5, 2.0, size=n), 1e-12, 1 - 1e-12)
        a = rng.random(n) < e
        log = Log(a, rng.random(n) < rate, np.where(a, e, 1 - e))
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            hits += covered(snips(log, always), rate)
        warned += any("effective rewarded rounds" in str(w.message) for w in seen)
    low, _ = scipy.stats.binom.interval(0.999, REPLICATIONS, 0.95)
    assert hits < low, f"{hits} of {REPLICATIONS}"
    assert warned > 0.9 * REPLICATIONS, f"{warned} of {REPLICATIONS}"


def test_where_a_line_meets_a_long_tail_the_adjusted_interval_covers_too_little_until_n_is_large():
    # The few rows far out draw the line to themselves, so their residuals, and with them the error
    # (HC0, no factor), are too small. The sizes were chosen after coverage had been measured, the
    # seed was not: by other seeds, and arithmetic that shares no code with the package, it is .903
    # with 60 rows and .930 with 300 (100,000 replications each), .9425 with 1,200 (60,000), .947
    # with 4,800 (30,000), .950 with 19,200 (10,000). At the two sizes kept, a count of 1,000 falls
    # on the asserted side of the band for all but one seed in a hundred.
    low, high = scipy.stats.binom.interval(0.999, REPLICATIONS, 0.95)
    for n, promised in ((60, False), (4_800, True)):
        seeds = np.random.SeedSequence([2013, n]).spawn(REPLICATIONS)
        hits = sum(
            covered(*regression_adjusted_by_lot(np.random.default_rng(seed), n)) for seed in seeds
        )
        assert (low <= hits <= high) == promised, f"{hits} of {REPLICATIONS} with {n} rows"


def test_where_neighbouring_times_err_together_a_short_series_covers_too_little():
    # The line is carried on past its data, and the residuals of so few times hang together less
    # than the errors do. Sizes were chosen after coverage had been measured, by other seeds (875,
    # 881 and 906 of 1,000 with 100 times and 4 lags; 953, 953 and 949 with 3,000 and 12).
    low, high = scipy.stats.binom.interval(0.999, REPLICATIONS, 0.95)
    for n, lags, promised in ((100, 4, False), (3_000, 12, True)):
        rng, t, hits = np.random.default_rng([2017, n]), np.arange(n), 0
        for _ in range(REPLICATIONS):
            e = rng.normal(size=n + 1)
            y = e[1:] + 0.4 * e[:-1] + 2.0 * (t >= 0.6 * n)
            hits += covered(interrupted_series(y, t, 0.6 * n, lags=lags).effect, 2.0)
        assert (low <= hits <= high) == promised, f"{hits} of {REPLICATIONS} with {n} times"
