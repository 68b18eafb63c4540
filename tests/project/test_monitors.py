"""Alarms: exact martingales, false alarms over whole days of looks, and faults that ring them."""

import itertools
from fractions import Fraction
from math import exp, inf, lgamma, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalbook.potential_outcomes import confidence_sequence
from causalbook.project import (
    TablePolicy,
    Traffic,
    arm_of,
    draw_action,
    draw_evidence,
    effect_drift,
    overlap_evidence,
    split_evidence,
    weight_cost,
)

SLOW = np.array([[0.9, 0.05, 0.05], [0.2, 0.2, 0.6]])


def predictive(sequence, shares):
    """The same evidence by another road: product of Polya urn chances over designed ones."""
    urn = [100 * s for s in shares]
    wealth = Fraction(1)
    for k in sequence:
        wealth *= urn[k] / sum(urn) / shares[k]
        urn[k] += 1
    return wealth


@pytest.mark.parametrize(
    "shares", [[Fraction(1, 2), Fraction(1, 2)], [Fraction(1, 5), Fraction(1, 2), Fraction(3, 10)]]
)
def test_the_evidence_is_a_fair_game_exactly(shares):
    expected = Fraction(0)
    for sequence in itertools.product(range(len(shares)), repeat=5):
        chance = Fraction(1)
        for k in sequence:
            chance *= shares[k]
        wealth = predictive(sequence, shares)
        counts = [sequence.count(k) for k in range(len(shares))]
        assert split_evidence(counts, [float(s) for s in shares]) == pytest.approx(
            log(wealth), abs=1e-10
        )
        expected += chance * wealth
    assert expected == 1


def test_against_the_formula_with_the_gamma_function():
    counts, shares = [40, 900, 60], [0.1, 0.8, 0.1]
    beta = [lambda x: sum(map(lgamma, x)) - lgamma(sum(x))][0]
    alpha = [100 * s for s in shares]
    after = [a + n for a, n in zip(alpha, counts, strict=True)]
    likely = sum(n * log(s) for n, s in zip(counts, shares, strict=True))
    assert split_evidence(counts, shares) == pytest.approx(beta(after) - beta(alpha) - likely)


def test_what_could_not_happen_is_infinite_evidence():
    assert split_evidence([5, 5, 0], [0.5, 0.5, 0.0]) < 1
    assert split_evidence([5, 5, 1], [0.5, 0.5, 0.0]) == inf
    assert draw_evidence([[5, 0], [0, 1]], [[1.0, 0.0], [1.0, 0.0]]) == inf


def test_evidence_over_contexts_is_the_mean_of_theirs():
    counts, shares = [[90, 5, 5], [10, 30, 60]], SLOW
    each = [exp(split_evidence(*pair)) for pair in zip(counts, shares, strict=True)]
    assert draw_evidence(counts, shares) == pytest.approx(log(sum(each) / 2), abs=1e-10)


@given(st.lists(st.integers(0, 400), min_size=2, max_size=4))
def test_a_look_before_anybody_came_tells_nothing(counts):
    shares = np.full(len(counts), 1 / len(counts))
    assert split_evidence(np.zeros(len(counts)), shares) == pytest.approx(0, abs=1e-12)
    far = split_evidence(np.array(counts) + np.eye(len(counts))[0] * 100_000, shares)
    assert far > 1_000


def test_cost_of_weights_is_their_mean_square_by_enumeration():
    target = np.array([[0.0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    by_hand = [
        sum(p0 * (p / p0) ** 2 for p0, p in zip(*rows, strict=True))
        for rows in zip(SLOW, target, strict=True)
    ]
    np.testing.assert_allclose(weight_cost(SLOW, target), by_hand, rtol=1e-12)
    none = weight_cost([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_array_equal(none, [1.0, inf])


def test_overlap_bets_are_fair_at_the_planned_share_exactly():
    """Contexts of cost 1 and 9, half each: mean 5, planned 1/5."""
    cost, mean = np.array([1.0, 9.0]), 0.0
    for sequence in itertools.product((0, 1), repeat=6):
        counts = [sequence.count(0), sequence.count(1)]
        mean += exp(overlap_evidence(counts, cost, 0.2)) / 2**6
    assert mean == pytest.approx(1, abs=1e-12)
    assert overlap_evidence([0, 0], cost, 0.2) == pytest.approx(0, abs=1e-12)
    assert overlap_evidence([100, 0], cost, 0.2) < 0  # better than planned
    assert overlap_evidence([0, 100], cost, 0.2) > 10
    assert overlap_evidence([5, 0], [1.0, inf], 0.2) < 1
    assert overlap_evidence([5, 1], [1.0, inf], 0.2) == inf


def line(policy, context, action, user, day="2026-11-30", **more):
    told = {"at": f"{day}T01:00:00+00:00", "user": user, "context": context, "action": action}
    return told | {"policy": policy.version, "experiment": "e"} | more


POLICIES = [
    TablePolicy({"new": [0.5, 0.3, 0.2], "old": [0.1, 0.1, 0.8]}),
    TablePolicy({"new": [0.2, 0.3, 0.5], "old": [0.6, 0.2, 0.2]}),
]


def day_of_traffic(rng, n, *, share=0.5, chances=None, shown=None):
    """Lines of one day; by default sound. `shown(action)` replaces what was drawn."""
    user, old = rng.integers(0, 5_000, n), rng.random(n) < 0.5
    who = rng.random(5_000) < share
    u = rng.random(n)
    for i in range(n):
        arm, context = int(who[user[i]]), "old" if old[i] else "new"
        p = POLICIES[arm].probabilities[context]
        action = int((u[i] >= np.cumsum(p)[:-1]).sum())
        action = shown(action) if shown else action
        yield line(POLICIES[arm], context, action, int(user[i]), arm=arm)


UNIFORM = np.full((2, 3), 1 / 3)
BORDER = 1 / np.mean([weight_cost(policy.table, UNIFORM) for policy in POLICIES])  # just as planned


def rang(traffic):
    return {check.name for check in traffic.checks() if not check}


def test_sound_traffic_is_quiet_at_every_look_and_false_alarms_are_rare():
    """A hundred days at a level of .95, looked at every 100 requests: at most one day in 20."""
    rng, alarms = np.random.default_rng(8), {"draws": 0, "split": 0, "overlap": 0}
    days = 100
    for _ in range(days):
        traffic = Traffic(POLICIES, experiment="e", planned=BORDER, level=0.95)
        said = set()
        for i, told in enumerate(day_of_traffic(rng, 600), start=1):
            traffic.see(told)
            if i % 100 == 0:
                said |= rang(traffic)
        for name in said:
            alarms[name] += 1
    for name, count in alarms.items():  # expected at most 5; more than 13 has a chance below .001
        assert count <= 13, name


def test_each_fault_rings_its_own_alarm():
    rng = np.random.default_rng(9)
    faults = {
        "split": {"share": 0.57},
        "draws": {"shown": lambda action: 0 if action == 2 else action},  # sold out
    }
    for name, fault in faults.items():
        traffic = Traffic(POLICIES, experiment="e", planned=0.4)
        for told in day_of_traffic(rng, 6_000, **fault):
            traffic.see(told)
        assert rang(traffic) == {name}
    narrow = [TablePolicy({"new": [0.98, 0.01, 0.01], "old": [0.01, 0.01, 0.98]})]
    traffic = Traffic(narrow, planned=0.2)
    for i in range(300):
        x = ("new", "old")[i % 2]
        action = draw_action(b"k", str(i), narrow[0].probabilities[x])
        traffic.see(line(narrow[0], x, action, i))
    assert rang(traffic) == {"overlap"}
    assert traffic.effective() == pytest.approx(1 / weight_cost(narrow[0].table, UNIFORM)[0])


def test_a_user_counts_once_a_day_and_a_new_day_starts_afresh():
    traffic = Traffic(POLICIES, experiment="e")
    for _ in range(1_000):
        traffic.see(line(POLICIES[0], "new", 0, user=3, arm=0))
    assert traffic.arms == [1, 0]
    assert traffic.counts.sum() == 1_000
    traffic.see(line(POLICIES[0], "new", 0, user=3, arm=0, day="2026-12-01"))
    assert traffic.arms == [1, 0]
    assert traffic.counts.sum() == 1
    # another experiment, another version: not ours to judge
    traffic.see(line(POLICIES[0], "new", 0, user=4, arm=1, day="2026-12-01", experiment="f"))
    traffic.see(line(POLICIES[0].explore(0.5), "new", 0, user=3, arm=0, day="2026-12-01"))
    assert traffic.arms == [1, 0]
    assert traffic.counts.sum() == 2


def test_the_hash_that_splits_users_passes_its_own_monitor():
    arms = np.bincount([arm_of("slot", user, 0.3) for user in range(50_000)])
    assert split_evidence(arms, [0.7, 0.3]) < log(1000)


def test_effect_drift_rings_after_the_effect_has_moved_and_not_before():
    rng, n = np.random.default_rng(4), 8_000
    a = rng.integers(0, 2, n)
    y = rng.normal(size=n) + 0.3 * a
    sound = effect_drift(y, a, expected=0.3)
    assert sound
    assert sound.table["low"][0] < 0.3 < sound.table["high"][0]
    last = confidence_sequence(y, a, level=0.999).iloc[-1]
    assert sound.table[["low", "high"]].iloc[0].tolist() == [last["low"], last["high"]]
    gone = effect_drift(y - 0.3 * a, a, expected=0.3)
    assert not gone
    assert 500 <= gone.table["first"][0] < n
    assert "is the first that rules 0.3 out" in gone.sentence
    # everything before that row was quiet
    first = gone.table["first"][0]
    assert effect_drift((y - 0.3 * a)[: first - 1], a[: first - 1], expected=0.3)


def test_refusals():
    with pytest.raises(ValueError, match=r"counts are no whole numbers in 1 of 2 rows"):
        split_evidence([1.5, 2], [0.5, 0.5])
    with pytest.raises(ValueError, match="counts are no whole numbers"):
        split_evidence([-1, 2], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"shares sum to 0.9"):
        split_evidence([1, 2], [0.5, 0.4])
    with pytest.raises(ValueError, match=r"the least is -0\.5"):
        split_evidence([1, 2], [1.5, -0.5])
    with pytest.raises(ValueError, match="unequal lengths"):
        split_evidence([1, 2, 3], [0.5, 0.5])
    with pytest.raises(ValueError, match="unequal lengths"):
        draw_evidence([[1, 2]], SLOW)
    with pytest.raises(ValueError, match="unequal lengths"):
        weight_cost([[1.0]], SLOW)
    for planned in (0, 1.1):
        with pytest.raises(ValueError, match=f"planned is {planned}"):
            overlap_evidence([1], [1.0], planned)
    with pytest.raises(ValueError, match="unequal lengths"):
        overlap_evidence([1], [1.0, 2.0], 0.5)
    with pytest.raises(ValueError, match=r"y has 3 rows: wait for 500"):
        effect_drift([1, 2, 3], [0, 1, 0], expected=0)
    with pytest.raises(ValueError, match="policies know unlike contexts or actions"):
        Traffic([POLICIES[0], TablePolicy({"new": [1.0]})])
    with pytest.raises(ValueError, match="policies know unlike"):
        Traffic([])
    for name, wrong in (("share", 1), ("level", 0.0), ("planned", 1.5)):
        with pytest.raises(ValueError, match=f"'{name}': {wrong}.* are no shares"):
            Traffic(POLICIES, **{name: wrong})
