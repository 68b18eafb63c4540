"""Logged propensities against what happened: the test's size, its power, and its arithmetic."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalbook import mean_of
from causalbook.potential_outcomes import holm
from causalbook.project import propensity_check


def draw(n, seed, likes=(0.3, 0.5, 0.8, 1.6)):
    """A log whose propensities vary within three contexts, down to 1/100."""
    rng = np.random.default_rng([1952, seed])
    policy = 0.01 + 0.96 * rng.dirichlet(likes, size=n)
    action = (rng.random((n, 1)) >= policy.cumsum(axis=1)[:, :-1]).sum(axis=1)
    context = rng.integers(3, size=n)
    return action, policy[np.arange(n), action], context


def test_means_are_those_of_a_group_by():
    action, pscore, context = draw(3000, 0)
    table = propensity_check(action, pscore, context=context).table
    frame = pd.DataFrame({"x": context, "a": action, "s": 1 / pscore})
    for row in table.itertuples():
        part = frame[frame["x"] == row.context]
        mean = (part["s"] * (part["a"] == row.action)).mean()
        assert row.mean == pytest.approx(mean, rel=1e-10)
        assert row.rows == (part["a"] == row.action).sum()
    assert len(table) == 12


def test_with_one_propensity_an_action_it_is_the_binomial_test():
    counts = np.array([130, 90, 180])
    action = np.repeat([0, 1, 2], counts)
    p = np.array([0.3, 0.25, 0.45])
    table = propensity_check(action, p[action]).table.set_index("action")
    n = counts.sum()
    z = (counts - n * p) / np.sqrt(n * p * (1 - p))
    # Below the mean, three more rows of the action must not explain it.
    late = np.where(z < 0, np.minimum(counts + 3 - n * p, 0), counts - n * p)
    z = late / np.sqrt(n * p * (1 - p))
    expected = holm([math.erfc(abs(v) / math.sqrt(2)) for v in z])
    assert table["p"].to_numpy()[np.argsort(table.index)] == pytest.approx(expected, rel=1e-10)
    assert table.loc[0, "se"] == pytest.approx(math.sqrt((1 / 0.3 - 1) / n), rel=1e-10)


@pytest.mark.parametrize(("n", "found", "tested"), [(190, 40, True), (133, 60, False)])
def test_actions_are_tested_by_the_rows_that_they_were_to_have(n, found, tested):
    """57 and 40 rows were to come; a choice by the rows that came would favour means above 1."""
    action = (np.arange(n) < found).astype(int)
    table = propensity_check(action, np.where(action == 1, 0.3, 0.7)).table
    assert (1 in set(table["action"])) is tested


def test_right_propensities_seldom_fail():
    """300 logs, fixed beforehand: 0.3 alarms are promised, more than 3 have a chance of 3e-4."""
    alarms = sum(
        propensity_check(a, p, context=x).passed is False
        for a, p, x in (draw(1500, seed) for seed in range(1, 301))
    )
    assert alarms <= 3


@pytest.mark.parametrize("spoil", ["permuted", "halved", "doubled", "rows lost", "rows doubled"])
def test_wrong_propensities_fail(spoil):
    action, pscore, context = draw(4000, 7)
    rng = np.random.default_rng(8)
    keep = np.arange(4000)
    if spoil == "permuted":
        pscore = rng.permutation(pscore)
    elif spoil == "rows lost":  # every other one of an action
        keep = np.flatnonzero((action != 3) | (rng.random(4000) < 0.5))
    elif spoil == "rows doubled":
        keep = np.concatenate([keep, np.flatnonzero(action == 1)])
    else:
        pscore = np.minimum(pscore * (0.5 if spoil == "halved" else 2), 1)
    check = propensity_check(action[keep], pscore[keep], context=context[keep])
    assert check.passed is False
    worst = check.table.iloc[0]
    assert f"action {worst['action']} averages {worst['mean']:.3g}" in check.sentence
    assert f"context {worst['context']}" in check.sentence
    if spoil == "halved":
        assert (check.table["mean"] > 1).all()
        off = (check.table["p"] < 0.001).sum()
        assert f"{off} above 1 (propensities too small" in check.sentence
        assert "and 0 below" in check.sentence


def test_propensities_that_are_wrong_and_right_on_average_pass():
    """Of actions that are alike, permuted ones: nothing in the log's own columns tells."""
    action, pscore, _ = draw(4000, 7, likes=(0.5, 0.5, 0.5, 0.5))
    assert propensity_check(action, np.random.default_rng(8).permutation(pscore)).passed


def test_users_who_are_drawn_once_need_their_cluster():
    """Twenty rows a user, all with the user's one draw: by rows chance looks like a fault."""
    rng = np.random.default_rng(5)
    user = np.repeat(np.arange(400), 20)
    action = rng.integers(2, size=400)[user]
    pscore = np.full(8000, 0.5)
    by_user = propensity_check(action, pscore, cluster=user)
    assert by_user.passed
    table = by_user.table.set_index("action")
    s = (action == 0) / pscore
    grouped = mean_of(s, estimand="", method="", cluster=user)
    assert table.loc[0, "se"] == pytest.approx(grouped.se, rel=1e-10)
    by_row = propensity_check(action, pscore).table.set_index("action")
    assert table.loc[0, "se"] > 4 * by_row.loc[0, "se"]


def test_clusters_in_several_contexts_count_the_rows_of_each():
    action, pscore, context = draw(3000, 3)
    user = np.random.default_rng(4).integers(300, size=3000)
    table = propensity_check(action, pscore, context=context, cluster=user).table
    plain = propensity_check(action, pscore, context=context).table
    both = table.merge(plain, on=["context", "action"], suffixes=("", "_row"))
    for row in both.itertuples():
        part = context == row.context
        s = (action[part] == row.action) / pscore[part]
        grouped = mean_of(s, estimand="", method="", cluster=user[part]).se
        assert row.se == pytest.approx(max(grouped, row.se_row), rel=1e-9)


def test_propensities_that_sum_to_more_than_one_are_none():
    action = np.array([0, 1, 2] * 10)  # too few rows for any mean
    check = propensity_check(action, np.array([0.5, 0.4, 0.3])[action])
    assert check.passed is False
    assert "sum to 1.2, which no probabilities do" in check.sentence
    assert propensity_check(action, np.array([0.5, 0.3, 0.2])[action]).passed is None


def test_what_was_certain_cannot_be_tested():
    check = propensity_check(np.arange(400) % 2, np.ones(400), context=np.arange(400) % 2)
    assert check.passed is None
    assert "in no context was an action to have 50 rows" in check.sentence


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_order_and_names_do_not_matter(seed):
    action, pscore, context = draw(800, 1)
    order = np.random.default_rng(seed).permutation(800)
    name = np.array(["w", "x", "y", "z"])[action]
    one = propensity_check(action, pscore, context=context).table
    two = propensity_check(name[order], pscore[order], context=context[order]).table
    assert two["mean"].to_numpy() == pytest.approx(one["mean"].to_numpy(), rel=1e-12)
    assert two["p"].to_numpy() == pytest.approx(one["p"].to_numpy(), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pscore": [0.5, 0.0, 0.5]}, r"pscore is outside \(0, 1\] in 1 of 3 rows \(first: 1\)"),
        ({"pscore": [0.5, 1.5, 0.5]}, r"pscore is outside \(0, 1\] in 1 of 3 rows"),
        ({"pscore": [0.5, np.nan, 0.5]}, "pscore is NaN or infinite in 1 of 3 rows"),
        ({"action": ["x", None, "y"]}, "action is missing in 1 of 3 rows"),
        ({"context": [1.0, np.nan, 1.0]}, "context is missing in 1 of 3 rows"),
        ({"action": [0, 1]}, "unequal lengths: action has 2, pscore has 3"),
    ],
)
def test_refusals(change, message):
    given = {"action": [0, 1, 0], "pscore": [0.5, 0.5, 0.5]} | change
    with pytest.raises(ValueError, match=message):
        propensity_check(**given)
