"""Coverage ledger: nominal 95% intervals over 1,000 replications of worlds fixed beforehand.

Each row has its own world, size and seed. The band is the central 99.9% of a binomial count with
chance .95. A row that leaves it is published with its reason, not tuned.
"""

import warnings

import numpy as np
import pytest
import scipy.stats

from causalbook import contrast, mean_of, ratio_of
from causalbook.estimators import Log, dr, ips, snips
from causalbook.potential_outcomes import (
    ab_test,
    bounds,
    controlled_direct_effect,
    cuped,
    mediate,
    ratio_metric,
)

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
]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.__name__)
def test_the_interval_covers_the_truth_as_often_as_it_says(world):
    seeds = np.random.SeedSequence([2024, WORLDS.index(world)]).spawn(REPLICATIONS)
    hits = sum(covered(*world(np.random.default_rng(seed))) for seed in seeds)
    low, high = scipy.stats.binom.interval(0.999, REPLICATIONS, 0.95)
    assert low <= hits <= high, f"{hits} of {REPLICATIONS}"


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
