"""Fair places: against all allocations of a few, and what each rule promises of many."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook.case_study import equal_opportunity, equal_rates
from causalbook.estimators import within_budget

TAU = np.array([0.9, 0.8, 0.7, 0.6, 0.25, 0.2, 0.1, 0.05])
GROUP = np.array(list("aaaabbbb"))


def by_hand(treat, worth):
    """The share of each group's worth that is served."""
    return [worth[treat & (g == GROUP)].sum() / worth[g == GROUP].sum() for g in "ab"]


@pytest.mark.parametrize("budget", [2, 4, 6])
def test_of_all_allocations_with_equal_rates_it_gains_most(budget):
    best = max(
        (
            set(chosen)
            for chosen in combinations(range(8), budget)
            if sum(GROUP[list(chosen)] == "a") == budget / 2
        ),
        key=lambda chosen: TAU[list(chosen)].sum(),
    )
    assert set(np.flatnonzero(equal_rates(TAU, GROUP, budget))) == best


def test_by_effect_one_group_gets_all_and_by_equal_rules_both_get_some():
    assert by_hand(within_budget(TAU, 1, 4), np.ones(8)) == [1, 0]
    assert by_hand(equal_rates(TAU, GROUP, 4), np.ones(8)) == [0.5, 0.5]
    # .9 and .8 are 17/30 of what group a would gain, .25 and .2 are 3/4 of what group b would.
    served = by_hand(equal_opportunity(TAU, GROUP, 4), TAU)
    assert served == pytest.approx([17 / 30, 3 / 4])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.floats(0, 1))
def test_shares_are_equal_up_to_one_place_and_no_fair_rule_gains_more_than_the_unfair(
    seed, groups, part
):
    rng = np.random.default_rng(seed)
    n = 60
    tau, g = rng.random(n) + 0.01, rng.integers(0, groups, n)
    budget = int(part * n)
    most = tau[within_budget(tau, 1, budget)].sum()
    for rule, worth in ((equal_rates, np.ones(n)), (equal_opportunity, tau)):
        treat = rule(tau, g, budget)
        assert treat.sum() == budget
        assert tau[treat].sum() <= most + 1e-12
        shares, one = [], []
        for k in np.unique(g):
            own = g == k
            shares.append(worth[own & treat].sum() / worth[own].sum())
            one.append(worth[own].max() / worth[own].sum())
            assert (
                not (own & treat).any()
                or not (own & ~treat).any()
                or (tau[own & treat].min() >= tau[own & ~treat].max())
            )
        assert max(shares) - min(shares) <= max(one) + 1e-12


def test_with_one_group_both_rules_are_the_largest_effects():
    tau = np.random.default_rng(1).random(50) + 0.1
    for rule in (equal_rates, equal_opportunity):
        assert np.array_equal(rule(tau, np.zeros(50), 13), within_budget(tau, 1, 13))


def test_equal_rates_also_treat_those_who_would_lose_if_their_group_has_no_others():
    assert equal_rates([-1.0, 2.0], ["a", "b"], 2).all()


def test_of_ties_the_first_comes_first():
    assert np.flatnonzero(equal_rates(np.ones(6), ["a"] * 3 + ["b"] * 3, 2)).tolist() == [0, 3]


@pytest.mark.parametrize("rule", [equal_rates, equal_opportunity])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": 9}, "budget is 9: pass how many places, from 0 to 8"),
        ({"budget": -1}, "budget is -1"),
        ({"budget": 2.5}, "budget is 2.5"),
        ({"group": GROUP[:3]}, "unequal lengths"),
        ({"group": [None] * 8}, "group is missing in 8 of 8"),
        ({"effect": np.where(TAU > 0.1, TAU, np.nan)}, "effect is NaN or infinite in 2 of 8"),
    ],
)
def test_refusals(rule, change, message):
    with pytest.raises(ValueError, match=message):
        rule(**{"effect": TAU, "group": GROUP, "budget": 4} | change)


def test_opportunity_is_about_those_who_would_gain():
    with pytest.raises(ValueError, match=r"effect is not above 0 in 1 of 2 rows \(first: 1\)"):
        equal_opportunity([0.2, 0.0], ["a", "b"], 1)
