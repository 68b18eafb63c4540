"""Simulated launches: exact truths, honest logs, and judges that keep to their formulas."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from causalbook.case_study import funnel_shop
from causalbook.potential_outcomes import World, sample_size
from causalbook.project import (
    judge_launch,
    right_choices,
    shop_context,
    simulate_launch,
    simulate_launches,
)

JUDGES = ["AUC", "hit rate", "NDCG", "own promise", "views replayed", "profit replayed"]
JUDGES += ["DM", "IPS", "SNIPS", "DR", "A/B test"]


@pytest.fixture(scope="module")
def world():
    return funnel_shop(3_000, confounding=2.0, seed=8)


@pytest.fixture(scope="module")
def launches(world):
    return [simulate_launch(world, visits=2_000, seed=seed) for seed in range(40)]


@pytest.fixture(scope="module")
def fifty():
    return simulate_launches(50, seed=8)


def test_the_truth_is_the_mean_over_all_people(world, launches):
    hidden = world.potential
    for launched in launches[:8]:
        for candidate, truth in zip(launched.candidates, launched.truth, strict=True):
            pi = candidate.policy.of(shop_context(world.data))
            profit = sum(
                pi[:, k] * (0.3 * hidden[f"value_{k}"] - launched.cost * (k > 0)) for k in range(6)
            )
            by_urgency = profit.groupby(hidden["urgency"]).mean()
            assert truth == pytest.approx((by_urgency * launched.mix).sum(), rel=1e-12)


def test_candidates_show_different_things_and_tests_are_as_large_as_planned(launches):
    for launched in launches:
        one, other = launched.candidates
        assert one.policy.version != other.policy.version
        planned = sample_size(0.05, launched.log["profit"].std())
        assert len(launched.test) == 2 * planned
    kinds = {c.kind for launched in launches for c in launched.candidates}
    assert kinds == {"popular", "likely", "likely, each cell", "gain", "gain, each cell"}


def test_candidates_are_what_their_kind_says(launches):
    for launched in launches:
        for c in launched.candidates:
            pick = c.policy.table.argmax(axis=1)
            best = 1 + c.score[:, 1:].argmax(axis=1)
            assert (np.sort(c.policy.table, axis=1)[:, -1] == 1).all()
            if c.kind == "popular":
                assert len(np.unique(pick)) == 1
                assert (pick == best).all()
            elif "gain" in c.kind:
                # It shows what its own model says earns most, and nothing where nothing gains.
                assert (pick == c.promise.argmax(axis=1)).all()
                np.testing.assert_allclose(c.score, c.promise - c.promise[:, :1], atol=1e-15)
            else:
                # The best genre or nothing; whoever is shown something is likelier to buy.
                assert np.isin(pick - best, [0, *-best]).all()
                likely = c.score[np.arange(len(pick)), best]
                if (pick == 0).any():
                    assert likely[pick > 0].min() >= likely[pick == 0].max()


def test_the_log_tells_its_propensities_and_the_test_its_arms(launches):
    """IPS is right on average, and the A/B test errs as much as its standard error says."""
    offline, online = [], []
    for launched in launches:
        log, arms = launched.log, launched.test.groupby("arm")["profit"]
        one = launched.candidates[0].policy.of(log["context"])
        w = one[np.arange(len(log)), log["action"]] / log["pscore"]
        offline.append((w * log["profit"]).mean() - launched.truth[0])
        gap = arms.mean()[1] - arms.mean()[0] - np.diff(launched.truth)[0]
        online.append(gap / np.sqrt((arms.var() / arms.size()).sum()))
    assert abs(np.mean(offline)) < 4 * np.std(offline) / np.sqrt(len(offline))
    low, high = scipy.stats.chi2.ppf([0.0005, 0.9995], len(online))
    assert low < np.square(online).sum() < high
    assert abs(np.mean(online)) < 3.3 / np.sqrt(len(online))


def test_a_tenth_of_the_log_is_chance(launches):
    for launched in launches[:8]:
        log = launched.log
        assert log["pscore"].min() >= 0.1 / 6
        inverse = [((log["action"] == k) / log["pscore"]) for k in range(6)]
        for w in inverse:  # the mean of 1/pscore where k is shown is one
            assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w))


def test_judges_keep_to_their_formulas(launches):
    """Each number again, by pandas, SciPy and scikit-learn."""
    compared = 0
    for launched in launches[:4]:
        told, log = judge_launch(launched), launched.log
        assert list(told.index) == JUDGES
        assert told["true_gap"].to_numpy() == pytest.approx(np.diff(launched.truth)[0], abs=1e-15)
        for name, c in zip(("first", "second"), launched.candidates, strict=True):
            row = [c.policy.contexts.index(x) for x in log["context"]]
            pi, score = c.policy.table[row], c.score[row]
            k, r = log["action"].to_numpy(), log["profit"].to_numpy()
            i = np.arange(len(log))
            w = pi[i, k] / log["pscore"].to_numpy()
            q = by_the_other_half(log)
            model = (pi * q).sum(axis=1)
            bought = log["bought"].to_numpy()
            expected = {
                "AUC": roc_auc_score(log["purchase"], score[i, k]),
                "own promise": (pi * c.promise[row]).sum(axis=1).mean(),
                "views replayed": log["view"][pi[i, k] == 1].mean(),
                "profit replayed": r[pi[i, k] == 1].mean(),
                "DM": model.mean(),
                "IPS": (w * r).mean(),
                "SNIPS": (w * r).sum() / w.sum(),
                "DR": (model + w * (r - q[i, k])).mean(),
                "A/B test": launched.test.groupby("arm")["profit"].mean()[int(name == "second")],
            }
            buys = bought > 0
            rank = scipy.stats.rankdata(-score[buys, 1:], axis=1)[
                np.arange(buys.sum()), bought[buys] - 1
            ]
            expected["hit rate"] = (rank == 1).mean()
            expected["NDCG"] = (1 / np.log2(1 + rank)).mean()
            if all(len(set(s)) == 5 for s in score[:, 1:]):  # sklearn averages over ties
                relevant = np.eye(6)[bought[buys]][:, 1:]
                assert ndcg_score(relevant, score[buys, 1:]) == pytest.approx(expected["NDCG"])
                compared += 1
            found = told[name]
            for judge, value in expected.items():
                assert found[judge] == pytest.approx(value, rel=1e-10), judge
    assert compared


def test_what_the_estimators_warn_of_stands_in_the_table(launches):
    """Fragile where fewer than fifty effective rounds, or rewards, carry either number."""
    seen = []
    for launched in launches[:12]:
        told, log = judge_launch(launched), launched.log  # a warning here would be an error
        few = []
        for c in launched.candidates:
            x = [c.policy.contexts.index(x) for x in log["context"]]
            w = c.policy.table[x, log["action"]] / log["pscore"].to_numpy()
            earned = np.abs(w * log["profit"].to_numpy())
            few.append(min(u.sum() ** 2 / (u**2).sum() for u in (w, earned)) < 50)
        assert told.loc[["IPS", "SNIPS"], "fragile"].tolist() == 2 * [any(few)]
        others = told.drop(index=["IPS", "SNIPS", "DR"])
        assert not others["fragile"].any()
        seen.append(any(few))
    assert set(seen) == {True, False}


def test_auc_prefers_who_buys_to_who_gains(launches):
    """Whatever they are worth: the likely buyers' model has the higher AUC."""
    truths = []
    for launched in launches:
        kinds = [c.kind for c in launched.candidates]
        if sorted(kinds) == ["gain", "likely"]:
            sign = 1 if kinds[1] == "likely" else -1
            assert sign * judge_launch(launched).loc["AUC", "gap"] > 0
            truths.append(sign * np.diff(launched.truth)[0] > 0)
    assert len(truths) > 5
    assert set(truths) == {True, False}


def by_the_other_half(log):
    """Mean profit of a context and shelf among rows of the other parity, pulled by one row."""
    q = np.empty((len(log), 6))
    for half in (0, 1):
        other = log[np.arange(len(log)) % 2 != half]
        cells = other.groupby(["context", "action"], observed=True)["profit"].agg(["sum", "size"])
        own = np.arange(len(log)) % 2 == half
        for k in range(6):
            at = pd.MultiIndex.from_arrays([log["context"][own].astype(str), own.sum() * [k]])
            found = cells.set_axis(cells.index.map(lambda c: (str(c[0]), c[1]))).reindex(at)
            found = found.fillna(0).to_numpy()
            q[own, k] = (found[:, 0] + other["profit"].mean()) / (found[:, 1] + 1)
    return q


def test_fifty_launches_are_those_of_their_seed(fifty):
    assert list(fifty.columns) == ["launch", "about", "judge", "gap", "true_gap", "fragile"]
    assert list(fifty["launch"].unique()) == list(range(50))
    assert list(fifty["judge"]) == 50 * JUDGES
    few = simulate_launches(1, visits=700, seed=4)
    pd.testing.assert_frame_equal(few, simulate_launches(1, visits=700, seed=4))
    assert not few["gap"].equals(simulate_launches(1, visits=700, seed=5)["gap"])


def test_where_the_lists_agree_the_hit_rate_cannot_choose(fifty):
    lists = fifty[fifty["judge"].isin(["hit rate", "NDCG"])]
    assert (lists.loc[lists["about"] == "whom", "gap"] == 0).all()
    hits = fifty[fifty["judge"] == "hit rate"]
    assert (hits.loc[hits["about"] == "what", "gap"] != 0).mean() > 0.9
    assert set(hits["about"]) == {"whom", "what"}


def test_the_test_chooses_as_often_as_its_plan_says(fifty):
    """Right choices of the A/B test against the sum of normal probabilities, seed fixed before."""
    told = fifty[fifty["judge"] == "A/B test"]
    # Planned for .05 with power .8: the standard error of the difference is .05 over 2.80.
    se = 0.05 / (scipy.stats.norm.ppf(0.975) + scipy.stats.norm.ppf(0.8))
    p = scipy.stats.norm.cdf(told["true_gap"].abs() / se)
    right = (told["gap"] * told["true_gap"] > 0).sum()
    assert abs(right - p.sum()) < 3.3 * np.sqrt((p * (1 - p)).sum()) + 0.5


GAPS = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(0.01, 1), st.sampled_from([-1, 1])),
    min_size=1,
    max_size=9,
)


def told_by(gaps, judge="a judge"):
    d = [size * sign for _, size, sign in gaps]
    return pd.DataFrame({"judge": judge, "gap": [g for g, _, _ in gaps], "true_gap": d})


@given(GAPS)
def test_right_choices_by_hand(gaps):
    told = told_by(gaps)
    found = right_choices(told, units=100).loc["a judge"]
    picks = [0.5 if g == 0 else float((g > 0) == (s > 0)) for g, _, s in gaps]
    lost = [size * (1 - right) for (_, size, _), right in zip(gaps, picks, strict=True)]
    assert found["right"] == pytest.approx(np.mean(picks))
    assert found["regret"] == pytest.approx(100 * np.mean(lost), abs=1e-9)
    # Which of the two is called the first does not matter.
    other = right_choices(told.assign(gap=-told["gap"], true_gap=-told["true_gap"]), units=100)
    pd.testing.assert_series_equal(found, other.loc["a judge"])


@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (31, 50)])
def test_the_interval_is_the_exact_binomial_one(k, n):
    told = pd.DataFrame({"judge": "j", "gap": 1.0, "true_gap": np.repeat([1.0, -1.0], [k, n - k])})
    found = right_choices(told, units=1, level=0.9).loc["j"]
    exact = scipy.stats.binomtest(k, n).proportion_ci(0.9, method="exact")
    assert [found["low"], found["high"]] == pytest.approx([exact.low, exact.high], abs=1e-12)


def test_the_rank_correlation_is_spearmans(fifty):
    table = right_choices(fifty, units=1)
    for judge, own in fifty.groupby("judge"):
        expected = scipy.stats.spearmanr(own["gap"], own["true_gap"]).statistic
        assert table.loc[judge, "rank_correlation"] == pytest.approx(expected, rel=1e-12)
    constant = pd.DataFrame({"judge": "j", "gap": 0.0, "true_gap": [1.0, 2.0]})
    assert np.isnan(right_choices(constant, units=1)["rank_correlation"]["j"])


def test_what_cannot_be_judged_is_refused(world, launches):
    with pytest.raises(ValueError, match=r"world has no urgency, value_5: pass one from funnel"):
        simulate_launch(World(world.data, {}, world.potential[["want"]]), seed=1)
    with pytest.raises(ValueError, match=r"visits is 499: in fewer than 500 some shelf"):
        simulate_launch(world, visits=499, seed=1)
    with pytest.raises(ValueError, match=r"seed is -1"):
        simulate_launch(world, seed=-1)
    with pytest.raises(ValueError, match=r"visits is 10: "):
        simulate_launches(1, visits=10, seed=1)
    with pytest.raises(ValueError, match=r"n is 0"):
        simulate_launches(0, seed=1)
    with pytest.raises(ValueError, match=r"launched is a DataFrame: pass what simulate_launch"):
        judge_launch(launches[0].log)


def test_what_cannot_be_scored_is_refused():
    told = told_by([(0.1, 0.2, 1), (0.3, 0.2, -1)])
    with pytest.raises(ValueError, match=r"told has no column true_gap"):
        right_choices(told.drop(columns="true_gap"), units=1)
    with pytest.raises(ValueError, match=r"true_gap is 0 in 1 of 2 rows"):
        right_choices(told.assign(true_gap=[0.0, 1.0]), units=1)
    with pytest.raises(ValueError, match=r"gap \(.*\) is NaN|gap is NaN"):
        right_choices(told.assign(gap=[np.nan, 1.0]), units=1)
    for bad in ({"units": 0}, {"units": 1, "level": 1.0}):
        with pytest.raises(ValueError, match=r"pass a number above 0, and a share"):
            right_choices(told, **bad)


def test_the_command_prints_the_table_and_refuses_plainly():
    from typer.testing import CliRunner

    from causalbook.project.console import app

    flags = ["launches", "--number", "2", "--visits", "600", "--seed", "3"]
    said = CliRunner().invoke(app, flags)
    assert said.exit_code == 0
    table = right_choices(simulate_launches(2, visits=600, seed=3), units=1e6)
    for judge, regret in table["regret"].round(0).items():
        (line,) = [line for line in said.output.splitlines() if line.startswith(f"{judge} ")]
        assert f"{regret:.1f}" in line
    refused = CliRunner().invoke(app, ["launches", "--visits", "10"])
    assert refused.exit_code == 2
    assert refused.stderr.startswith("causalbook: visits is 10")
