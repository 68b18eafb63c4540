"""Support: each demand fails alone, and on the real logs; coverage at the reader's own rate."""

import re
from statistics import NormalDist

import numpy as np
import pytest
import scipy.stats

from causalbook.datasets import load
from causalbook.estimators import Log, effective_sample_size, interval_check, ips, snips, support

DEMANDS = [
    "mass of pi on actions never logged",
    "effective rounds",
    "effective rewarded rounds",
    "largest weight, of the total",
    "mean weight from 1, in standard errors",
]


def log_of(n=2000, clicks=400, p=0.5, **more):
    reward = np.zeros(n)
    reward[:clicks] = 1
    pscore = np.where(np.arange(n) % 2, p, 1 - p)
    return Log(np.arange(n) % 2, reward, pscore, **more), np.tile([1 - p, p], (n, 1))


def failed(check):
    return check.table.index[~check.table["passed"].astype(bool)].tolist()


def test_a_log_of_the_policy_itself_passes():
    check = support(*log_of())
    assert check
    assert check.name == "support"
    assert check.table.index.tolist() == DEMANDS
    assert check.table.columns.tolist() == ["value", "limit", "passed"]
    assert check.table["value"].tolist() == pytest.approx([0, 2000, 400, 1 / 2000, 0])
    assert check.table["limit"].tolist() == [0, 50, 50, 0.1, 3]
    assert check.sentence == "2,000 rounds are worth 2,000 of the target's own."


def test_mass_on_an_action_never_logged_fails_where_the_estimators_refuse():
    log, _ = log_of()
    pi = np.tile([0.4, 0.5, 0.1], (2000, 1))
    check = support(log, pi)
    assert check.table["value"].iloc[0] == pytest.approx(0.1)
    assert DEMANDS[0] in failed(check)
    assert "10.0% of pi is on actions it never shows" in check.sentence
    with pytest.raises(ValueError, match="were never logged"):
        ips(log, pi)
    known, _ = log_of(policy=np.tile([0.5, 0.5, 0.0], (2000, 1)))
    assert support(known, pi).table["value"].iloc[0] == pytest.approx(0.1)


def test_with_the_logging_policy_support_is_known_round_by_round():
    policy = np.tile([0.5, 0.5, 0.0], (2000, 1))
    policy[1::2] = [0.0, 0.5, 0.5]
    log = Log(np.tile([0, 1, 1, 2], 500), np.ones(2000), np.full(2000, 0.5), policy=policy)
    check = support(log, np.tile([0.5, 0.25, 0.25], (2000, 1)))
    assert check.table["value"].iloc[0] == pytest.approx((0.25 + 0.5) / 2)
    assert (
        support(Log(log.action, log.reward, log.pscore), np.full((2000, 3), 1 / 3))
        .table["value"]
        .iloc[0]
        == 0
    )


def test_few_rewards_fail_alone_and_at_fifty():
    assert failed(support(*log_of(clicks=49))) == [DEMANDS[2]]
    assert "the reward rests on 49.0 effective rounds" in support(*log_of(clicks=49)).sentence
    assert support(*log_of(clicks=50))
    assert failed(support(*log_of(clicks=0))) == [DEMANDS[2]]


def test_few_rounds_fail():
    assert failed(support(*log_of(n=48, clicks=48))) == [DEMANDS[1], DEMANDS[2]]
    assert support(*log_of(n=50, clicks=50))
    assert "48 rounds are worth 48" in support(*log_of(n=48, clicks=48)).sentence


def heavy(weight, n=1000):
    """All weights 1 but the first."""
    pscore = np.full(n, 0.25)
    pscore[0] = 0.25 / weight
    return Log(np.arange(n) % 4, np.ones(n), pscore), np.full((n, 4), 0.25)


def test_one_heavy_round_fails():
    check = support(*heavy(120.0))
    assert DEMANDS[3] in failed(check)
    assert check.table["value"].iloc[3] == pytest.approx(120 / 1119)
    assert "one round has 11% of the weight" in check.sentence
    assert failed(support(*heavy(110.0))) == []
    w = np.r_[110.0, np.ones(999)]
    assert support(*heavy(110.0)).table["value"].iloc[1] == pytest.approx(effective_sample_size(w))


def test_propensities_of_another_policy_fail():
    rng = np.random.default_rng(0)
    action = (rng.random(4000) < 0.5).astype(int)
    said = np.where(action == 1, 0.6, 0.4)
    pi = np.tile([0.9, 0.1], (4000, 1))
    check = support(Log(action, np.ones(4000), said), pi)
    w = np.where(action == 1, 0.1, 0.9) / said
    z = (w.mean() - 1) / (w.std() / np.sqrt(4000))
    assert z > 3
    assert check.table["value"].iloc[4] == pytest.approx(z)
    assert failed(check) == [DEMANDS[4]]
    assert f"the mean weight is {w.mean():.3g}, not 1" in check.sentence
    low = support(Log(action, np.ones(4000), said), pi[:, ::-1])
    assert low.table["value"].iloc[4] < -3
    assert failed(low) == [DEMANDS[4]]


def test_a_policy_that_never_agrees_with_the_log_fails():
    log = Log(np.tile([0, 1], 500), np.ones(1000), np.full(1000, 0.5))
    against = np.tile([[0.0, 1.0], [1.0, 0.0]], (500, 1))
    check = support(log, against)
    assert check.table["value"].tolist() == pytest.approx([0, 0, 0, 1, -3000])
    assert failed(check) == DEMANDS[1:]


def test_equal_weights_that_are_not_one_fail_and_rounded_propensities_do_not():
    log, pi = log_of()
    half = Log(log.action, log.reward, np.ones(log.n))
    assert failed(support(half, pi)) == [DEMANDS[4]]
    rng = np.random.default_rng(0)
    for off, wrong in (
        (0.0009, []),
        (-0.0009, []),
        (0.0011, [DEMANDS[4]]),
        (-0.0011, [DEMANDS[4]]),
    ):
        rounded = Log(log.action, log.reward, 0.5 / (1 + off + 1e-6 * rng.normal(size=log.n)))
        assert failed(support(rounded, pi)) == wrong


def test_a_policy_of_another_shape_is_refused():
    log, _ = log_of()
    with pytest.raises(ValueError, match="action is 1, but pi has 1 columns"):
        support(log, np.ones((2000, 1)))


@pytest.mark.parametrize(
    ("campaign", "items", "failures"),
    [
        ("all", 80, [DEMANDS[2]]),
        ("men", 34, [DEMANDS[2]]),
        ("women", 46, [DEMANDS[1], DEMANDS[2], DEMANDS[3]]),
    ],
)
def test_thompsons_log_is_refused_for_the_uniform_policy(campaign, items, failures):
    frame = load("open_bandit")
    frame = frame[(frame["campaign"] == campaign) & (frame["policy"] == "thompson")]
    log = Log.from_frame(frame, action="item_id", reward="click", pscore="propensity_score")
    check = support(log, np.full((log.n, items), 1 / items))
    assert not check
    assert failed(check) == failures
    w = 1 / items / frame["propensity_score"].to_numpy()
    assert f"are worth {effective_sample_size(w):,.0f}" in check.sentence or campaign != "women"
    assert check.sentence.startswith("the log cannot speak of this policy: ")


# Coverage


def lognormal(n):
    """A log whose weights are the quantiles of a lognormal with effective sample size n/5."""
    sigma = np.sqrt(np.log(5))
    w = np.exp(sigma * scipy.stats.norm.ppf((np.arange(n) + 0.5) / n) - sigma**2 / 2)
    pscore = np.minimum(1, 1 / w)
    action, chance = np.arange(n) % 2, w * pscore
    pi = np.where(action[:, None] == [0, 1], chance[:, None], 1 - chance[:, None])
    return Log(action, np.ones(n), pscore), pi


@pytest.mark.parametrize(
    ("n", "rate", "replications", "measured"),
    [(10_000, 0.004, 1000, 0.86), (10_000, 0.2, 1000, 0.93), (100_000, 0.004, 400, 0.94)],
)
def test_coverage_at_the_three_sizes_and_rates_that_were_measured(n, rate, replications, measured):
    # measured beforehand with other code, at effective sample sizes of a fifth of n
    log, pi = lognormal(n)
    found = interval_check(log, pi, rate=rate, replications=replications, seed=4)
    low, high = scipy.stats.binom.interval(0.999, replications, measured)
    assert low <= found.coverage * replications <= high


@pytest.mark.parametrize("estimator", [snips, ips])
def test_it_is_the_coverage_of_a_simulation_that_shares_no_code(estimator):
    n, rate = 400, 0.1
    log, pi = lognormal(n)
    w = pi[np.arange(n), log.action] / log.pscore
    w /= w.mean()
    rng, hits, replications = np.random.default_rng(8), 0, 4000
    for _ in range(replications):
        v, r = rng.choice(w, n), rng.random(n) < rate
        value = (v * r).sum() / (v.sum() if estimator is snips else n)
        psi = v * (r - value) / v.mean() if estimator is snips else v * r - value
        hits += abs(value - rate) <= 1.959964 * np.sqrt((psi**2).sum()) / n
    found = interval_check(log, pi, estimator=estimator, rate=rate, replications=1000, seed=2)
    assert found.coverage < 0.95
    apart = found.coverage - hits / replications
    assert abs(apart) < 3.3 * np.sqrt(found.error**2 * (1 + 1000 / replications))


def test_the_factor_and_the_level_are_what_would_have_covered():
    log, pi = lognormal(500)
    found = interval_check(log, pi, rate=0.1, replications=400, seed=3)
    assert found.error == pytest.approx(np.sqrt(found.coverage * (1 - found.coverage) / 400))
    assert (found.level, found.rate, found.replications) == (0.95, 0.1, 400)
    assert found.factor > 1
    assert found.needed == pytest.approx(
        2 * NormalDist().cdf(1.959964 * found.factor) - 1, abs=1e-6
    )

    def wider(log, pi):
        return snips_scaled(log, pi, found.factor)

    again = interval_check(log, pi, estimator=wider, rate=0.1, replications=400, seed=3)
    assert 0.95 <= again.coverage <= 0.95 + 1 / 400 + 1e-12
    assert again.factor == pytest.approx(1)
    wide = interval_check(log, pi, rate=0.1, replications=400, level=found.needed, seed=3)
    assert wide.coverage >= 0.95


def snips_scaled(log, pi, factor):
    found = snips(log, pi)
    return found + (found - found.value) * (factor - 1)


def test_equal_weights_and_frequent_rewards_cover_as_promised():
    log, pi = log_of(n=1000, clicks=300)
    found = interval_check(log, pi, replications=1000, seed=5)
    assert found.rate == 0.3  # by default the log's own rewards are drawn
    low, high = scipy.stats.binom.interval(0.999, 1000, 0.95)
    assert low <= found.coverage * 1000 <= high
    assert found == interval_check(log, pi, replications=1000, seed=5)
    assert found != interval_check(log, pi, replications=1000, seed=6)


def test_rewards_need_not_be_clicks():
    rng = np.random.default_rng(6)
    log = Log(np.arange(300) % 2, rng.exponential(20.0, 300), np.full(300, 0.5))
    found = interval_check(log, np.full((300, 2), 0.5), replications=1000, seed=7)
    assert found.rate == pytest.approx(log.reward.mean())
    assert 0.9 < found.coverage < 0.97


def test_where_most_draws_hold_no_click_no_factor_helps():
    log, pi = log_of(n=100)
    found = interval_check(log, pi, rate=0.001, replications=200, seed=1)
    assert found.coverage < 0.2
    assert found.factor == np.inf
    assert found.needed == 1
    sure = Log(log.action, np.ones(100), log.pscore)
    certain = interval_check(sure, pi, replications=20, seed=1)  # neither error nor its estimate
    assert (certain.coverage, certain.factor, certain.error) == (1, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 0}, "rate is 0: pass the chance of a reward"),
        ({"rate": 1.0}, "rate is 1.0: pass the chance of a reward"),
        ({"rate": np.nan}, "rate is nan"),
        ({"level": 1.0}, "level is 1.0: pass a share"),
        ({"level": 0}, "level is 0: pass a share"),
        ({"replications": 0}, "replications is 0: pass a whole number"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        interval_check(*log_of(), **{"seed": 0} | arguments)


def test_a_log_without_a_reward_does_not_tell_the_rate():
    log, pi = log_of(n=100)
    silent = Log(log.action, np.zeros(100), log.pscore)
    with pytest.raises(ValueError, match=r"reward is 0 in every round: .* pass rate="):
        interval_check(silent, pi, seed=0)
    assert interval_check(silent, pi, rate=0.001, replications=50, seed=0).coverage < 0.3


def test_draws_in_which_the_policy_never_agrees_with_the_log_do_not_cover():
    action = (np.arange(200) < 3).astype(int)
    log = Log(action, np.arange(200) % 2, np.where(action == 1, 0.015, 0.985))
    pi = np.tile([0.0, 1.0], (200, 1))
    found = interval_check(log, pi, rate=0.3, replications=1000, seed=0)
    # none of the three rounds is drawn in (197/200)^200 = 0.049 of the replications
    assert 0 < found.coverage < 1 - 0.049
    assert found.factor == np.inf


def test_clusters_are_refused():
    log, pi = log_of(cluster=np.arange(2000) // 2)
    with pytest.raises(ValueError, match="log has clusters: rounds are drawn one by one"):
        interval_check(log, pi, seed=0)


def test_the_simulated_logs_have_the_weights_of_the_log_scaled_to_mean_one():
    log, pi = lognormal(50)
    w = pi[np.arange(50), log.action] / log.pscore
    seen = []

    def spy(log, pi):
        seen.append(pi[np.arange(50), log.action] / log.pscore)
        np.testing.assert_allclose(pi.sum(axis=1), 1)
        return snips(log, pi)

    interval_check(log, pi, estimator=spy, rate=0.5, replications=30, seed=0)
    assert len(seen) == 30
    for drawn in seen:
        nearest = np.abs(drawn[:, None] - w / w.mean()).min(axis=1)
        assert nearest.max() < 1e-12
    often = np.bincount(
        np.abs(np.concatenate(seen)[:, None] - w / w.mean()).argmin(axis=1), minlength=50
    )
    assert often.min() > 10  # 30 on average
    assert often.max() < 60
