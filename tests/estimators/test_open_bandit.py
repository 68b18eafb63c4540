"""The real logs: every estimator against plain numpy, and against the policy that really ran."""

import numpy as np
import pytest

from causalbook.datasets import load
from causalbook.estimators import Log, dm, dr, effective_sample_size, evaluate, ips, snips

CAMPAIGNS = ["all", "men", "women"]
quiet = pytest.mark.filterwarnings("ignore:the estimate rests on")


def logs(campaign):
    frame = load("open_bandit")
    frame = frame[frame["campaign"] == campaign]
    return frame[frame["policy"] == "random"], frame[frame["policy"] == "thompson"]


def frequencies(other, rows, items):
    """How often the other policy showed each item at the position of each row."""
    table = np.zeros((4, items))
    np.add.at(table, (other["position"].to_numpy(), other["item_id"].to_numpy()), 1)
    table[1:] /= table[1:].sum(axis=1, keepdims=True)
    return table[rows["position"].to_numpy()]


def click_rates(other, n, items):
    """A reward model from the other log: smoothed click rates of the items."""
    rates = np.full(items, 0.005 * 200)
    shown = np.full(items, 200.0)
    np.add.at(rates, other["item_id"].to_numpy(), other["click"].to_numpy())
    np.add.at(shown, other["item_id"].to_numpy(), 1)
    return np.tile(rates / shown, (n, 1))


def setting(campaign, back):
    rows, other = logs(campaign)[::-1] if back else logs(campaign)
    items = int(max(rows["item_id"].max(), other["item_id"].max())) + 1
    log = Log.from_frame(rows, action="item_id", reward="click", pscore="propensity_score")
    return rows, log, frequencies(other, rows, items), click_rates(other, len(rows), items)


@quiet
@pytest.mark.parametrize("campaign", CAMPAIGNS)
@pytest.mark.parametrize("back", [False, True], ids=["random to thompson", "thompson to random"])
def test_every_estimator_agrees_with_plain_numpy(campaign, back):
    rows, log, pi, q = setting(campaign, back)
    a, r = rows["item_id"].to_numpy(), rows["click"].to_numpy()
    p, n = rows["propensity_score"].to_numpy(), len(rows)
    w = pi[np.arange(n), a] / p
    v = (pi * q).sum(axis=1)
    hajek = np.average(r, weights=w)
    scores = {"IPS": w * r, "DM": v, "DR": v + w * (r - q[np.arange(n), a])}
    expected = {m: (s.mean(), np.std(s) / np.sqrt(n)) for m, s in scores.items()}
    expected["SNIPS"] = hajek, np.linalg.norm(w * (r - hajek)) / w.sum()
    single = [ips(log, pi), snips(log, pi), dm(log, pi, q, q_independent=True), dr(log, pi, q)]
    for e in single:
        assert (e.value, e.se) == pytest.approx(expected[e.method], rel=1e-12, abs=1e-15)
    table = evaluate(log, pi, q)
    for method, (value, se) in expected.items():
        assert table.loc[method, "value"] == pytest.approx(value, rel=1e-12, abs=1e-15)
        if method != "DM":
            assert table.loc[method, "se"] == pytest.approx(se, rel=1e-12, abs=1e-15)
    assert table.loc["IPS", "ess"] == pytest.approx(w.sum() ** 2 / (w**2).sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("campaign", "items", "rows"), [("all", 80, 340), ("men", 34, 656), ("women", 46, 2)]
)
def test_ten_thousand_rounds_of_thompson_are_a_few_hundred_of_the_uniform_policy(
    campaign, items, rows
):
    _, thompson = logs(campaign)
    w = 1 / items / thompson["propensity_score"].to_numpy()
    assert round(effective_sample_size(w)) == rows


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_a_handful_of_effective_clicks_warns(campaign):
    _, log, _, _ = setting(campaign, back=True)
    items = log.action.max() + 1
    w = 1 / items / log.pscore * log.reward
    assert w.sum() ** 2 / (w @ w) < 20
    with pytest.warns(UserWarning, match="effective rewarded rounds"):
        ips(log, np.full((log.n, items), 1 / items))


@quiet
@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_snips_from_the_random_log_finds_what_thompson_really_earned(campaign):
    _, log, pi, _ = setting(campaign, back=False)
    _, thompson = logs(campaign)
    earned = thompson["click"].to_numpy()
    estimate = snips(log, pi)
    joint = np.hypot(estimate.se, earned.std() / np.sqrt(len(earned)))
    assert abs(estimate.value - earned.mean()) < 3 * joint


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_the_random_log_valued_under_its_own_policy_is_its_click_rate(campaign):
    random, _ = logs(campaign)
    log = Log.from_frame(random, action="item_id", reward="click", pscore="propensity_score")
    items = log.action.max() + 1
    with pytest.warns(UserWarning, match=f"on {log.reward.sum():.1f} effective rewarded rounds"):
        estimate = snips(log, np.full((log.n, items), 1 / items))
    assert estimate.value == pytest.approx(random["click"].mean(), rel=1e-12)
    rate = random["click"].mean()
    assert estimate.se == pytest.approx(np.sqrt(rate * (1 - rate) / 10_000), rel=1e-12)
