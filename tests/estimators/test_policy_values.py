"""IPS, SNIPS, DM, DR: exact expectations, identities, errors, caps, warnings, speed."""

import importlib.util
import math
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from causalbook.estimators import Log, dm, dr, effective_sample_size, evaluate, ips, snips

quiet = pytest.mark.filterwarnings("ignore:the estimate rests on")


def close(x, rel=1e-10):
    return pytest.approx(x, rel=rel, abs=1e-13)


# A world small enough to enumerate: two contexts, three actions, a click or none

SHARE = [Fraction(2, 5), Fraction(3, 5)]
LOGGING = [
    [Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)],
    [Fraction(1, 5), Fraction(2, 5), Fraction(2, 5)],
]
TARGET = [
    [Fraction(1, 10), Fraction(3, 10), Fraction(6, 10)],
    [Fraction(1, 2), Fraction(1, 2), Fraction(0)],
]
CLICK = [
    [Fraction(1, 2), Fraction(1, 4), Fraction(1, 5)],
    [Fraction(3, 10), Fraction(1, 10), Fraction(4, 5)],
]
WRONG = [
    [Fraction(1), Fraction(-2), Fraction(1, 3)],
    [Fraction(0), Fraction(5), Fraction(1, 7)],
]  # a reward model that is wrong everywhere
ROUNDS = [
    (x, a, r, SHARE[x] * LOGGING[x][a] * (CLICK[x][a] if r else 1 - CLICK[x][a]))
    for x in (0, 1)
    for a in (0, 1, 2)
    for r in (0, 1)
]
VALUE = sum(SHARE[x] * TARGET[x][a] * CLICK[x][a] for x in (0, 1) for a in (0, 1, 2))


def expectation(score):
    return sum(p * score(x, a, r) for x, a, r, p in ROUNDS)


def weight(x, a):
    return TARGET[x][a] / LOGGING[x][a]


def model(x):
    return sum(t * q for t, q in zip(TARGET[x], WRONG[x], strict=True))


def population():
    """Return the log in which every possible round stands exactly as often as it is probable."""
    copies = math.lcm(*(p.denominator for *_, p in ROUNDS))
    rounds = [(x, a, r) for x, a, r, p in ROUNDS for _ in range(int(p * copies))]
    x, a, r = np.array(rounds).T
    logging, target, wrong = (np.array(t, float)[x] for t in (LOGGING, TARGET, WRONG))
    pscore = logging[np.arange(len(a)), a]
    return x, Log(a, r, pscore, policy=logging, context=x), target, wrong


def test_the_expectation_of_ips_is_the_value():
    assert sum(p for *_, p in ROUNDS) == 1
    assert expectation(lambda x, a, r: weight(x, a) * r) == VALUE
    _, log, target, _ = population()
    assert ips(log, target).value == close(float(VALUE))


def test_the_expectation_of_dr_is_the_value_though_the_model_is_wrong():
    assert expectation(lambda x, a, r: model(x) + weight(x, a) * (r - WRONG[x][a])) == VALUE
    _, log, target, wrong = population()
    assert dr(log, target, wrong).value == close(float(VALUE))
    assert abs(dm(log, target, wrong).value - float(VALUE)) > 0.3


def test_the_mean_reward_of_the_log_is_not_the_value():
    logged = sum(SHARE[x] * LOGGING[x][a] * CLICK[x][a] for x in (0, 1) for a in (0, 1, 2))
    assert abs(logged - VALUE) > Fraction(1, 100)


def test_each_round_scores_what_the_formula_says():
    x, log, target, wrong = population()
    rounds = list(zip(x, log.action, log.reward.astype(int), strict=True))
    for estimate, score in [
        (ips(log, target), lambda x, a, r: weight(x, a) * r),
        (dr(log, target, wrong), lambda x, a, r: model(x) + weight(x, a) * (r - WRONG[x][a])),
        (snips(log, target), lambda x, a, r: VALUE + weight(x, a) * (r - VALUE)),
        (dm(log, target, wrong, q_independent=True), lambda x, a, r: model(x)),
    ]:
        expected = [float(score(x, a, r)) for x, a, r in rounds]
        np.testing.assert_allclose(estimate.value + estimate.influence, expected, atol=1e-12)


def test_the_error_is_the_exact_standard_deviation_of_one_round_over_root_n():
    _, log, target, _ = population()
    variance = expectation(lambda x, a, r: (weight(x, a) * r - VALUE) ** 2)
    assert ips(log, target).se ** 2 * log.n == close(float(variance))
    hajek = expectation(lambda x, a, r: weight(x, a) ** 2 * (r - VALUE) ** 2)
    assert snips(log, target).se ** 2 * log.n == close(float(hajek))


# A log of two thousand random rounds


def draw(n=2000, k=5, seed=0, noise=0.3):
    """Return a log with varying policies, the target, and a model that is off."""
    rng = np.random.default_rng(seed)
    policy, pi = rng.dirichlet(np.full(k, 3.0), n), rng.dirichlet(np.full(k, 3.0), n)
    action = (rng.random((n, 1)) > policy.cumsum(axis=1)[:, :-1]).sum(axis=1)
    q = rng.random((n, k))
    reward = q[np.arange(n), action] + noise * rng.normal(size=n)
    pscore = policy[np.arange(n), action]
    return Log(action, reward, pscore, policy=policy), pi, 0.5 * q + 0.1


def by_hand(log, pi, q):
    """Return value and error of each method from plain loops."""
    n, k = pi.shape
    a, r = log.action.tolist(), log.reward.tolist()
    w = [pi[i, a[i]] / log.pscore[i] for i in range(n)]
    direct = [math.fsum(pi[i, j] * q[i, j] for j in range(k)) for i in range(n)]
    scores = {
        "IPS": [w[i] * r[i] for i in range(n)],
        "DM": direct,
        "DR": [direct[i] + w[i] * (r[i] - q[i, a[i]]) for i in range(n)],
    }
    result = {}
    for name, s in scores.items():
        mean = math.fsum(s) / n
        result[name] = mean, math.sqrt(math.fsum((v - mean) ** 2 for v in s)) / n
    total = math.fsum(w)
    value = math.fsum(scores["IPS"]) / total
    squares = math.fsum((w[i] * (r[i] - value)) ** 2 for i in range(n))
    result["SNIPS"] = value, math.sqrt(squares) / total
    return result


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_values_and_errors_are_those_of_plain_loops(seed):
    log, pi, q = draw(seed=seed)
    estimates = [ips(log, pi), snips(log, pi), dm(log, pi, q, q_independent=True), dr(log, pi, q)]
    expected = by_hand(log, pi, q)
    for estimate in estimates:
        assert (estimate.value, estimate.se) == close(expected[estimate.method], 1e-12)
        assert estimate.estimand == "value of the target policy"


def test_dr_without_a_model_is_ips():
    log, pi, q = draw()
    assert dr(log, pi, 0 * q).value == ips(log, pi).value
    assert dr(log, pi, 0 * q).se == ips(log, pi).se


def test_dr_is_dm_plus_ips_of_the_residual():
    log, pi, q = draw()
    residual = Log(log.action, log.reward - q[np.arange(log.n), log.action], log.pscore)
    parts = by_hand(residual, pi, q)["IPS"][0] + dm(log, pi, q).value
    assert dr(log, pi, q).value == close(parts)
    assert dr(log, pi, q).value == close(ips(residual, pi).value + dm(log, pi, q).value)


def test_dr_is_dm_where_the_model_is_right():
    log, pi, q = draw(noise=0.0)
    truth = (q - 0.1) / 0.5
    assert dr(log, pi, truth).value == close(dm(log, pi, truth).value)


def test_snips_is_a_ratio_of_ips():
    log, pi, _ = draw()
    ones = Log(log.action, np.ones(log.n), log.pscore)
    assert snips(log, pi).value == close(ips(log, pi).value / ips(ones, pi).value)


@pytest.mark.parametrize("shift", [-3.0, 0.5, 100.0])
def test_snips_moves_with_a_shift_of_the_reward_and_its_error_does_not(shift):
    log, pi, _ = draw()
    shifted = Log(log.action, log.reward + shift, log.pscore)
    assert snips(shifted, pi).value == close(snips(log, pi).value + shift)
    assert snips(shifted, pi).se == close(snips(log, pi).se, 1e-9)
    assert abs(ips(shifted, pi).value - ips(log, pi).value - shift) > 1e-4
    assert abs(ips(shifted, pi).se / ips(log, pi).se - 1) > 0.01


def test_dr_moves_with_a_shift_of_reward_and_model():
    log, pi, q = draw()
    shifted = Log(log.action, log.reward + 7, log.pscore)
    assert dr(shifted, pi, q + 7).value == close(dr(log, pi, q).value + 7)
    assert dr(shifted, pi, q + 7).se == close(dr(log, pi, q).se)


def test_the_logging_policy_itself_has_the_mean_reward():
    log, _, _ = draw()
    table = evaluate(log, log.policy)
    se = log.reward.std() / math.sqrt(log.n)
    for method in ("IPS", "SNIPS"):
        assert table.loc[method, "value"] == close(log.reward.mean())
        assert table.loc[method, "se"] == close(se)
    assert table["ess"].tolist() == close([log.n, log.n])
    assert table["max_weight"].tolist() == close([1, 1])


def test_methods_that_agree_can_be_contrasted():
    log, _, _ = draw()
    difference = snips(log, log.policy) - ips(log, log.policy)
    assert (difference.value, difference.se) == close((0, 0))


def test_a_contrast_of_two_methods_has_the_error_of_their_paired_scores():
    log, pi, q = draw()
    w = pi[np.arange(log.n), log.action] / log.pscore
    paired = np.einsum("ia,ia->i", pi, q) - w * q[np.arange(log.n), log.action]
    difference = dr(log, pi, q) - ips(log, pi)
    assert difference.value == close(paired.mean())
    assert difference.se == close(paired.std() / math.sqrt(log.n))


def test_with_two_actions_the_difference_of_two_dr_values_is_aipw():
    rng = np.random.default_rng(3)
    n = 1500
    x = rng.normal(size=n)
    e = 1 / (1 + np.exp(-0.8 * x))
    a = (rng.random(n) < e).astype(int)
    y = 1 + x + a * (0.5 + x) + rng.normal(size=n)
    mu0, mu1 = 0.9 + 1.1 * x, 1.2 + 1.8 * x
    log = Log(a, y, np.where(a == 1, e, 1 - e), policy=np.column_stack([1 - e, e]))
    q, always, never = np.column_stack([mu0, mu1]), np.tile([0, 1], (n, 1)), np.tile([1, 0], (n, 1))
    effect = dr(log, always, q) - dr(log, never, q)
    score = mu1 - mu0 + a * (y - mu1) / e - (1 - a) * (y - mu0) / (1 - e)
    assert effect.value == close(score.mean())
    assert effect.se == close(score.std() / math.sqrt(n))
    weighting = ips(log, always) - ips(log, never)
    assert weighting.value == close(np.mean(a * y / e - (1 - a) * y / (1 - e)))
    hajek = snips(log, always) - snips(log, never)
    treated, control = a / e, (1 - a) / (1 - e)
    assert hajek.value == close(treated @ y / treated.sum() - control @ y / control.sum())


@pytest.mark.parametrize("estimate", [ips, snips, lambda *a: dr(*a, np.zeros((len(a[1]), 5)))])
def test_rounds_written_three_times_leave_value_and_error_once_they_are_clustered(estimate):
    log, pi, _ = draw(n=400)
    i = np.tile(np.arange(400), 3)
    copies = Log(log.action[i], log.reward[i], log.pscore[i], cluster=i)
    once, thrice = estimate(log, pi), estimate(copies, pi[i])
    assert (thrice.value, thrice.se) == close((once.value, once.se))
    naive = estimate(Log(log.action[i], log.reward[i], log.pscore[i]), pi[i])
    assert naive.se == close(once.se / math.sqrt(3))


# Capped weights


def test_a_cap_replaces_the_large_weights_and_says_how_many():
    log, pi, _ = draw()
    w = pi[np.arange(log.n), log.action] / log.pscore
    cap = 1.5
    capped = ips(log, pi, max_weight=cap)
    scores = np.minimum(w, cap) * log.reward
    assert capped.value == close(scores.mean())
    assert capped.se == close(scores.std() / math.sqrt(log.n))
    count, percent = (w > cap).sum(), 100 * (w - np.minimum(w, cap)).sum() / w.sum()
    assert count > 100
    assert capped.notes[0].startswith(f"{count:,} of 2,000 weights capped at 1.5: {percent:.1f}%")
    assert not any("capped" in note for note in ips(log, pi).notes)


def test_an_infinite_cap_caps_nothing():
    log, pi, _ = draw()
    assert ips(log, pi, max_weight=np.inf).value == ips(log, pi).value
    assert ips(log, pi, max_weight=np.inf).se == ips(log, pi).se


def test_a_weight_at_the_cap_is_not_counted_as_capped():
    log, pi = clicks(50)
    assert ips(log, pi, max_weight=1).notes[0].startswith("0 of 1,000 weights capped at 1: 0.0%")


def test_a_lower_cap_gives_a_lower_value_of_a_positive_reward():
    log, pi, _ = draw()
    log = Log(log.action, np.abs(log.reward), log.pscore)
    values = [ips(log, pi, max_weight=cap).value for cap in (0.5, 1, 2, 4, np.inf)]
    assert values == sorted(values)
    assert values[0] < values[-1]


# The direct method


def test_the_direct_method_has_no_error_unless_the_model_comes_from_other_data():
    log, pi, q = draw()
    own = dm(log, pi, q)
    assert math.isnan(own.se)
    assert "q was fitted on these rows" in own.notes[0]
    assert "q_independent=True" in own.notes[0]
    other = dm(log, pi, q, q_independent=True)
    assert other.value == own.value
    assert other.se == close(np.einsum("ia,ia->i", pi, q).std() / math.sqrt(log.n))
    assert not any("no standard error" in note for note in other.notes)


# The table


def test_the_table_holds_what_the_single_calls_return():
    log, pi, q = draw()
    table = evaluate(log, pi, q)
    assert table.index.tolist() == ["IPS", "SNIPS", "DM", "DR"]
    columns = ["estimand", "value", "se", "low", "high", "n", "ess", "max_weight"]
    assert table.columns.tolist() == columns
    for e in (ips(log, pi), snips(log, pi), dm(log, pi, q), dr(log, pi, q)):
        row = table.loc[e.method]
        found = [row["value"], row["se"], row["low"], row["high"], row["n"]]
        np.testing.assert_allclose(found, [e.value, e.se, *e.conf_int(), e.n], rtol=1e-12)
    w = pi[np.arange(log.n), log.action] / log.pscore
    assert table.loc["IPS", "max_weight"] == close(w.max())
    assert table.loc["SNIPS", "ess"] == close(w.sum() ** 2 / (w**2).sum())
    assert table["n"].tolist() == [2000] * 4


def test_without_a_model_the_table_has_two_rows():
    log, pi, _ = draw()
    assert evaluate(log, pi).index.tolist() == ["IPS", "SNIPS"]


def test_each_estimate_carries_its_effective_sample_size_and_largest_weight():
    log, pi, q = draw()
    w = pi[np.arange(log.n), log.action] / log.pscore
    ess, top = w.sum() ** 2 / (w**2).sum(), w.max()
    for e in (ips(log, pi), snips(log, pi), dr(log, pi, q)):
        assert f"effective sample size {ess:,.0f} of 2,000; largest weight {top:.3g}" in e.notes[0]


# The effective sample size

weights = st.lists(st.integers(0, 1000), min_size=1, max_size=50).filter(any)


@given(weights, st.integers(1, 1000))
def test_the_effective_sample_size_lies_between_one_and_n_and_has_no_unit(w, scale):
    ess = effective_sample_size(w)
    assert 1 - 1e-12 <= ess <= len(w) * (1 + 1e-12)
    assert ess == close(sum(w) ** 2 / sum(v**2 for v in w))
    assert effective_sample_size([scale * v for v in w]) == close(ess)
    assert effective_sample_size([*w, 0]) == close(ess)


def test_the_effective_sample_size_has_no_unit_however_small_the_weights():
    assert effective_sample_size([1e-200, 1e-200, 0]) == close(2)


def test_equal_weights_count_fully_and_a_single_one_counts_once():
    assert effective_sample_size([3.0] * 7) == 7
    assert effective_sample_size([0, 0, 5.0]) == 1


@pytest.mark.parametrize(
    ("w", "message"),
    [
        ([0, -2, -3], r"w is negative in 2 of 3 rows \(first: 1, 2\)"),
        ([0, 0], "w is 0 in every row"),
        ([1, np.nan], r"w is NaN or infinite in 1 of 2 rows \(first: 1\)"),
    ],
)
def test_weights_that_weigh_nothing_are_refused(w, message):
    with pytest.raises(ValueError, match=message):
        effective_sample_size(w)


# Warnings


def clicks(count, n=1000):
    """Return a log of equal weights with so many clicks: as many effective rewarded rounds."""
    reward = np.zeros(n)
    reward[:count] = 1
    return Log(np.arange(n) % 2, reward, np.full(n, 0.5)), np.full((n, 2), 0.5)


@pytest.mark.parametrize(
    "estimate",
    [
        ips,
        snips,
        evaluate,
        lambda *a: dr(*a, np.zeros_like(a[1])),
        lambda *a: ips(*a, max_weight=2),
    ],
)
def test_few_rewarded_rounds_warn_once_where_the_estimator_was_called(estimate):
    with pytest.warns(UserWarning, match=r"rests on 5\.0 effective rewarded rounds") as seen:
        estimate(*clicks(5))
    assert len(seen) == 1
    assert seen[0].filename == __file__


def test_the_warning_begins_below_the_number_that_it_names():
    with pytest.warns(UserWarning, match="effective rewarded rounds") as seen:
        ips(*clicks(5))
    enough = int(re.search(r"below (\d+) of either", str(seen[0].message))[1])
    assert ips(*clicks(enough)).value == enough / 1000  # silent: a warning is an error here
    with pytest.warns(UserWarning, match=f"rests on {enough - 1}.0 effective"):
        ips(*clicks(enough - 1))


def test_few_effective_rounds_warn_though_many_equal_ones_are_rewarded():
    # 500 light rounds are rewarded; the five heavy ones are not, and nothing else speaks of them
    action = np.repeat([0, 1], [995, 5])
    log = Log(action, (np.arange(1000) < 500) * 1.0, np.where(action == 1, 0.005, 0.995))
    with pytest.warns(UserWarning, match=r"500\.0 effective rewarded rounds .* size 20 of 1,000"):
        ips(log, np.full((1000, 2), 0.5))


def test_a_log_without_any_reward_warns():
    with pytest.warns(UserWarning, match=r"rests on 0\.0 effective rewarded rounds"):
        assert ips(*clicks(0)).value == 0


def test_a_few_heavy_rounds_warn_though_many_are_rewarded():
    n = 1000
    action = np.zeros(n, int)
    action[:4] = 1
    pscore = np.where(action == 1, 0.001, 0.999)
    log, pi = Log(action, np.ones(n), pscore), np.full((n, 2), 0.5)
    w = 0.5 / pscore
    with pytest.warns(UserWarning, match=f"rests on {w.sum() ** 2 / (w @ w):.1f} effective"):
        snips(log, pi)


def test_the_direct_method_does_not_weigh_and_does_not_warn():
    log, pi = clicks(5)
    assert dm(log, pi, np.ones_like(pi)).value == 1


# Random logs


@st.composite
def logs(draw):
    n = draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    action = np.r_[0, 1, rng.integers(0, 3, n - 2)]
    pi = rng.dirichlet(np.ones(3), n)
    pi[:, 2] *= (action == 2).any()  # want only what was logged
    pi /= pi.sum(axis=1, keepdims=True)
    return action, rng.uniform(0.05, 1, n), pi, rng


@quiet
@given(logs(), st.integers(-10, 10), st.integers(-10, 10))
def test_ips_is_linear_in_the_reward(world, b, c):
    action, pscore, pi, rng = world
    r, s = rng.normal(size=(2, len(action)))
    one, two = ips(Log(action, r, pscore), pi).value, ips(Log(action, s, pscore), pi).value
    both = ips(Log(action, b * r + c * s, pscore), pi).value
    assert both == pytest.approx(b * one + c * two, rel=1e-9, abs=1e-9)


@quiet
@given(logs())
def test_snips_lies_between_the_smallest_and_the_largest_reward(world):
    action, pscore, pi, rng = world
    r = rng.normal(size=len(action))
    assert r.min() - 1e-9 <= snips(Log(action, r, pscore), pi).value <= r.max() + 1e-9


@quiet
@given(logs(), st.floats(0.1, 10))
def test_snips_does_not_change_when_all_propensities_shrink(world, c):
    action, pscore, pi, rng = world
    r = rng.normal(size=len(action))
    one = snips(Log(action, r, pscore), pi)
    other = snips(Log(action, r, pscore / max(c, 1)), pi)
    assert (other.value, other.se) == pytest.approx((one.value, one.se), rel=1e-9, abs=1e-12)


@quiet
@given(logs())
def test_the_numbers_of_the_actions_are_only_names(world):
    action, pscore, pi, rng = world
    r, q, names = rng.normal(size=len(action)), rng.normal(size=pi.shape), rng.permutation(3)
    renamed = Log(names[action], r, pscore)
    back = np.argsort(names)
    one, other = dr(Log(action, r, pscore), pi, q), dr(renamed, pi[:, back], q[:, back])
    assert (other.value, other.se) == pytest.approx((one.value, one.se), rel=1e-9, abs=1e-12)


@quiet
def test_equal_rewards_have_the_value_of_that_reward_and_no_warning_of_rounding():
    log, pi, _ = draw()
    same = Log(log.action, np.full(log.n, 0.1), log.pscore)
    assert snips(same, pi).value == close(0.1)
    assert snips(same, pi).se < 1e-15


# Speed


@pytest.fixture
def benchmark(monkeypatch):
    path = Path(__file__).parents[2] / "benchmarks" / "off_policy.py"
    monkeypatch.syspath_prepend(path.parent)  # it takes its clock from a file beside it
    spec = importlib.util.spec_from_file_location("off_policy", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_benchmark_compares_the_same_numbers(benchmark):
    side = benchmark
    arguments = side.world(20_000)
    ours, theirs = side.package(*arguments), side.plain(*arguments)
    assert list(ours) == list(theirs) == ["IPS", "SNIPS", "DM", "DR"]
    for method in ours:
        assert ours[method] == pytest.approx(theirs[method], rel=1e-10, nan_ok=True)


def test_evaluate_takes_at_most_twice_the_time_of_plain_numpy():
    script = Path(__file__).parents[2] / "benchmarks" / "off_policy.py"
    run = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    ratio = float(re.search(r"ratio ([\d.]+)", run.stdout)[1])
    assert ratio <= 2, run.stdout
